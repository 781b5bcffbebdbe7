"""teams: members with roles and caps, projects, invites, and whose key it is"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CAPS = ("requests_per_minute", "concurrent_requests", "tokens_per_day", "nanousd_per_month")


def upgrade():
    op.create_table(
        "teams",
        sa.Column("account_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("models", sa.String(), nullable=True),
        sa.Column("requires_second_factor", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_teams_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_teams")),
    )
    op.create_table(
        "members",
        sa.Column("team_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("person_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in CAPS),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'billing', 'viewer')", name=op.f("ck_members_role")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.account_id"], name=op.f("fk_members_team_id")),
        sa.ForeignKeyConstraint(["person_id"], ["accounts.id"], name=op.f("fk_members_person_id")),
        sa.PrimaryKeyConstraint("team_id", "person_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_person_id"), "members", ["person_id"], unique=False)
    op.create_table(
        "projects",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("team_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("models", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in CAPS),
        sa.ForeignKeyConstraint(["team_id"], ["teams.account_id"], name=op.f("fk_projects_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("team_id", "name", name=op.f("uq_projects_team_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "invites",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("team_id", ROW_ID, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("made_by", ROW_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.account_id"], name=op.f("fk_invites_team_id")),
        sa.ForeignKeyConstraint(["made_by"], ["accounts.id"], name=op.f("fk_invites_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_invites_token_sha256")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_invites_team_id"), "invites", ["team_id"], unique=False)
    with op.batch_alter_table("keys") as table:
        table.add_column(sa.Column("member_id", ROW_ID, nullable=True))
        table.add_column(sa.Column("project_id", ROW_ID, nullable=True))
        table.create_foreign_key(op.f("fk_keys_member_id"), "accounts", ["member_id"], ["id"])
        table.create_foreign_key(op.f("fk_keys_project_id"), "projects", ["project_id"], ["id"])
        table.create_index(op.f("ix_keys_member_id"), ["member_id"])
        table.create_index(op.f("ix_keys_project_id"), ["project_id"])
    with op.batch_alter_table("web_sessions") as table:
        table.add_column(sa.Column("team_id", ROW_ID, nullable=True))
        table.create_foreign_key(op.f("fk_web_sessions_team_id"), "teams", ["team_id"], ["account_id"])


def downgrade():
    with op.batch_alter_table("web_sessions") as table:
        table.drop_constraint(op.f("fk_web_sessions_team_id"), type_="foreignkey")
        table.drop_column("team_id")
    with op.batch_alter_table("keys") as table:
        for name in ("project_id", "member_id"):
            table.drop_index(op.f(f"ix_keys_{name}"))
            table.drop_constraint(op.f(f"fk_keys_{name}"), type_="foreignkey")
            table.drop_column(name)
    for name in ("invites", "projects", "members", "teams"):
        op.drop_table(name)
