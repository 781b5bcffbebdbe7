"""the Ollamas that an operator adds and drains while the server is running"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "pool_hosts",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("slots", sa.BigInteger(), nullable=True),
        sa.Column("max_loaded", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'draining', 'off')", name=op.f("ck_pool_hosts_state")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pool_hosts")),
    )


def downgrade():
    op.drop_table("pool_hosts")
