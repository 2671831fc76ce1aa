from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hub.divisions import DEFAULT_FILES
from hub.domain.model import State
from hub.web import formats
from hub.web.console import OverviewSource
from hub.web.divisions import DivisionNames
from hub.web.labels import masked, state_label, without_codes
from hub.web.overview import Flow, Matrix, Obligations, Outbox, Overview


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (480_000, "4,800.00"),
        (2**53 - 1, "90,071,992,547,409.91"),
        (-50, "-0.50"),
        (-123_456_789, "-1,234,567.89"),
    ],
)
def test_yuan_are_exact_and_grouped(fen: int, text: str) -> None:
    assert formats.yuan(fen) == text


def test_facts_are_shown_in_their_unit() -> None:
    assert formats.fact("expenditure_left_fen", 2_800_000) == "expenditure left 28,000.00"
    assert formats.fact("ratio_bp", 6_000) == "ratio 60.00%"
    assert formats.fact("ttl_days", 90) == "ttl days 90"


def test_spans_are_said_in_the_largest_whole_unit() -> None:
    assert [formats.age(seconds) for seconds in (0, 59, 60, 7_199, 7_200, 172_800)] == ["0 s", "59 s", "1 min", "1 h", "2 h", "2 d"]


def test_any_flow_is_tinted_and_the_largest_most() -> None:
    assert [formats.heat(fen, 1_000) for fen in (0, 1, 200, 201, 1_000)] == [0, 1, 1, 2, 5]
    assert formats.heat(0, 0) == 0


def test_credit_codes_are_masked_wherever_they_stand() -> None:
    assert masked("91310118MA1JTERT16") == "9131****T16"
    assert without_codes("企业91310118MA1JTERT16在清单内") == "企业9131****T16在清单内"
    assert without_codes("redemption 019cac0f-2680-72d6") == "redemption 019cac0f-2680-72d6"


def test_every_state_has_a_name_in_both_languages() -> None:
    assert all(state_label(state).zh and state_label(state).en for state in State)


def test_the_division_file_names_the_four_provinces_and_is_well_formed() -> None:
    names = DivisionNames.load()
    assert DEFAULT_FILES[0].is_file()
    today = date(2026, 3, 2)
    assert names.regions(today) == {"310000", "320000", "330000", "340000"}
    assert (names.name("330522", today).zh, names.name("330522", today).en) == ("长兴县", "Changxing")


def test_a_name_holds_from_its_date_on_and_a_missing_file_means_codes(tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text("code,zh,en,valid_from\n320000,新,New,2026-01-01\n320000,旧,Old,2000-01-01\n", encoding="utf-8")
    names = DivisionNames.load(file)
    assert [names.name("320000", date(year, 1, 1)).en for year in (1999, 2000, 2026)] == ["320000", "Old", "New"]
    assert names.regions(date(1999, 1, 1)) == set()
    assert DivisionNames().name("320000", date(2026, 1, 1)).zh == "320000"


def _overview() -> Overview:
    nothing = Flow(issuer="", acquirer="")
    return Overview(
        as_of=datetime(2026, 3, 2, tzinfo=UTC),
        matrix=Matrix(regions=(), cells=(), totals=(nothing,), cross_region=nothing),
        issuers=(),
        windows=(),
        obligations=Obligations(unpaid_count=0, unpaid_fen=0),
        outbox=Outbox(unpublished=0, oldest_age_seconds=0),
        redemptions=(),
    )


async def test_many_who_ask_at_once_cost_one_reading() -> None:
    readings = 0

    async def read() -> Overview:
        nonlocal readings
        readings += 1
        await asyncio.sleep(0)
        return _overview()

    source = OverviewSource(read, seconds_min=3_600.0)
    snapshots = await asyncio.gather(*(source.get() for _ in range(50)))
    assert readings == 1
    assert len({id(snapshot) for snapshot in snapshots}) == 1


async def test_a_reading_that_failed_is_tried_again() -> None:
    answers: list[ConnectionError | Overview] = [ConnectionError("gone"), _overview()]

    async def read() -> Overview:
        answer = answers.pop(0)
        if isinstance(answer, ConnectionError):
            raise answer
        return answer

    source = OverviewSource(read, seconds_min=3_600.0)
    with pytest.raises(ConnectionError):
        await source.get()
    assert (await source.get()).overview.matrix.regions == ()
