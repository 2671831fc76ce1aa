from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from google.rpc import error_details_pb2, status_pb2

from hub.codec.outcome import refused
from hub.domain.refusals import Refusal, RefusalCode
from registry.credit import rules as all_rules
from registry.credit.bucket import UNIT, Level, Limits, full, take
from registry.credit.domain import (
    NOT_BARRED,
    TOLD,
    Answer,
    Content,
    CreditList,
    Effect,
    Purpose,
    Reason,
    Record,
    Subject,
    SubjectKind,
    sanctions_of,
    told,
)
from registry.credit.key import PersonKey
from registry.domain import Period

TODAY = date(2026, 3, 2)
FILE = Path(__file__).parents[2] / "data" / "joint_sanctions.yaml"
RULES = all_rules.current()
FIRM = Subject(SubjectKind.ENTERPRISE, "91330522MA2B12343A")
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)


def record(subject: Subject = FIRM, entered_by: str = "330522", **said: object) -> Record:
    content = Content(CreditList.RECORD, Reason.OTHER, "文字", "某局", "", ("0" * 64,), Period(TODAY, None))
    return Record("r", subject, entered_by, TODAY, 1, replace(content, **said))  # type: ignore[arg-type]  # fields by name


def test_the_negative_list_bars_while_the_entry_is_in_force() -> None:
    (made,) = sanctions_of(record(list=CreditList.NEGATIVE, period=Period(TODAY, date(2026, 9, 1))), RULES)
    assert made == (Effect.BAR_VOUCHERS, Period(TODAY, date(2026, 9, 1)), "list")


def test_a_record_bars_for_the_years_of_its_rule() -> None:
    (made,) = sanctions_of(record(reason=Reason.VOUCHER_FRAUD), RULES)
    assert made == (Effect.BAR_VOUCHERS, Period(TODAY, date(2029, 3, 2)), "fraud-bars-vouchers")
    assert sanctions_of(record(reason=Reason.OBSTRUCTION), RULES) == ()


def test_each_kind_of_subject_has_its_own_sanctions() -> None:
    lab, person = Subject(SubjectKind.PROVIDER, "12310104425001236Q"), Subject(SubjectKind.PERSON, "a" * 64)
    assert {item.effect for item in sanctions_of(record(lab, reason=Reason.FALSE_REPORTS), RULES)} == {
        Effect.SUSPEND_PROVIDER,
        Effect.BAR_QUALITY_LIST,
    }
    assert [item.effect for item in sanctions_of(record(person, reason=Reason.RESEARCH_MISCONDUCT), RULES)] == [Effect.BAR_EXPERT]


def test_a_rule_may_apply_to_the_records_of_some_divisions_only() -> None:
    content = FILE.read_text(encoding="utf-8").replace(
        "reasons: [VOUCHER_TRADING", 'entered_by: ["330000"]\n    reasons: [VOUCHER_TRADING', 1
    )
    narrowed = all_rules.parse(content)
    assert sanctions_of(record(reason=Reason.VOUCHER_TRADING), narrowed)
    assert not sanctions_of(record(reason=Reason.VOUCHER_TRADING, entered_by="310000"), narrowed)


def test_nothing_begins_before_it_was_entered_or_outlasts_its_end() -> None:
    old = record(list=CreditList.NEGATIVE, period=Period(TODAY - timedelta(days=400), None))
    assert [item.period for item in sanctions_of(old, RULES)] == [Period(TODAY, None)]
    ended = replace(old, ended_on=TODAY + timedelta(days=5))
    assert [item.period for item in sanctions_of(ended, RULES)] == [Period(TODAY, TODAY + timedelta(days=5))]
    assert sanctions_of(replace(old, ended_on=TODAY), RULES) == ()
    assert sanctions_of(record(reason=Reason.VOUCHER_TRADING, period=Period(TODAY - timedelta(days=400), None)), RULES) == ()


def test_a_purpose_is_told_only_what_matters_to_it() -> None:
    found = [(Effect.BAR_QUALITY_LIST, Reason.OBSTRUCTION, Period(TODAY, None))]
    assert told(found, Purpose.QUALITY_SELECTION, TODAY) == Answer(Reason.OBSTRUCTION, TODAY, None)
    assert told(found, Purpose.VOUCHER_ISSUE, TODAY) == NOT_BARRED
    assert told(found, Purpose.QUALITY_SELECTION, TODAY - timedelta(days=1)) == NOT_BARRED
    assert set(TOLD) == set(Purpose)


def test_of_several_sanctions_the_one_that_ends_last_is_told() -> None:
    ends = [date(2026, 9, 1), None, date(2030, 1, 1)]
    found = [(Effect.BAR_VOUCHERS, Reason.OTHER, Period(TODAY, until)) for until in ends]
    assert told(found, Purpose.VOUCHER_ISSUE, TODAY).until is None
    assert told([found[0], found[2]], Purpose.VOUCHER_ISSUE, TODAY).until == date(2030, 1, 1)


def test_kinds_make_different_hashes() -> None:
    assert FIRM.sha256 != Subject(SubjectKind.PROVIDER, FIRM.id).sha256
    assert FIRM.id not in FIRM.sha256 and len(FIRM.sha256) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("effects: [BAR_EXPERT]", "effects: [EXILE]"),
        ("years: 5", "years: 0"),
        ("years: 5\n    source: assumed", "years: 5"),
        ("id: misconduct-bars-experts", "id: fraud-bars-vouchers"),
        ("id: misconduct-bars-experts", "id: list"),
        ("subjects: [PERSON]", "subjects: [GHOST]"),
        ("subjects: [PERSON]", "subjects: [PERSON]\n    entered_by: [33]"),
        ("negative_list:", "other:"),
    ],
)
def test_words_that_are_none_of_the_contracts_make_no_rules(old: str, new: str) -> None:
    content = FILE.read_text(encoding="utf-8")
    assert old in content
    with pytest.raises(all_rules.RulesError):
        all_rules.parse(content.replace(old, new))


LIMITS = Limits(burst=3, per_hour=60)


def test_a_bucket_gives_its_burst_and_then_says_when_to_come_back() -> None:
    level = full(LIMITS, NOW)
    for _ in range(3):
        level, retry = take(level, 1, LIMITS, NOW)
        assert retry == 0
    assert take(level, 1, LIMITS, NOW) == (level, 60)
    assert take(level, 2, LIMITS, NOW).retry_seconds == 120
    later = NOW + timedelta(seconds=59)
    assert take(level, 1, LIMITS, later).retry_seconds == 1
    assert take(level, 1, LIMITS, NOW + timedelta(seconds=60)) == (Level(0, NOW + timedelta(seconds=60)), 0)


def test_a_bucket_never_holds_more_than_its_burst_and_clocks_that_differ_give_nothing_away() -> None:
    long_after = NOW + timedelta(days=400)
    assert take(Level(0, NOW), 3, LIMITS, long_after).level.parts == 0
    behind = take(full(LIMITS, NOW), 1, LIMITS, NOW - timedelta(hours=1)).level
    assert behind == Level(2 * UNIT, NOW)


def test_who_asks_too_much_is_told_in_seconds_when_to_come_back() -> None:
    outcome = refused(Refusal(RefusalCode.RATE_LIMITED, metadata=(("retry_after_seconds", "17"),)))
    status = status_pb2.Status.FromString(outcome.body)
    retry = error_details_pb2.RetryInfo()
    assert [detail.Unpack(retry) for detail in status.details].count(True) == 1
    assert (outcome.status, retry.retry_delay.seconds) == (8, 17)


def test_a_development_key_is_made_once_and_a_production_one_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "credit.key"
    with pytest.raises(OSError, match=r"credit\.key"):
        PersonKey(path, make=False)()
    made = PersonKey(path, make=True)()
    assert len(made) == 64 and path.stat().st_mode & 0o777 == 0o600
    assert PersonKey(path, make=True)() == PersonKey(path, make=False)() == made
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="fewer"):
        PersonKey(path, make=False)()
