"""Recognition of classes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PROVIDER = "registry.provider.uscc"
_READ_BY_CLEARING = ("class_recognition", "agreement", "quality_listing")


def upgrade() -> None:
    """Apply."""
    _widen_recognition()
    op.create_table(
        "class_recognition",
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("min_rating", sa.SmallInteger(), nullable=False),
        sa.Column("quality_listed", sa.Boolean(), nullable=False),
        sa.Column("require_agreement", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        *_attribution(),
        sa.PrimaryKeyConstraint("class_id"),
        schema="registry",
    )
    op.create_index("class_recognition_issuer", "class_recognition", ["issuer"], schema="registry")
    op.create_table(
        "agreement",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("platform_division", sa.Text(), nullable=False),
        sa.Column("platform_name", sa.Text(), nullable=False),
        sa.Column("document_sha256", sa.Text(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        *_attribution(),
        sa.ForeignKeyConstraint(["provider"], [_PROVIDER]),
        sa.PrimaryKeyConstraint("issuer", "number"),
        schema="registry",
    )
    op.create_index("agreement_pair", "agreement", ["issuer", "provider"], schema="registry")
    op.create_index("agreement_provider", "agreement", ["provider"], schema="registry")
    op.create_table(
        "quality_listing",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("listed_from", sa.Date(), nullable=False),
        sa.Column("listed_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["provider"], [_PROVIDER]),
        sa.PrimaryKeyConstraint("provider", "listed_from"),
        schema="registry",
    )
    # What clearing keeps of the pool is stale from the commit on that changes any of these (revision 0002).
    for table in _READ_BY_CLEARING:
        op.execute(
            f"CREATE CONSTRAINT TRIGGER bump_reference AFTER INSERT OR UPDATE OR DELETE ON registry.{table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_reference('pool')"
        )


def _widen_recognition() -> None:
    """What was entered before keeps no instant: it is not known."""
    for column in (
        sa.Column("require_agreement", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stated_until", sa.Date(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("recognition", column, schema="registry")
    op.create_index("recognition_provider", "recognition", ["provider"], schema="registry")


def _attribution() -> list[sa.Column[object]]:
    return [
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stated_until", sa.Date(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=False),
    ]
