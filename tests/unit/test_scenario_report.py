from pathlib import Path
from xml.etree import ElementTree

from hub.cli.scenario import junit, report
from hub.cli.scenario.closing import compare
from hub.cli.scenario.exchange import Told
from hub.cli.scenario.model import Difference, Result
from yrd.clearing.v1 import clearing_pb2 as pb

GOOD = Result(Path("cases/01-good.yaml"), "It works", 1.23)
BAD = Result(
    Path("cases/02-bad.yaml"),
    "It does not",
    0.5,
    [Difference(2, "capture", "subsidy", "4800.00", "—"), Difference(0, "audit", "ledger", "as the journal says", "notes: 甲")],
    ["step 1: authorize was refused: X: y"],
)
BROKEN = Result(Path("cases/03-broken.yaml"), "It cannot be played", error="step 1 (line 4): unknown verb\nmore \x1b[0m")


def test_a_line_a_scenario_and_a_table_under_a_failing_one() -> None:
    assert report.lines(GOOD, 9) == ["ok   01-good    It works  1.2s"]
    assert report.lines(BAD, 9) == [
        "FAIL 02-bad     It does not  0.5s",
        "     step  verb     field    expected             got",
        "     2     capture  subsidy  4800.00              —",
        "     end   audit    ledger   as the journal says  notes: 甲",
        "     note: step 1: authorize was refused: X: y",
    ]


def test_the_last_line_is_the_sum() -> None:
    assert report.summary([GOOD, BAD, BROKEN]) == "1 passed, 2 failed"


def test_chinese_takes_two_columns() -> None:
    assert report.table([["甲乙", "b"], ["abc", "d"]]) == ["甲乙  b", "abc   d"]


def test_junit_names_every_scenario_and_why_it_failed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.xml"
    junit.write(path, [GOOD, BAD, BROKEN])
    suite = ElementTree.parse(path).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("3", "2", "1.730")
    cases = {case.get("name"): case for case in suite}
    assert cases["01-good"].find("failure") is None
    failure = cases["02-bad"].find("failure")
    assert failure is not None
    assert failure.get("message") == "step 2 capture: subsidy: expected 4800.00, got —"
    assert "4800.00" in (failure.text or "")
    broken = cases["03-broken"].find("failure")
    assert broken is not None
    assert broken.text == "step 1 (line 4): unknown verb\nmore [0m"


def redemption(state: pb.RedemptionState.ValueType, subsidy: int = 100) -> pb.Redemption:
    order = pb.Order(order_no="o1")
    return pb.Redemption(
        redemption_id="r", issuer="330522", acquirer="310000", order=order, state=state, authorized_fen=100, subsidy_fen=subsidy
    )


def told(division: str, sequence: int, about: pb.Redemption) -> Told:
    return Told(division, str(sequence), b"k", about)


def test_the_last_event_to_each_province_concerned_is_what_the_redemption_is() -> None:
    before, after = redemption(pb.REDEMPTION_STATE_AUTHORIZED), redemption(pb.REDEMPTION_STATE_CLEARED)
    events = [told(division, number, about) for division in ("310000", "330000") for number, about in ((2, after), (1, before), (2, after))]
    assert compare([after], events) == []


def test_a_province_that_heard_nothing_or_something_else_is_named() -> None:
    after = redemption(pb.REDEMPTION_STATE_CLEARED)
    events = [told("330000", 1, redemption(pb.REDEMPTION_STATE_CLEARED, 99))]
    shown = "CLEARED, authorized 1.00, subsidy 1.00, refunded 0.00"
    assert compare([after], events) == [
        Difference(0, "events", "o1 to 310000", shown, "no event"),
        Difference(0, "events", "o1 to 330000", shown, "CLEARED, authorized 1.00, subsidy 0.99, refunded 0.00"),
    ]


def test_an_event_of_a_redemption_that_is_not_there_is_named() -> None:
    found = compare([], [told("330000", 1, redemption(pb.REDEMPTION_STATE_CLEARED))])
    assert [each.field for each in found] == ["r to 330000"]
