"""Catalogue"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_HISTORY_STAYS = """
CREATE FUNCTION registry.catalogue_history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'versions of the catalogue are never changed or deleted';
END $$"""


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _numbers(kind: type[sa.Integer], *names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, kind(), nullable=nullable) for name in names]


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)


def upgrade() -> None:
    """Apply."""
    _entries()
    _versions()
    _imports()
    _merges()


def _entries() -> None:
    op.create_table(
        "catalogue_entry",
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_texts("provider", "kind", "code", "name", "description", "category"),
        sa.Column("keywords", sa.ARRAY(sa.Text()), nullable=False),
        *_texts("price_model", "unit"),
        *_numbers(sa.BigInteger, "price_from", "price_to", nullable=True),
        *_numbers(sa.Integer, "delivery_days", nullable=True),
        *_texts("model", "maker", "serial_no"),
        *_numbers(sa.BigInteger, "original_value", nullable=True),
        *_texts("institution", "owner", "place"),
        *_numbers(sa.Integer, "hours_per_year", nullable=True),
        sa.Column("open_since", sa.Date(), nullable=True),
        *_texts("title", "source", "link", "division", "state"),
        *_numbers(sa.BigInteger, "merged_into", nullable=True),
        *_numbers(sa.Integer, "version"),
        _instant("changed_at"),
        *_texts("changed_by"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('SERVICE', 'INSTRUMENT', 'EXPERT', 'LITERATURE', 'DATA')", name="catalogue_entry_kind"),
        sa.CheckConstraint("price_model IN ('FIXED', 'PER_UNIT', 'RANGE', 'QUOTATION')", name="catalogue_entry_price_model"),
        sa.CheckConstraint("(price_model = 'QUOTATION') = (price_from IS NULL)", name="catalogue_entry_price"),
        sa.CheckConstraint("price_from >= 0 AND price_to >= price_from", name="catalogue_entry_price_order"),
        sa.CheckConstraint("state IN ('ACTIVE', 'RETIRED', 'MERGED')", name="catalogue_entry_state"),
        sa.CheckConstraint("(state = 'MERGED') = (merged_into IS NOT NULL)", name="catalogue_entry_merged"),
        sa.ForeignKeyConstraint(["provider"], ["registry.provider.uscc"]),
        sa.PrimaryKeyConstraint("entry_id"),
        sa.UniqueConstraint("provider", "kind", "code", name="catalogue_entry_natural"),
        schema="registry",
    )
    # Whoever follows the catalogue reads it in the order of change.
    op.create_index("catalogue_entry_changed", "catalogue_entry", ["changed_at", "entry_id"], schema="registry")
    op.create_index("catalogue_entry_merged_into", "catalogue_entry", ["merged_into"], schema="registry")


def _versions() -> None:
    op.create_table(
        "catalogue_version",
        *_numbers(sa.BigInteger, "entry_id"),
        *_numbers(sa.Integer, "version"),
        *_texts("state"),
        _json("content"),
        *_texts("cause"),
        _instant("changed_at"),
        *_texts("changed_by"),
        sa.PrimaryKeyConstraint("entry_id", "version"),
        schema="registry",
    )
    op.execute(_HISTORY_STAYS)
    op.execute(
        "CREATE TRIGGER catalogue_history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.catalogue_version "
        "FOR EACH STATEMENT EXECUTE FUNCTION registry.catalogue_history_stays()"
    )


def _imports() -> None:
    op.create_table(
        "catalogue_import",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        *_texts("division", "imported_by", "format", "file_name"),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        *_numbers(sa.Integer, "rows", "created", "updated", "unchanged", "failed"),
        _json("errors"),
        _instant("imported_at"),
        sa.PrimaryKeyConstraint("import_id"),
        schema="registry",
    )
    op.create_index("catalogue_import_division", "catalogue_import", ["division"], schema="registry")


def _merges() -> None:
    op.create_table(
        "merge_proposal",
        sa.Column("proposal_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_texts("subject", "left_key", "right_key", "left_division", "right_division", "kept"),
        *_numbers(sa.Integer, "score"),
        _json("reasons"),
        *_texts("state", "left_confirmed_by", "right_confirmed_by"),
        _instant("proposed_at"),
        *_texts("decided_by"),
        _instant("decided_at", nullable=True),
        *_texts("decision_reason"),
        sa.CheckConstraint("subject IN ('PROVIDER', 'ENTRY')", name="merge_proposal_subject"),
        sa.CheckConstraint("state IN ('PROPOSED', 'CONFIRMED', 'REJECTED')", name="merge_proposal_state"),
        sa.CheckConstraint("kept IN (left_key, right_key)", name="merge_proposal_kept"),
        sa.PrimaryKeyConstraint("proposal_id"),
        sa.UniqueConstraint("subject", "left_key", "right_key", name="merge_proposal_pair"),
        schema="registry",
    )
    op.create_index("merge_proposal_divisions", "merge_proposal", ["left_division", "right_division"], schema="registry")
    op.create_table(
        "provider_merge",
        *_texts("provider", "kept"),
        *_numbers(sa.BigInteger, "proposal_id"),
        _instant("merged_at"),
        sa.ForeignKeyConstraint(["provider"], ["registry.provider.uscc"]),
        sa.ForeignKeyConstraint(["kept"], ["registry.provider.uscc"]),
        sa.PrimaryKeyConstraint("provider"),
        schema="registry",
    )
    op.create_index("provider_merge_kept", "provider_merge", ["kept"], schema="registry")
