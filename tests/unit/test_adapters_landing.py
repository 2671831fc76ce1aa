"""Landing: whole or not at all, each new content once, whoever calls and whatever dies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.runtime import failpoints
from adapters.runtime.folder import FolderSource
from adapters.runtime.landing import FileLanding
from adapters.runtime.state import State
from hub.domain.clock import SystemClock


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with State(tmp_path / "work" / "state.db") as found:
        yield found


@pytest.fixture
def landing(tmp_path: Path, state: State) -> FileLanding:
    return FileLanding(tmp_path / "work", state, SystemClock())


def test_bytes_land_once_under_a_name_until_other_bytes_did(landing: FileLanding, state: State) -> None:
    first = landing.put("2026/企业.csv", [b"a", b"b"])
    assert first is not None and (first.number, first.path.read_bytes()) == (1, b"ab")
    assert first.path.name == "企业.csv"
    assert landing.put("2026/企业.csv", [b"ab"]) is None
    assert landing.put("other.csv", [b"ab"]) is not None
    second = landing.put("2026/企业.csv", [b"abc"])
    assert second is not None and second.digest != first.digest
    # What was corrected and is corrected back says something new.
    assert landing.put("2026/企业.csv", [b"ab"]) is not None
    assert [each.number for each in state.deliveries.all()] == [1, 2, 3, 4]


def test_a_part_is_gathered_over_restarts_and_moved_in(landing: FileLanding, state: State, tmp_path: Path) -> None:
    with landing.part("a.csv").open("ab") as file:
        file.write(b"half")
    again = FileLanding(tmp_path / "work", state, SystemClock())
    part = again.part("a.csv")
    with part.open("ab") as file:
        assert file.tell() == 4
        file.write(b" and half")
    delivery = again.put("a.csv", part, cursor=("a", "done"))
    assert delivery is not None and delivery.path.read_bytes() == b"half and half"
    assert not part.exists()
    assert again.cursor("a") == "done"


def test_a_cursor_is_kept_with_its_delivery_and_also_where_the_bytes_were_there(landing: FileLanding) -> None:
    landing.put("a", [b"1"], cursor=("page", "1"))
    landing.put("a", [b"1"], cursor=("page", "2"))
    assert landing.cursor("page") == "2"
    assert landing.cursor("never") == ""


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "a\nb", "a\\b", "x" * 201, "a/" + "长" * 100])
def test_a_name_never_leaves_the_folder(name: str, landing: FileLanding, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a delivery"):
        landing.put(name, [b"x"])
    assert [path for path in (tmp_path / "work" / "landing").rglob("*") if path.is_file()] == []


def test_a_source_that_breaks_off_leaves_nothing(landing: FileLanding, state: State, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        landing.put("a", broken())
    assert state.deliveries.all() == []
    assert [path for path in (tmp_path / "work" / "landing").rglob("*") if path.is_file()] == []


class Died(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("place", ["landing.after_rename", "landing.after_registration"])
def test_between_rename_and_registration_nothing_is_lost_or_doubled(
    place: str, landing: FileLanding, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise Died

    own = tmp_path / "dropped.csv"
    own.write_bytes(b"the only copy")
    with monkeypatch.context() as armed:
        armed.setitem(failpoints._armed, place, die)
        with pytest.raises(Died):
            landing.put("dropped.csv", own, cursor=("at", "9"))
    again = FileLanding(tmp_path / "work", state, SystemClock())
    (landed,) = state.deliveries.all()
    assert again.delivery(landed).path.read_bytes() == b"the only copy"
    assert again.put("dropped.csv", [b"the only copy"], cursor=("at", "9")) is None
    fresh = again.put("dropped.csv", [b"other"])
    assert fresh is not None and fresh.number == 2
    assert again.cursor("at") == "9"


def test_listeners_on_several_threads_land_each_content_once(landing: FileLanding, state: State) -> None:
    together = threading.Barrier(4)

    def deliver(number: int) -> None:
        together.wait()
        for at in range(10):
            landing.put(f"push-{at}.json", [b"%d" % at])
            landing.put(f"own-{number}-{at}.json", [b"%d" % number])

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    landed = state.deliveries.all()
    assert len(landed) == 10 + 40
    assert [each.number for each in landed] == list(range(1, 51))


def test_a_folder_lands_what_is_new_and_the_provinces(landing: FileLanding, state: State, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.csv").write_bytes(b"1")
    (folder / "b.csv").write_bytes(b"2")
    (folder / ".b.csv.part").write_bytes(b"2")
    (folder / "notes.txt").write_bytes(b"3")
    source = FolderSource(folder, lambda name: name.endswith(".csv"), tmp_path / "out")
    while source.pull(landing):
        pass
    assert [each.name for each in state.deliveries.all()] == ["b.csv", "sub/a.csv"]
    (folder / "b.csv").write_bytes(b"22")
    assert source.pull(landing) and not source.pull(landing)
    assert len(state.deliveries.all()) == 3
    source.push([folder / "b.csv"])
    assert (tmp_path / "out" / "b.csv").read_bytes() == b"22"
