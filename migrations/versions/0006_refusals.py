"""requests that were refused: a bounded number of rows for each key and hour, and how many there were"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade():
    op.create_table(
        "refusals",
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("key_id", ROW_ID, nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("endpoint", sa.String(length=100), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("param", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_refusals_account_id")),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_refusals_key_id")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_refusals")),
    )
    op.create_index(op.f("ix_refusals_account_id_created_at"), "refusals", ["account_id", "created_at"], unique=False)
    op.create_index(op.f("ix_refusals_created_at"), "refusals", ["created_at"], unique=False)
    op.create_table(
        "refusal_hours",
        sa.Column("key_id", ROW_ID, nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_refusal_hours_account_id")),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_refusal_hours_key_id")),
        sa.PrimaryKeyConstraint("key_id", "hour", name=op.f("pk_refusal_hours")),
    )
    op.create_index(op.f("ix_refusal_hours_account_id"), "refusal_hours", ["account_id"], unique=False)


def downgrade():
    op.drop_table("refusal_hours")
    op.drop_table("refusals")
