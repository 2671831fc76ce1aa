"""What the ledger keeps: answers may go while requests stay; sums of accounts instead of an index over the whole journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.alter_column("idempotency", "body", nullable=True)
    _sums()
    # Nobody reads transfers by account any more, nor by redemption: what a redemption holds stands in its own row.
    op.drop_index("journal_issuer", "journal")
    op.drop_index("journal_redemption", "journal")


def _sums() -> None:
    op.create_table(
        "account_sum",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "account"),
    )
    op.create_table(
        "account_sum_until",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("until_seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="account_sum_until_one"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO account_sum_until (id, until_seq) VALUES (1, 0)")


def downgrade() -> None:
    """A ledger is not undone."""
    raise NotImplementedError("a ledger's revisions are not undone")
