"""The clearing path: rows that can be updated in place, versions that caches ask for, marks of what is swept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Deferred to the end of the transaction, where it takes its row's lock as the last one, so that two writers cannot wait in a circle;
# and once per transaction and kind, however many rows were changed.
_BUMP = """
CREATE FUNCTION bump_reference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('yrd.bumped_' || TG_ARGV[0], true) IS DISTINCT FROM pg_current_xact_id()::text THEN
    UPDATE public.reference_version SET version = version + 1 WHERE kind = TG_ARGV[0];
    PERFORM set_config('yrd.bumped_' || TG_ARGV[0], pg_current_xact_id()::text, true);
  END IF;
  RETURN NULL;
END $$"""

_READ_BY_CLEARING = {
    "policy": "policy",
    "enterprise": "enterprise",
    "registry.negative_list": "enterprise",
    "registry.provider": "pool",
    "registry.suspension": "pool",
    "registry.recognition": "pool",
}

_UPDATED = ("wallet", "voucher", "quota", "service_order", "redemption")


def upgrade() -> None:
    """Apply."""
    _references()
    op.add_column("wallet", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "sweep_mark",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    _indexes()
    for table in _UPDATED:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 80)")


def _references() -> None:
    op.create_table(
        "reference_version",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.execute("INSERT INTO reference_version SELECT kind, 1 FROM unnest(ARRAY['enterprise', 'policy', 'pool']) AS k(kind)")
    op.execute(_BUMP)
    for table, kind in _READ_BY_CLEARING.items():
        op.execute(
            f"CREATE CONSTRAINT TRIGGER bump_reference AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_reference('{kind}')"
        )


def _indexes() -> None:
    """An update that changes no indexed column, also none in an index's predicate, writes into no index."""
    op.drop_index("voucher_due", "voucher")
    op.create_index("voucher_due", "voucher", ["expires_on"])
    op.drop_index("redemption_ttl", "redemption")
    op.create_index("redemption_ttl", "redemption", ["expires_on"])
    op.drop_index("redemption_window", "redemption")
    # Ids are in the order of time: the newest are read by the primary key.
    op.drop_index("redemption_newest", "redemption")
    op.create_index("redemption_enterprise", "redemption", ["enterprise"])
    op.drop_index("journal_window", "journal")
    op.create_index("journal_window", "journal", ["issuer", "window_no", "payee"], postgresql_where=sa.text("window_no > 0"))


def downgrade() -> None:
    """A ledger is not undone."""
    raise NotImplementedError("a ledger's revisions are not undone")
