"""Admission"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_HISTORY_STAYS = """
CREATE FUNCTION registry.admission_history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what happened to providers and applications is never changed or deleted';
END $$"""

# What is known of the time before there was a history: the admission, each suspension and its end. A description that was written over
# is lost; each row shows the last one. Instants are the beginnings of the days, but for the admission.
_WHAT_WAS = """
INSERT INTO registry.provider_version (provider, cause, effective_on, recorded_at, participant_id, division, reason,
  name, home, categories, admitted_on, rating, suspended_on)
SELECT p.uscc, e.cause, e.day, e.at, '', e.division, e.reason, p.name, p.home, p.categories, p.admitted_on, p.rating, e.suspended_on
FROM registry.provider AS p JOIN (
  SELECT uscc AS provider, 'Admit' AS cause, least(admitted_on, (admitted_at AT TIME ZONE 'Asia/Shanghai')::date) AS day,
    admitted_at AS at, admitted_by AS division, '' AS reason, NULL::date AS suspended_on, 0::bigint AS id, 0 AS step
  FROM registry.provider
  UNION ALL SELECT provider, 'Suspend', since, since::timestamp AT TIME ZONE 'Asia/Shanghai', entered_by, reason, since, id, 1
  FROM registry.suspension
  UNION ALL SELECT provider, 'Reinstate', until, until::timestamp AT TIME ZONE 'Asia/Shanghai', ended_by, ended_reason, NULL, id, 2
  FROM registry.suspension WHERE until IS NOT NULL
) AS e ON e.provider = p.uscc
ORDER BY p.uscc, e.id, e.step"""


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _days(*names: str, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Date(), nullable=nullable) for name in names]


def upgrade() -> None:
    """Apply."""
    _standing()
    _versions()
    _applications()
    op.execute(_HISTORY_STAYS)
    for table in ("provider_version", "admission_event"):
        op.execute(
            f"CREATE TRIGGER admission_history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION registry.admission_history_stays()"
        )


def _standing() -> None:
    for column in _days("valid_until", "removed_on"):
        op.add_column("provider", column, schema="registry")
    op.add_column("suspension", sa.Column("kind", sa.Text(), nullable=False, server_default="SUSPENSION"), schema="registry")
    op.create_check_constraint("suspension_kind", "suspension", "kind IN ('SUSPENSION', 'LAPSE', 'REMOVAL')", schema="registry")
    op.drop_index("suspension_open", "suspension", schema="registry")
    where = sa.text("until IS NULL")
    op.create_index("suspension_open", "suspension", ["provider", "kind"], unique=True, schema="registry", postgresql_where=where)


def _versions() -> None:
    op.create_table(
        "provider_version",
        _number("version_id"),
        *_texts("provider", "cause"),
        *_days("effective_on", nullable=False),
        _instant("recorded_at"),
        *_texts("participant_id", "division", "reason"),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        *_texts("name", "home"),
        sa.Column("categories", sa.ARRAY(sa.Text()), nullable=False),
        *_days("admitted_on", nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        *_days("valid_until", "suspended_on", "removed_on"),
        sa.CheckConstraint("cause IN ('Admit', 'Renew', 'Suspend', 'Reinstate', 'Remove', 'Rate')", name="provider_version_cause"),
        sa.ForeignKeyConstraint(["provider"], ["registry.provider.uscc"]),
        sa.PrimaryKeyConstraint("version_id"),
        schema="registry",
    )
    op.create_index("provider_version_provider", "provider_version", ["provider", "version_id"], schema="registry")
    op.create_index("provider_version_recorded", "provider_version", ["recorded_at"], schema="registry")
    op.execute(_WHAT_WAS)


def _applications() -> None:
    op.create_table(
        "admission_criteria",
        _number("criteria_id"),
        *_texts("division", "version"),
        *_days("effective_from", nullable=False),
        *_days("effective_until"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _instant("published_at"),
        *_texts("published_by"),
        sa.PrimaryKeyConstraint("criteria_id"),
        sa.UniqueConstraint("division", "version", name="admission_criteria_version"),
        schema="registry",
    )
    op.create_table(
        "admission_application",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        *_texts("provider", "home", "kind", "state"),
        sa.Column("criteria_id", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _instant("filed_at"),
        *_texts("filed_by"),
        *_days("notice_from", "notice_until"),
        sa.Column("evaluation", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("(state IN ('PUBLIC_NOTICE', 'ADMITTED')) <= (notice_until IS NOT NULL)", name="admission_application_notice"),
        sa.ForeignKeyConstraint(["criteria_id"], ["registry.admission_criteria.criteria_id"]),
        sa.PrimaryKeyConstraint("application_id"),
        schema="registry",
    )
    where = sa.text("state IN ('SUBMITTED', 'UNDER_REVIEW', 'PUBLIC_NOTICE')")
    op.create_index(
        "admission_application_open", "admission_application", ["provider"], unique=True, schema="registry", postgresql_where=where
    )
    op.create_index("admission_application_home", "admission_application", ["home", "filed_at"], schema="registry")
    op.create_table(
        "admission_event",
        _number("event_id"),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        *_texts("cause", "state"),
        _instant("at"),
        *_texts("participant_id", "division", "reason"),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["registry.admission_application.application_id"]),
        sa.PrimaryKeyConstraint("event_id"),
        schema="registry",
    )
    op.create_index("admission_event_application", "admission_event", ["application_id", "event_id"], schema="registry")
    op.create_table(
        "admission_objection",
        sa.Column("objection_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        *_texts("reason"),
        sa.Column("evidence", sa.ARRAY(sa.Text()), nullable=False),
        _instant("raised_at"),
        *_texts("raised_by", "raised_division", "outcome", "resolution"),
        _instant("resolved_at", nullable=True),
        *_texts("resolved_by"),
        sa.CheckConstraint("(outcome = '') = (resolved_at IS NULL)", name="admission_objection_handled"),
        sa.ForeignKeyConstraint(["application_id"], ["registry.admission_application.application_id"]),
        sa.PrimaryKeyConstraint("objection_id"),
        schema="registry",
    )
    op.create_index("admission_objection_application", "admission_objection", ["application_id"], schema="registry")
