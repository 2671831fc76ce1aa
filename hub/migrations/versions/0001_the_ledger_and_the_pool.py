"""The ledger and the pool"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("CREATE SCHEMA IF NOT EXISTS registry")
    # Each process takes note ids in blocks.
    op.execute("CREATE SEQUENCE note_block INCREMENT 1 START 1")
    op.create_table(
        "carry",
        sa.Column("debtor", sa.Text(), nullable=False),
        sa.Column("creditor", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount < 0", name="carry_negative"),
        sa.PrimaryKeyConstraint("debtor", "creditor"),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letter_record", "dead_letter", ["topic", "partition", "record_offset"], unique=False)
    op.create_table(
        "enterprise",
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("division", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sme_no", sa.Text(), nullable=False),
        sa.Column("sme_valid_from", sa.Date(), nullable=True),
        sa.Column("sme_valid_until", sa.Date(), nullable=True),
        sa.Column("staff", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("uscc"),
    )
    op.create_index(op.f("ix_enterprise_division"), "enterprise", ["division"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("participant_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("participant_id", "request_id"),
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "source_id"),
    )
    op.create_table(
        "invoice",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("invoice_no", sa.Text(), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "invoice_no"),
    )
    op.create_table(
        "invoice_use",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("invoice_no", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "invoice_no", "issuer"),
    )
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("notes", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("note_amounts", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("committed", sa.BigInteger(), nullable=False),
        sa.Column("quota_year", sa.SmallInteger(), nullable=False),
        sa.Column("quota", sa.BigInteger(), nullable=False),
        sa.Column("window_no", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0 OR (amount = 0 AND quota <> 0)", name="journal_moves_something"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("journal_issuer", "journal", ["issuer", "debit", "credit"], unique=False, postgresql_include=["amount"])
    op.create_index("journal_redemption", "journal", ["redemption_id"], unique=False, postgresql_where="redemption_id IS NOT NULL")
    op.create_index("journal_window", "journal", ["issuer", "window_no"], unique=False, postgresql_where="window_no > 0")
    op.create_table(
        "open_window",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("window_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer"),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("outbox_unpublished", "outbox", ["seq"], unique=False, postgresql_where="published_at IS NULL")
    op.create_table(
        "participant",
        sa.Column("participant_id", sa.Text(), nullable=False),
        sa.Column("division", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("participant_id"),
    )
    op.create_table(
        "policy",
        sa.Column("policy_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_until", sa.Date(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("policy_id"),
        sa.UniqueConstraint("issuer", "version"),
    )
    op.create_index(op.f("ix_policy_issuer"), "policy", ["issuer"], unique=False)
    op.create_table(
        "quota",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0 AND issued >= 0", name="quota_not_negative"),
        sa.PrimaryKeyConstraint("issuer", "enterprise", "year"),
    )
    op.create_table(
        "redemption",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("acquirer", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("line_refunds", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("authorized", sa.BigInteger(), nullable=False),
        sa.Column("subsidy", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("payee_kind", sa.Text(), nullable=False),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("quota_year", sa.SmallInteger(), nullable=False),
        sa.Column("authorized_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("draw_notes", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("draw_numbers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("draw_amounts", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("invoice_no", sa.Text(), nullable=False),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("window_no", sa.BigInteger(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.CheckConstraint("subsidy >= 0 AND subsidy <= authorized AND refunded >= 0 AND authorized > 0", name="redemption_amounts"),
        sa.PrimaryKeyConstraint("redemption_id"),
    )
    op.create_index("redemption_newest", "redemption", ["authorized_at", "redemption_id"], unique=False)
    op.create_index("redemption_provider", "redemption", ["provider"], unique=False)
    op.create_index("redemption_ttl", "redemption", ["expires_on"], unique=False, postgresql_where="state = 'AUTHORIZED'")
    op.create_index("redemption_window", "redemption", ["issuer", "window_no", "payee"], unique=False, postgresql_where="window_no > 0")
    op.create_table(
        "negative_list",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("ended_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index("negative_list_enterprise", "negative_list", ["enterprise"], unique=False, schema="registry")
    op.create_table(
        "provider",
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("admitted_on", sa.Date(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("admitted_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uscc"),
        schema="registry",
    )
    op.create_index(op.f("ix_registry_provider_home"), "provider", ["home"], unique=False, schema="registry")
    op.create_table(
        "service_order",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expenditure", sa.BigInteger(), nullable=False),
        sa.Column("committed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("committed_total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("committed_total BETWEEN 0 AND expenditure", name="order_within_expenditure"),
        sa.PrimaryKeyConstraint("provider", "order_no"),
    )
    op.create_table(
        "settlement_window",
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("window_id"),
    )
    op.create_table(
        "verification",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("participant_id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("voucher_no", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "voucher",
        sa.Column("note_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("voucher_no", sa.Text(), nullable=False),
        sa.Column("face", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("redeemed", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("counted_year", sa.SmallInteger(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("available + reserved + redeemed + returned = face", name="voucher_adds_up"),
        sa.CheckConstraint(
            "available >= 0 AND reserved >= 0 AND redeemed >= 0 AND returned >= 0 AND face > 0", name="voucher_not_negative"
        ),
        sa.PrimaryKeyConstraint("note_id"),
        sa.UniqueConstraint("issuer", "voucher_no"),
    )
    op.create_index("voucher_due", "voucher", ["expires_on"], unique=False, postgresql_where="available > 0")
    op.create_index("voucher_wallet", "voucher", ["issuer", "enterprise"], unique=False)
    op.create_table(
        "voucher_application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("requested", sa.BigInteger(), nullable=False),
        sa.Column("approved", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("requested > 0 AND approved BETWEEN 0 AND requested", name="application_amounts"),
        sa.PrimaryKeyConstraint("application_id"),
    )
    op.create_table(
        "wallet",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("last_expiry", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "enterprise"),
    )
    op.create_table(
        "net_position",
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("division", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["window_id"],
            ["settlement_window.window_id"],
        ),
        sa.PrimaryKeyConstraint("window_id", "division"),
    )
    op.create_table(
        "obligation",
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("debtor", sa.Text(), nullable=False),
        sa.Column("creditor", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name="obligation_positive"),
        sa.ForeignKeyConstraint(
            ["window_id"],
            ["settlement_window.window_id"],
        ),
        sa.PrimaryKeyConstraint("window_id", "debtor", "creditor"),
    )
    op.create_index("obligation_creditor", "obligation", ["creditor"], unique=False)
    op.create_table(
        "recognition",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("agreement", sa.Boolean(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider"],
            ["registry.provider.uscc"],
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index("recognition_pair", "recognition", ["issuer", "provider"], unique=False, schema="registry")
    op.create_table(
        "suspension",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("ended_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider"],
            ["registry.provider.uscc"],
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index("suspension_open", "suspension", ["provider"], unique=True, schema="registry", postgresql_where="until IS NULL")
    op.create_table(
        "window_issuer",
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("window_no", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["window_id"],
            ["settlement_window.window_id"],
        ),
        sa.PrimaryKeyConstraint("window_id", "issuer"),
        sa.UniqueConstraint("issuer", "window_no"),
    )


def downgrade() -> None:
    """There is nothing before the first revision; a ledger is not undone."""
    raise NotImplementedError("the first revision cannot be undone")
