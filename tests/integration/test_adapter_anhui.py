"""Anhui's workbooks where officers work on them: taken when whole and at rest, edition by edition."""

from __future__ import annotations

import os
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from openpyxl import load_workbook

from adapters.anhui import ADAPTER
from adapters.anhui.sharing import CHECKED, SHARED
from adapters.anhui.source import BookSource, connect
from adapters.runtime.dryrun import DryLanding
from adapters.runtime.intake import Intake
from adapters.runtime.results import ObligationRow, RedemptionRow, Results
from adapters.runtime.source import Noticing, SourceDown, SourceFault
from tests.fixtures.dropping import Desk, tree

HEFEI, WUHU = "340100-hefei-2026.xlsx", "340200-wuhu-2026.xlsx"
SAMPLE = (ADAPTER.samples / HEFEI).read_bytes()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def given(tmp_path: Path, **more: object) -> dict[str, object]:
    section = {"inbox": str(tmp_path / "inbox"), "archive": str(tmp_path / "archive"), "results": str(tmp_path / "results"), **more}
    return {key: value for key, value in section.items() if value is not None}


def source(here: Desk, tmp_path: Path, **more: object) -> BookSource:
    return connect(here.settings(given(tmp_path, **more)))


def pull(books: BookSource, here: Desk) -> int:
    """Pull until there is nothing more, in two looks as far apart as a workbook needs to be at rest."""
    times = 0
    for _ in range(2):
        while books.pull(here.landing):
            times += 1
        here.later(11)
    return times


def take_in(here: Desk, books: BookSource) -> None:
    intake = Intake(ADAPTER, here.state, here.landing, here.clock)
    while intake.step():
        pass
    for landed in here.state.deliveries.untold(100):
        books.taken(here.landing.delivery(landed))
        here.state.deliveries.told(landed.number)


def test_a_workbook_is_taken_when_it_is_at_rest_and_archived_when_its_rows_are_remembered(here: Desk, inbox: Path, tmp_path: Path) -> None:
    shutil.copyfile(ADAPTER.samples / HEFEI, inbox / HEFEI)
    books = source(here, tmp_path)
    assert not books.pull(here.landing), "one look proves nothing"
    here.later(5)
    assert not books.pull(here.landing)
    again = source(here, tmp_path)
    here.later(6)
    assert again.pull(here.landing), "a restart does not begin the waiting anew"
    assert here.landed()[0].path.read_bytes() == SAMPLE and (inbox / HEFEI).exists()
    take_in(here, again)
    assert tree(inbox) == {}
    (kept,) = tree(tmp_path / "archive")
    assert kept.startswith("2026/02/20260211-") and kept.endswith(HEFEI)
    again.taken(here.landed()[0])
    assert here.state.deliveries.all()[0].sent > 200


def test_a_book_that_is_open_or_half_saved_is_left_alone_and_told_after_a_while(here: Desk, inbox: Path, tmp_path: Path) -> None:
    (inbox / HEFEI).write_bytes(SAMPLE)
    (inbox / f"~${HEFEI}").write_bytes(b"officer")
    (inbox / WUHU).write_bytes(SAMPLE[: len(SAMPLE) // 2])
    (inbox / "340100-large.xlsx").write_bytes(SAMPLE)
    with zipfile.ZipFile(inbox / "340100-large.xlsx", "a", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/media/image1.png", bytes(200_000_000))
    (inbox / "2026年台账.xlsx").write_bytes(SAMPLE)
    books = source(here, tmp_path)
    assert isinstance(books, Noticing)
    assert pull(books, here) == 0 and list(books.notices()) == []
    here.later(4000)
    assert pull(books, here) == 0 and here.landed() == []
    assert {notice.name: notice.code for notice in books.notices()} == {
        HEFEI: "OPEN",
        WUHU: "NOT_WHOLE",
        "340100-large.xlsx": "TOO_LARGE",
        "2026年台账.xlsx": "UNKNOWN_NAME",
    }
    (inbox / f"~${HEFEI}").unlink()
    (inbox / WUHU).write_bytes((ADAPTER.samples / WUHU).read_bytes())
    assert pull(books, here) == 2


def test_a_book_that_is_still_growing_is_not_taken(here: Desk, inbox: Path, tmp_path: Path) -> None:
    books = source(here, tmp_path)
    for size in (1000, 50_000, len(SAMPLE)):
        (inbox / HEFEI).write_bytes(SAMPLE[:size])
        here.later(60)
        assert not books.pull(here.landing)
    here.later(11)
    assert books.pull(here.landing)


def test_a_new_edition_corrects_withdraws_and_tells_what_vanished(here: Desk, inbox: Path, tmp_path: Path) -> None:
    edited = load_workbook(ADAPTER.samples / HEFEI)
    firms, notes = edited["企业"], edited["发券"]
    firms.delete_rows(next(int(line[0].row or 0) for line in firms.iter_rows(min_row=3) if line[8].value == 999))  # an id used twice
    edited.save(inbox / HEFEI)
    edited.save(tmp_path / "first.xlsx")
    books = source(here, tmp_path)
    assert pull(books, here) == 1
    take_in(here, books)
    first = here.state.deliveries.all()[0]
    waiting = set(here.state.db.all("SELECT kind, native_id FROM parked"))
    held = {(each.kind, each.native_id) for each in here.state.quarantine.rows()}
    assert firms["I3"].value != 77
    firms["I3"].value = 77
    notes.cell(row=3, column=notes.max_column).value = "作废"
    gone = str(firms["A4"].value)
    firms.delete_rows(4)
    edited.save(inbox / HEFEI)
    assert pull(books, here) == 1
    take_in(here, books)
    second = here.state.deliveries.all()[1]
    assert second.rows == first.rows - 1
    after = set(here.state.db.all("SELECT kind, native_id FROM parked"))
    assert after - waiting == {("enterprise", firms["A3"].value), ("voucher", notes["A3"].value)}, "only what changed is to be sent"
    new = [each for each in here.state.quarantine.rows() if (each.kind, each.native_id) not in held]
    told = [each for each in new if each.reason == "ROW_VANISHED"]
    assert [(each.kind, each.native_id, each.line) for each in told] == [("enterprise", gone, "企业!4")]
    known = here.state.db.one("SELECT deleted FROM sent WHERE kind = 'enterprise' AND native_id = ?", (gone,))
    assert known == (0,), "a row that vanished is not withdrawn"
    shutil.copyfile(tmp_path / "first.xlsx", inbox / HEFEI)
    assert pull(books, here) == 1
    take_in(here, books)
    assert "ROW_VANISHED" not in {each.reason for each in here.state.quarantine.rows()}, "it came back"


def test_an_edition_that_cannot_be_read_makes_nothing_vanish(here: Desk, inbox: Path, tmp_path: Path) -> None:
    shutil.copyfile(ADAPTER.samples / HEFEI, inbox / HEFEI)
    books = source(here, tmp_path)
    assert pull(books, here) == 1
    take_in(here, books)
    edited = load_workbook(ADAPTER.samples / HEFEI)
    edited["企业"].sheet_state = "hidden"
    edited.active = 1
    edited.save(inbox / HEFEI)
    assert pull(books, here) == 1
    take_in(here, books)
    reasons = {each.reason for each in here.state.quarantine.rows()}
    assert "HIDDEN_SHEET" in reasons and "ROW_VANISHED" not in reasons


def test_the_same_bytes_again_have_no_effect(here: Desk, inbox: Path, tmp_path: Path) -> None:
    books = source(here, tmp_path)
    for _ in range(3):
        shutil.copyfile(ADAPTER.samples / HEFEI, inbox / HEFEI)
        pull(books, here)
        take_in(here, books)
        assert len(here.landed()) == 1 and tree(inbox) == {}


def test_a_look_sees_what_lies_there_and_leaves_it_as_it_is(here: Desk, inbox: Path, tmp_path: Path) -> None:
    (inbox / HEFEI).write_bytes(SAMPLE)
    books = source(here, tmp_path)
    assert pull(books, here) == 1
    take_in(here, books)
    (inbox / HEFEI).write_bytes(SAMPLE)
    shutil.copy(ADAPTER.samples / WUHU, inbox / WUHU)
    (inbox / "workbook.xlsx").write_bytes(SAMPLE)
    before = tree(tmp_path)
    looking = connect(here.settings(given(tmp_path), look_only=True))
    with TemporaryDirectory() as scratch:
        landing = DryLanding(Path(scratch), here.state)
        while looking.pull(landing):
            pass
        # One that a run would let come to rest first is told of at once: a look copies it and takes nothing away.
        assert [delivery.name for delivery, _ in landing.landed] == [WUHU]
    assert [(notice.name, notice.code) for notice in looking.notices()] == [("workbook.xlsx", "UNKNOWN_NAME")]
    assert {name: body for name, body in tree(tmp_path).items() if not name.startswith("work/state.db")} == {
        name: body for name, body in before.items() if not name.startswith("work/state.db")
    }


def test_an_edition_saved_before_the_telling_stays(here: Desk, inbox: Path, tmp_path: Path) -> None:
    shutil.copyfile(ADAPTER.samples / HEFEI, inbox / HEFEI)
    books = source(here, tmp_path)
    assert pull(books, here) == 1
    shutil.copyfile(ADAPTER.samples / WUHU, inbox / HEFEI)
    take_in(here, books)
    assert (inbox / HEFEI).exists()
    assert pull(books, here) == 1
    take_in(here, books)
    assert tree(inbox) == {} and [*tree(tmp_path / "archive").values()] == [(ADAPTER.samples / WUHU).read_bytes()]


def test_each_city_may_have_its_own_folder(here: Desk, tmp_path: Path) -> None:
    cities = {"340100": tmp_path / "hf", "340200": tmp_path / "wh"}
    for folder, name in zip(cities.values(), (HEFEI, WUHU), strict=True):
        folder.mkdir()
        shutil.copyfile(ADAPTER.samples / name, folder / "台账.xlsx")
    books = source(here, tmp_path, inbox=None, cities={code: str(folder) for code, folder in cities.items()})
    assert pull(books, here) == 2
    assert [each.name for each in here.landed()] == ["340100/台账.xlsx", "340200/台账.xlsx"]
    take_in(here, books)
    assert sorted(name.rpartition("-")[2] for name in tree(tmp_path / "archive")) == ["台账.xlsx", "台账.xlsx"]
    assert [name for folder in cities.values() for name in tree(folder)] == []
    here.later(1)
    again = source(here, tmp_path, inbox=None, cities={code: str(folder) for code, folder in cities.items()})
    assert again.backfill(here.landing, "2026-02-01", "2026-02-28") is True


def test_history_is_read_by_day_in_order_and_once(here: Desk, inbox: Path, tmp_path: Path) -> None:
    for at, (day, name) in enumerate((("20250301", HEFEI), ("20250215", HEFEI), ("20250215", WUHU), ("20240101", HEFEI))):
        folder = tmp_path / "archive" / day[:4] / day[4:6]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{day}-0123456789ab-{name}").write_bytes(SAMPLE + bytes([at]))
    old = tmp_path / "old"
    old.mkdir()
    (old / HEFEI).write_bytes(SAMPLE)
    written = datetime(2025, 2, 20, tzinfo=UTC).timestamp()
    os.utime(old / HEFEI, (written, written))
    books = source(here, tmp_path, history=str(old))
    assert books.backfill(here.landing, "2025-02-01", "2025-12-31")
    books = source(here, tmp_path, history=str(old))
    while books.backfill(here.landing, "2025-02-01", "2025-12-31"):
        pass
    assert [each.name for each in here.landed()] == [HEFEI, WUHU, HEFEI, HEFEI]
    assert [each.path.read_bytes()[len(SAMPLE) :] for each in here.landed()] == [b"\x01", b"\x02", b"", b"\x00"]


def test_results_are_placed_whole_and_once(here: Desk, inbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    out.mkdir()
    files = ADAPTER.write(Results(), out)
    books = source(here, tmp_path)
    books.push(files)
    placed = tmp_path / "results" / "result-340000.xlsx"
    before = placed.stat().st_ino
    books.push(files)
    assert placed.read_bytes() == files[0].read_bytes() and placed.stat().st_ino == before
    assert list(tree(tmp_path / "results")) == ["result-340000.xlsx"]


def test_province_and_city_see_what_each_bears(tmp_path: Path) -> None:
    def row(number: int, issuer: str, version: str, subsidy: int, refunded: int, state: str = "CLEARED") -> RedemptionRow:
        amounts = (subsidy + refunded, subsidy, refunded)
        return RedemptionRow(
            f"r{number}", f"HT{number}", issuer, "310000", "firm", "lab", state, version, *amounts, "PROVIDER", "", "", "", "w1", ""
        )

    results = Results(
        redemptions=(
            row(1, "340100", "hf-2026", 100_001, 0),
            row(2, "340200", "wh-2026", 200_000, 50_003),
            row(3, "340200", "wh-2026", 5, 0, "AUTHORIZED"),
            row(4, "310000", "sh-2026", 7, 0),
            row(5, "340200", "of-old", 11, 0),
        ),
        obligations=(
            ObligationRow("w1", "340000", "lab", 40_000 + 80_000, "DUE"),
            ObligationRow("w1", "340100", "lab", 60_001, "DUE"),
            ObligationRow("w1", "340200", "lab", 120_001, "DUE"),
        ),
    )
    ADAPTER.write(results, tmp_path)
    hefei, wuhu, province = (load_workbook(tmp_path / f"result-{code}.xlsx") for code in ("340100", "340200", "340000"))
    lines = [list(line) for line in hefei[SHARED].iter_rows(min_row=3, values_only=True)]
    assert lines[0] == ["r1", "HT1", "合肥市", "w1", "已核定", "40.00%", 1000.01, 400, 600.01, 0, 0, 0, 400, 600.01, None]
    cells = [list(line) for line in wuhu[SHARED].iter_rows(min_row=3, values_only=True)]
    assert cells[0][6:14] == [2500.03, 1000.01, 1500.02, 500.03, 200.01, 300.02, 800, 1200]
    assert cells[1][0] == "r5" and "须人工核对" in str(cells[1][-1])
    totals = [list(line) for line in province[SHARED].iter_rows(min_row=3, values_only=True)][-1]
    assert totals[2] == "合计" and totals[12:14] == [1200, 1800.01]
    checks = {line[1]: line[2:5] for line in province[CHECKED].iter_rows(min_row=3, values_only=True)}
    assert checks == {"安徽省": (1200, 1200, 0), "合肥市": (600.01, 600.01, 0), "芜湖市": (1200, 1200.01, -0.01)}
    assert [line[1] for line in hefei[CHECKED].iter_rows(min_row=3, values_only=True)] == ["合肥市"]


def test_personal_data_of_a_workbook_stays_here(here: Desk, inbox: Path, tmp_path: Path) -> None:
    shutil.copyfile(ADAPTER.samples / HEFEI, inbox / HEFEI)
    books = source(here, tmp_path)
    pull(books, here)
    take_in(here, books)
    sheet = load_workbook(ADAPTER.samples / HEFEI)["企业"]
    columns = {str(cell.value): at for at, cell in enumerate(sheet[2])}
    phones = {str(line[columns["手机"]]).encode() for line in sheet.iter_rows(min_row=3, values_only=True)}
    sent = b"".join(bytes(row[0]) for row in here.state.db.all("SELECT value FROM queue"))
    kept = b"".join(bytes(row[0]) for row in here.state.db.all("SELECT request FROM sent"))
    assert len(sent) > 10_000 and len(phones) > 30
    assert not [phone for phone in phones if phone in sent or phone in kept]
    held = "".join(f"{each.value}{each.en}{each.zh}" for each in here.state.quarantine.rows()).encode()
    assert not [phone for phone in phones if phone in held]


def test_a_folder_that_is_not_there_is_a_fault(here: Desk, tmp_path: Path) -> None:
    with pytest.raises((SourceFault, SourceDown), match="inbox"):
        source(here, tmp_path).pull(here.landing)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"inbox": None}, "either inbox or cities"),
        ({"cities": {"340100": "/x"}}, "either inbox or cities"),
        ({"inbox": None, "cities": {"310000": "/x"}}, r"source\.cities: 310000"),
        ({"archive": None}, r"source\.archive"),
        ({"limits": {"packed_bytes": 0}}, r"source\.limits\.packed_bytes"),
        ({"colour": "red"}, r"source\.colour"),
    ],
)
def test_a_slip_in_the_settings_names_its_key(here: Desk, tmp_path: Path, more: dict[str, object], key: str) -> None:
    with pytest.raises(SourceFault, match=key):
        source(here, tmp_path, **more)
