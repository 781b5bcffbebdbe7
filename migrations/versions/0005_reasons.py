"""why an operator disabled an account or revoked a key, for its owner to read"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("accounts", sa.Column("disabled_reason", sa.String(500)))
    op.add_column("keys", sa.Column("revoked_reason", sa.String(500)))


def downgrade():
    op.drop_column("keys", "revoked_reason")
    op.drop_column("accounts", "disabled_reason")
