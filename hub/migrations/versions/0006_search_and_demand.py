"""Search and demand"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What changes of an entry or a provider leaves a line in the queue, in the same transaction; whoever keeps the index is woken at
# its commit.
_QUEUE_ENTRIES = """
CREATE FUNCTION registry.search_queue_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO registry.search_queue (entry_id, provider, rating_only) SELECT entry_id, provider, false FROM changed;
  NOTIFY search;
  RETURN NULL;
END $$"""
_QUEUE_PROVIDERS = """
CREATE FUNCTION registry.search_queue_providers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO registry.search_queue (entry_id, provider, rating_only)
    SELECT NULL, n.uscc, (n.name, n.home, n.categories) = (o.name, o.home, o.categories)
    FROM changed AS n JOIN before AS o USING (uscc)
    WHERE (n.name, n.home, n.categories, n.rating) <> (o.name, o.home, o.categories, o.rating);
  ELSE
    INSERT INTO registry.search_queue (entry_id, provider, rating_only) SELECT NULL, uscc, false FROM changed;
  END IF;
  NOTIFY search;
  RETURN NULL;
END $$"""
_QUEUE_MERGED = """
CREATE FUNCTION registry.search_queue_merged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO registry.search_queue (entry_id, provider, rating_only) SELECT NULL, provider, false FROM changed;
  NOTIFY search;
  RETURN NULL;
END $$"""

# Whatever is there before the first start of the index comes into it the same way.
_WHAT_IS = """
INSERT INTO registry.search_queue (entry_id, provider, rating_only)
SELECT entry_id, provider, false FROM registry.catalogue_entry WHERE state = 'ACTIVE'
UNION ALL SELECT NULL, uscc, false FROM registry.provider"""


def upgrade() -> None:
    """Apply."""
    _documents()
    _terms()
    _queue()
    _demands()
    _answers()


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)


def _documents() -> None:
    op.execute("CREATE SEQUENCE registry.search_provider_no")
    op.create_table(
        "search_document",
        sa.Column("doc_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *_texts("provider", "kind"),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        *_texts("division"),
        _number("price_from", nullable=True),
        _number("price_to", nullable=True),
        sa.Column("band", sa.SmallInteger(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("lexemes", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("doc_id"),
        schema="registry",
    )
    op.create_index("search_document_lexemes", "search_document", ["lexemes"], schema="registry", postgresql_using="gin")
    op.create_index("search_document_provider", "search_document", ["provider"], schema="registry")
    op.create_table(
        "search_text",
        sa.Column("doc_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *_texts("name", "keywords", "provider", "description"),
        sa.PrimaryKeyConstraint("doc_id"),
        schema="registry",
    )


def _terms() -> None:
    op.create_table(
        "search_term",
        *_texts("term"),
        sa.Column("documents", sa.Integer(), nullable=False),
        *_texts("sound"),
        sa.PrimaryKeyConstraint("term"),
        schema="registry",
    )
    op.create_index("search_term_sound", "search_term", ["sound"], schema="registry", postgresql_where=sa.text("sound <> ''"))
    op.create_table("search_neighbour", *_texts("form", "term"), sa.PrimaryKeyConstraint("form", "term"), schema="registry")


def _queue() -> None:
    op.create_table(
        "search_queue",
        sa.Column("queue_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _number("entry_id", nullable=True),
        *_texts("provider"),
        sa.Column("rating_only", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("queue_no"),
        schema="registry",
    )
    for function in (_QUEUE_ENTRIES, _QUEUE_PROVIDERS, _QUEUE_MERGED):
        op.execute(function)
    for table, function, occasions in (
        ("catalogue_entry", "search_queue_entries", ("INSERT", "UPDATE")),
        ("provider", "search_queue_providers", ("INSERT", "UPDATE")),
        ("provider_merge", "search_queue_merged", ("INSERT",)),
    ):
        for occasion in occasions:
            before = "OLD TABLE AS before " if (table, occasion) == ("provider", "UPDATE") else ""
            op.execute(
                f"CREATE TRIGGER search_queue_{occasion.lower()} AFTER {occasion} ON registry.{table} "
                f"REFERENCING {before}NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION registry.{function}()"
            )
    op.execute(_WHAT_IS)


def _demands() -> None:
    op.create_table(
        "demand",
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        *_texts("division", "enterprise", "title", "text", "category"),
        _number("budget"),
        sa.Column("due_on", sa.Date(), nullable=False),
        *_texts("preferred_division", "contact_name", "contact_reach", "state"),
        _instant("posted_at"),
        *_texts("posted_by"),
        sa.Column("accepted_offer", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('OPEN', 'APPOINTED', 'WITHDRAWN')", name="demand_state"),
        sa.CheckConstraint("(state = 'APPOINTED') = (accepted_offer IS NOT NULL)", name="demand_accepted"),
        sa.PrimaryKeyConstraint("demand_id"),
        schema="registry",
    )
    op.create_index("demand_newest", "demand", ["posted_at", "demand_id"], schema="registry")
    op.create_index("demand_division", "demand", ["division"], schema="registry")
    op.create_table(
        "demand_invitation",
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        *_texts("provider", "home"),
        _number("entry_id"),
        *_texts("state"),
        _instant("invited_at"),
        sa.CheckConstraint("state IN ('INVITED', 'OFFERED', 'DECLINED')", name="demand_invitation_state"),
        sa.ForeignKeyConstraint(["demand_id"], ["registry.demand.demand_id"]),
        sa.PrimaryKeyConstraint("demand_id", "provider"),
        schema="registry",
    )
    op.create_index("demand_invitation_provider", "demand_invitation", ["provider"], schema="registry")
    op.create_index("demand_invitation_home", "demand_invitation", ["home"], schema="registry")


def _answers() -> None:
    op.create_table(
        "demand_offer",
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        *_texts("provider", "home"),
        _number("entry_id"),
        _json("lines"),
        _number("price"),
        sa.Column("delivery_days", sa.Integer(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        *_texts("note", "state"),
        _instant("offered_at"),
        *_texts("offered_by"),
        sa.CheckConstraint("state IN ('OPEN', 'ACCEPTED', 'WITHDRAWN', 'REPLACED', 'CLOSED')", name="demand_offer_state"),
        sa.CheckConstraint("price > 0", name="demand_offer_price"),
        sa.ForeignKeyConstraint(["demand_id", "provider"], ["registry.demand_invitation.demand_id", "registry.demand_invitation.provider"]),
        sa.PrimaryKeyConstraint("offer_id"),
        schema="registry",
    )
    op.create_index("demand_offer_demand", "demand_offer", ["demand_id"], schema="registry")
    where = sa.text("state = 'OPEN'")
    op.create_index("demand_offer_open", "demand_offer", ["demand_id", "provider"], unique=True, schema="registry", postgresql_where=where)
    op.create_table(
        "appointment",
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        *_texts("enterprise", "division", "provider", "home", "order_no"),
        _json("lines"),
        sa.Column("deliver_by", sa.Date(), nullable=False),
        _number("entry_id"),
        _instant("appointed_at"),
        *_texts("appointed_by"),
        sa.ForeignKeyConstraint(["demand_id"], ["registry.demand.demand_id"]),
        sa.ForeignKeyConstraint(["offer_id"], ["registry.demand_offer.offer_id"]),
        sa.PrimaryKeyConstraint("demand_id"),
        sa.UniqueConstraint("provider", "order_no", name="appointment_order"),
        schema="registry",
    )
