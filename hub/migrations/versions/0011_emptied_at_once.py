"""A table that clearing keeps in memory may be emptied at once: TRUNCATE fires no trigger of rows."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_READ_BY_CLEARING = {
    "policy": "policy",
    "enterprise": "enterprise",
    "registry.negative_list": "enterprise",
    "registry.provider": "pool",
    "registry.suspension": "pool",
    "registry.recognition": "pool",
    "registry.class_recognition": "pool",
    "registry.agreement": "pool",
    "registry.quality_listing": "pool",
}


def upgrade() -> None:
    """Apply."""
    for table, kind in _READ_BY_CLEARING.items():
        # A statement's trigger cannot be deferred as those of rows are (revision 0002): who empties a table holds the version's row
        # until the transaction ends.
        op.execute(
            f"CREATE TRIGGER bump_reference_emptied AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION bump_reference('{kind}')"
        )


def downgrade() -> None:
    """A ledger is not undone."""
    raise NotImplementedError("a ledger's revisions are not undone")
