"""What an issuer ever issued, in one row: an issue is refused with which no sum of the issuer's could be carried any more (rules.md V1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "issued_total",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("face", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer"),
    )
    # No bound was there before: more than the column holds counts as that much, and nothing more is issued.
    op.execute(
        "INSERT INTO issued_total (issuer, face) SELECT issuer, least(sum(issued), 9223372036854775807)::bigint FROM quota "
        "GROUP BY issuer HAVING sum(issued) > 0"
    )


def downgrade() -> None:
    """A ledger is not undone."""
    raise NotImplementedError("a ledger's revisions are not undone")
