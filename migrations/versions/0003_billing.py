"""credits, payments, plans with dates, and who changed what"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("credit_entries", "plan_changes", "audit_entries")
# What was paid in and spent before there were entries becomes two of them.
OPENING = """
INSERT INTO credit_entries (account_id, kind, amount_nanousd, reason, actor, day, created_at)
SELECT account_id, '{kind}', {amount}, 'carried over', 'migration', '1970-01-01', 0 FROM balances WHERE {amount} <> 0
"""


def upgrade():
    op.create_table(
        "audit_entries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=True),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_audit_entries_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_entries_account_id"), "audit_entries", ["account_id"], unique=False)
    op.create_index(op.f("ix_audit_entries_at"), "audit_entries", ["at"], unique=False)
    op.create_table(
        "checkouts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=True),
        sa.Column("price_id", sa.String(length=255), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("returned_cents", sa.BigInteger(), nullable=False),
        sa.Column("disputed_cents", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('credits', 'plan')", name=op.f("ck_checkouts_kind")),
        sa.CheckConstraint("state IN ('open', 'paid', 'closed', 'refused')", name=op.f("ck_checkouts_state")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_checkouts_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_checkouts_payment_id")),
        sa.UniqueConstraint("session_id", name=op.f("uq_checkouts_session_id")),
    )
    op.create_index(op.f("ix_checkouts_account_id"), "checkouts", ["account_id"], unique=False)
    op.create_table(
        "credit_entries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind <> 'bought' OR amount_nanousd > 0", name=op.f("ck_credit_entries_bought")),
        sa.CheckConstraint("kind <> 'spent' OR amount_nanousd < 0", name=op.f("ck_credit_entries_spent")),
        sa.CheckConstraint("kind IN ('bought', 'granted', 'spent', 'refunded')", name=op.f("ck_credit_entries_kind")),
        sa.CheckConstraint("amount_nanousd <> 0", name=op.f("ck_credit_entries_moves")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_credit_entries_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint("reference", name=op.f("uq_credit_entries_reference")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_credit_entries_account_id_day"), "credit_entries", ["account_id", "day"], unique=False)
    op.create_table(
        "customers",
        sa.Column("account_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_customers_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_customers")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_customers_provider_id")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("paid_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_invoices_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
    )
    op.create_index(op.f("ix_invoices_account_id_day"), "invoices", ["account_id", "day"], unique=False)
    op.create_index(op.f("ix_invoices_day"), "invoices", ["day"], unique=False)
    op.create_table(
        "payment_events",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=True),
        sa.Column("result", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_payment_events_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_events")),
    )
    op.create_index(op.f("ix_payment_events_account_id"), "payment_events", ["account_id"], unique=False)
    op.create_index(op.f("ix_payment_events_received_at"), "payment_events", ["received_at"], unique=False)
    op.create_table(
        "plan_changes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_plan_changes_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_plan_changes_account_id"), "plan_changes", ["account_id"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("account_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("provider_id", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("price_id", sa.String(length=255), nullable=False),
        sa.Column("period_start_at", sa.BigInteger(), nullable=False),
        sa.Column("period_end_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_with_period", sa.Boolean(), nullable=False),
        sa.Column("then_plan_id", sa.String(length=64), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_subscriptions_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_subscriptions_provider_id")),
    )
    op.create_index(op.f("ix_subscriptions_period_end_at"), "subscriptions", ["period_end_at"], unique=False)
    op.add_column("accounts", sa.Column("plan_ends_at", sa.BigInteger(), nullable=True))
    op.add_column("accounts", sa.Column("next_plan_id", sa.String(length=64), nullable=True))
    op.add_column("accounts", sa.Column("uses_credits", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("accounts", sa.Column("nanousd_per_month", sa.BigInteger(), nullable=True))
    op.execute(OPENING.format(kind="granted", amount="paid_nanousd"))
    op.execute(OPENING.format(kind="spent", amount="-spent_nanousd"))
    let_tables_only_grow()


def let_tables_only_grow():
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% only grows', TG_TABLE_NAME; END $$"
        )
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
        return
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
            )


def downgrade():
    op.drop_column("accounts", "nanousd_per_month")
    op.drop_column("accounts", "uses_credits")
    op.drop_column("accounts", "next_plan_id")
    op.drop_column("accounts", "plan_ends_at")
    op.drop_index(op.f("ix_subscriptions_period_end_at"), table_name="subscriptions")
    op.drop_table("subscriptions")
    op.drop_index(op.f("ix_plan_changes_account_id"), table_name="plan_changes")
    op.drop_table("plan_changes")
    op.drop_index(op.f("ix_payment_events_received_at"), table_name="payment_events")
    op.drop_index(op.f("ix_payment_events_account_id"), table_name="payment_events")
    op.drop_table("payment_events")
    op.drop_index(op.f("ix_invoices_day"), table_name="invoices")
    op.drop_index(op.f("ix_invoices_account_id_day"), table_name="invoices")
    op.drop_table("invoices")
    op.drop_table("customers")
    op.drop_index(op.f("ix_credit_entries_account_id_day"), table_name="credit_entries")
    op.drop_table("credit_entries")
    op.drop_index(op.f("ix_checkouts_account_id"), table_name="checkouts")
    op.drop_table("checkouts")
    op.drop_index(op.f("ix_audit_entries_at"), table_name="audit_entries")
    op.drop_index(op.f("ix_audit_entries_account_id"), table_name="audit_entries")
    op.drop_table("audit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
