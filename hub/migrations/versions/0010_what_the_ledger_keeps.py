"""What the ledger keeps: answers may go while requests stay."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.alter_column("idempotency", "body", nullable=True)


def downgrade() -> None:
    """A ledger is not undone."""
    raise NotImplementedError("a ledger's revisions are not undone")
