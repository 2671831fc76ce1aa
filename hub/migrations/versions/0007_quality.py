"""Quality"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PROVIDER = "registry.provider.uscc"

_STAYS = """
CREATE FUNCTION registry.quality_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'ratings given are never changed or deleted: the next one is a further row';
END $$"""


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def upgrade() -> None:
    """Apply."""
    _reviews()
    _scores()
    op.execute(_STAYS)
    op.execute(
        "CREATE TRIGGER quality_score_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.quality_score "
        "FOR EACH STATEMENT EXECUTE FUNCTION registry.quality_stays()"
    )


def _reviews() -> None:
    op.create_table(
        "review",
        *_texts("provider", "order_no", "enterprise"),
        sa.Column("stars", sa.SmallInteger(), nullable=False),
        sa.Column("disputed", sa.Boolean(), nullable=False),
        *_texts("comment", "filed_by"),
        _instant("filed_at"),
        *_texts("annulled_by"),
        _instant("annulled_at", nullable=True),
        *_texts("annulled_reason"),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name="review_stars"),
        sa.CheckConstraint("(annulled_at IS NULL) = (annulled_by = '')", name="review_annulled"),
        sa.ForeignKeyConstraint(["provider"], [_PROVIDER]),
        sa.PrimaryKeyConstraint("provider", "order_no"),
        schema="registry",
    )
    op.create_index("review_newest", "review", ["provider", "filed_at", "order_no"], schema="registry")


def _scores() -> None:
    op.create_table(
        "quality_score",
        _id(),
        *_texts("provider"),
        sa.Column("computed_on", sa.Date(), nullable=False),
        *_texts("formula_version"),
        sa.Column("inputs_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        *_numbers("orders", "enterprises"),
        sa.Column("cleared", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        *_numbers("delivery_days_median"),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("rating = 0 OR rating BETWEEN 100 AND 500", name="quality_score_rating"),
        sa.ForeignKeyConstraint(["provider"], [_PROVIDER]),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index("quality_score_latest", "quality_score", ["provider", "computed_on", "id"], schema="registry")
    op.create_table(
        "quality_run",
        _id(),
        sa.Column("ran_on", sa.Date(), nullable=False),
        _instant("ran_at"),
        *_texts("formula_version"),
        *_numbers("providers", "changed", "listed", "delisted"),
        sa.PrimaryKeyConstraint("id"),
        schema="registry",
    )
    op.create_index(op.f("ix_registry_quality_run_ran_on"), "quality_run", ["ran_on"], schema="registry")
