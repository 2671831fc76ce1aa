"""Credit"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_RECORD = "registry.credit_record.record_id"

_STAYS = """
CREATE FUNCTION registry.credit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what is on record is never changed or deleted: % of registry.%', TG_OP, TG_TABLE_NAME;
END $$"""


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Apply."""
    _what_clearing_reads()
    _records()
    _sanctions()
    _queries()
    op.execute(_STAYS)
    for table in ("credit_record", "credit_version", "credit_query"):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION registry.credit_stays()"
        )


def _what_clearing_reads() -> None:
    """The negative list and the periods out of good standing say which record they follow from; several records may bar at once."""
    for table in ("negative_list", "suspension"):
        op.add_column(table, sa.Column("record_id", sa.Uuid(), nullable=True), schema="registry")
    op.drop_constraint("suspension_kind", "suspension", schema="registry")
    kinds = "kind IN ('SUSPENSION', 'LAPSE', 'REMOVAL') OR (kind = 'CREDIT' AND record_id IS NOT NULL)"
    op.create_check_constraint("suspension_kind", "suspension", kinds, schema="registry")
    op.drop_index("suspension_open", "suspension", schema="registry")
    where = sa.text("until IS NULL AND record_id IS NULL")
    op.create_index("suspension_open", "suspension", ["provider", "kind"], unique=True, schema="registry", postgresql_where=where)


def _records() -> None:
    op.create_table(
        "credit_record",
        sa.Column("record_id", sa.Uuid(), nullable=False),
        *_texts("subject_kind", "subject_id", "entered_by"),
        _instant("entered_at"),
        sa.CheckConstraint("subject_kind IN ('ENTERPRISE', 'PROVIDER', 'TEAM', 'PERSON')", name="credit_record_kind"),
        # A name or an identity number in clear cannot even be stored.
        sa.CheckConstraint("subject_kind <> 'PERSON' OR subject_id ~ '^[0-9a-f]{64}$'", name="credit_record_person"),
        sa.PrimaryKeyConstraint("record_id"),
        schema="registry",
    )
    op.create_index("credit_record_newest", "credit_record", ["entered_at", "record_id"], schema="registry")
    op.create_table(
        "credit_version",
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_texts("act", "note", "made_by"),
        _instant("made_at"),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        *_texts("appeal", "referred_to"),
        sa.Column("referred_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        *_texts("rules_version"),
        sa.ForeignKeyConstraint(["record_id"], [_RECORD]),
        sa.PrimaryKeyConstraint("record_id", "version"),
        schema="registry",
    )


def _sanctions() -> None:
    op.create_table(
        "credit_sanction",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        *_texts("subject_id", "effect", "reason"),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        *_texts("rule"),
        sa.CheckConstraint("until IS NULL OR until > since", name="credit_sanction_period"),
        sa.ForeignKeyConstraint(["record_id"], [_RECORD]),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index("credit_sanction_subject", "credit_sanction", ["subject_id", "effect"], schema="registry")
    op.create_index("credit_sanction_record", "credit_sanction", ["record_id"], schema="registry")


def _queries() -> None:
    op.create_table(
        "credit_query",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        *_texts("participant_id", "division"),
        _instant("asked_at"),
        *_texts("purpose", "case_no", "subject_sha256"),
        sa.Column("barred", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index("credit_query_participant", "credit_query", ["participant_id", "id"], schema="registry")
    op.create_index("credit_query_subject", "credit_query", ["subject_sha256", "id"], schema="registry")
    op.create_table(
        "credit_bucket",
        *_texts("participant_id"),
        sa.Column("parts", sa.BigInteger(), nullable=False),
        _instant("filled_at"),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("participant_id"),
        schema="registry",
    )
