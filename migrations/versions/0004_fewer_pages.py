"""one index less to write for each request: the few open rows are found by the other one"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("state = 'open'")


def upgrade():
    op.drop_index("ix_usage_expires_at", "usage")


def downgrade():
    op.create_index(
        "ix_usage_expires_at", "usage", ["expires_at"], sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
    )
