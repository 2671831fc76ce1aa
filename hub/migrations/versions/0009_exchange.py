"""Exchange"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# What stands in the records kept so far: the province in the topic's name, the code before the colon, the id in its header.
_READ_AGAIN = """
UPDATE dead_letter SET
    division = coalesce(substring(topic FROM '([0-9]{6})[.]in[.]v1$'), ''),
    code = split_part(reason, ':', 1),
    source_id = coalesce((
        SELECT h.value ->> 'value' FROM jsonb_array_elements(headers) AS h (value) WHERE h.value ->> 'name' = 'ce_id' LIMIT 1
    ), '')"""

_STAYS = """
CREATE FUNCTION dead_letter_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'dead letters and what was done about them are never deleted: % of %', TG_OP, TG_TABLE_NAME;
END $$"""


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Apply."""
    _dead_letters()
    _outbox()
    _webhooks()


def _dead_letters() -> None:
    for name in ("division", "code", "source_id"):
        op.add_column("dead_letter", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("dead_letter", sa.Column("state", sa.Text(), nullable=False, server_default="OPEN"))
    op.execute(_READ_AGAIN)
    op.create_check_constraint("dead_letter_state", "dead_letter", "state IN ('OPEN', 'RESOLVED', 'DISCARDED')")
    op.create_index("dead_letter_open", "dead_letter", ["division", "id"], postgresql_where=sa.text("state = 'OPEN'"))
    op.create_table(
        "dead_letter_action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dead_letter_id", sa.BigInteger(), nullable=False),
        *_texts("action", "outcome", "note", "acted_by"),
        _instant("acted_at"),
        sa.CheckConstraint("action IN ('RETRY', 'DISCARD')", name="dead_letter_action_kind"),
        sa.ForeignKeyConstraint(["dead_letter_id"], ["dead_letter.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letter_action_letter", "dead_letter_action", ["dead_letter_id"])
    op.execute(_STAYS)
    for table, event in (("dead_letter", "DELETE"), ("dead_letter_action", "UPDATE OR DELETE")):
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE {event} OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION dead_letter_stays()"
        )


def _outbox() -> None:
    """How far old events were deleted, and which descriptors were published on which topic."""
    op.create_table(
        "outbox_trim",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("until_seq", sa.BigInteger(), nullable=False),
        _instant("trimmed_at"),
        sa.CheckConstraint("id = 1", name="outbox_trim_one"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "exchange_schema",
        *_texts("topic", "type", "sha256"),
        sa.Column("descriptors", sa.LargeBinary(), nullable=False),
        _instant("registered_at"),
        sa.PrimaryKeyConstraint("topic", "type", "sha256"),
    )


def _webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        *_texts("division", "registered_by", "url"),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        *_texts("state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_texts("last_error"),
        _instant("registered_at"),
        _instant("failing_since", nullable=True),
        _instant("next_attempt_at", nullable=True),
        _instant("ended_at", nullable=True),
        sa.CheckConstraint("state IN ('ACTIVE', 'DISABLED', 'DELETED')", name="webhook_state"),
        sa.PrimaryKeyConstraint("webhook_id"),
    )
    op.create_index("webhook_division", "webhook", ["division", "webhook_id"])
