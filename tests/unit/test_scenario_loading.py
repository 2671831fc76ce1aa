from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.cli.scenario.loading import Document, instant, scenario_files, understand
from hub.cli.scenario.model import Scenario, ScenarioError, UnusableInput
from hub.cli.scenario.names import Names
from hub.cli.scenario.steps import read_steps
from hub.cli.scenario.texts import load_texts
from yrd.common.v1 import types_pb2

SCENARIOS = Path(__file__).parents[1] / "scenarios"
HEAD = "title: t\nstart: 2026-03-10T09:00:00+08:00\n"


def write(folder: Path, text: str, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path) -> tuple[Scenario, Names]:
    return understand(Document(path))


def fault(folder: Path, text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(write(folder, text))
    return str(caught.value)


def test_every_scenario_of_the_repository_is_understood() -> None:
    files = scenario_files([SCENARIOS])
    assert len(files) >= 41
    assert all(load(file)[0].steps for file in files)


def test_a_folder_stands_for_its_scenarios_by_name_without_bases(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "_base.yaml", "README.md"):
        write(tmp_path, HEAD + "steps: []\n", name)
    assert [file.name for file in scenario_files([tmp_path, tmp_path / "a.yaml"])] == ["a.yaml", "b.yaml"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gone.yaml", None, "gone.yaml: no such file or folder"),
        ("x.yaml", "a: [1\nb: 2", "x.yaml:2:2: expected ',' or ']'"),
        ("x.yaml", "a: 1\na: 2\n", "x.yaml:2:1: 'a' is given twice"),
        ("x.yaml", "- a\n", "x.yaml:1: a scenario is a mapping"),
        ("x.yaml", HEAD + "base: _none.yaml\nsteps: []\n", "base '_none.yaml': no such file"),
        ("x.yaml", HEAD + "base: x.yaml\nsteps: []\n", "leads back to itself"),
    ],
)
def test_unusable_input_is_named_with_its_place(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    path = tmp_path / name if text is None else write(tmp_path, text, name)
    with pytest.raises(UnusableInput) as caught:
        for file in scenario_files([path]):
            Document(file)
    assert words in str(caught.value)


def test_a_folder_without_scenarios_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="holds no scenario"):
        scenario_files([tmp_path])


def test_scalars_stay_as_they_are_written(tmp_path: Path) -> None:
    node = load_texts(write(tmp_path, "no: 1.10\non: 2013-12-19T09:00:00+08:00\nface: 0010\nflag: true\nempty:\n"))
    assert node == {"no": "1.10", "on": "2013-12-19T09:00:00+08:00", "face": "0010", "flag": "true", "empty": None}


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2013-12-19T09:00:00+08:00", datetime(2013, 12, 19, 1, tzinfo=UTC)),
        ("2013-12-19 09:00:00 +08:00", datetime(2013, 12, 19, 1, tzinfo=UTC)),
        ("2013-12-19T01:00:00Z", datetime(2013, 12, 19, 1, tzinfo=UTC)),
        ("2013-12-19T09:00:00", datetime(2013, 12, 19, 1, tzinfo=UTC)),
        ("2013-12-19", datetime(2013, 12, 18, 16, tzinfo=UTC)),
    ],
)
def test_instants_are_of_shanghai_unless_they_say_otherwise(text: str, utc: datetime) -> None:
    assert instant(text) == utc


def test_the_lists_of_a_base_come_first_and_parties_get_their_codes(tmp_path: Path) -> None:
    write(tmp_path, 'providers:\n  - {id: p1, name: 甲, home: "310000", admitted: 2026-01-01}\n', "_inner.yaml")
    write(
        tmp_path, 'base: _inner.yaml\nproviders:\n  - {id: p2, name: 乙, home: "320000", admitted: 2026-01-01, rating: 4.5}\n', "_base.yaml"
    )
    text = HEAD + (
        'base: _base.yaml\nenterprises:\n  - {id: e, name: 丙, division: "330421", kind: TECH_SME}\n'
        '  - {id: f, name: 丁, division: "330421", kind: TECH_SME, sme_no: ""}\n  - {id: g, name: 戊, division: "330421", kind: TEAM}\n'
        'recognitions:\n  - {issuer: "330000", provider: p2, from: 2026-01-01, agreement: true}\n'
        'vouchers:\n  - {issuer: "330000", enterprise: e, face: "500.00", issued: 2026-01-05, ids: [n1, n2]}\nsteps: []\n'
    )
    scenario, names = load(write(tmp_path, text))
    assert list(scenario.providers) == ["p1", "p2"]
    assert scenario.providers["p2"].rating == 450
    assert scenario.recognitions[0].provider == scenario.providers["p2"].uscc == names.code("p2")
    assert scenario.recognitions[0].agreement
    assert scenario.enterprises["e"].sme_no.startswith("2026330421")
    assert (scenario.enterprises["f"].sme_no, scenario.enterprises["g"].sme_no) == ("", "")
    assert scenario.enterprises["g"].kind == types_pb2.ENTERPRISE_KIND_TEAM
    issue = scenario.vouchers[0]
    assert (issue.item.face_fen, issue.item.count, list(issue.item.voucher_nos), issue.issued_on) == (50000, 2, ["n1", "n2"], "2026-01-05")
    assert scenario.provinces == {"310000", "320000", "330000"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("steps: []\nsetps: []\n", "setps: unknown field"),
        ("", "steps: a list is expected"),
        ("steps: []\nproviders: {}\n", "providers: a list is expected"),
        ("steps: []\nproviders:\n  - {id: p, nane: x}\n", "s.yaml:5: nane: unknown field"),
        (
            'steps: []\nproviders:\n  - {id: p, home: "31000", admitted: 2026-01-01}\n',
            "s.yaml:5: home: '31000' is not a six-digit division code",
        ),
        ('steps: []\nvouchers:\n  - {issuer: "310000", enterprise: e, face: "1.005"}\n', "s.yaml:5: face: '1.005' is not an amount"),
        ('steps: []\npolicies:\n  - {issuer: "310000", version: v}\n', "s.yaml:5: effective_from: required"),
        ("steps:\n  - authorise: {}\n", "step 1 (line 4): unknown verb 'authorise'; known are quote, authorize"),
        ("steps:\n  - void: {redemption: r}\n    capture: {redemption: r}\n", "exactly one verb is expected, not void, capture"),
        ("steps:\n  - void: {}\n", "void: missing redemption"),
        ("steps:\n  - void: {redemption: r, invoice: x}\n", "void: unknown field 'invoice'; known are by, redemption, request_id"),
        ("steps:\n  - void: {redemption: r}\n    expect: {clamps: []}\n", "void: unknown expectation 'clamps'; known are refusal"),
        ('steps:\n  - state: {issuer: "310000", provider: p}\n', "state: one of"),
        ('steps:\n  - state: {issuer: "310000"}\n    expect: {quota_used: "1.00"}\n', "unknown expectation 'quota_used'"),
        ("steps:\n  - concurrently: []\n", "a list of steps is expected"),
        (
            "steps:\n  - concurrently:\n      - void: {redemption: r}\n        expect: {status: VOIDED}\n",
            "holds no expectations of its own",
        ),
        ("steps:\n  - repeat: {times: 0, step: {void: {redemption: r}}}\n", "times: a number from 1"),
        ("steps:\n  - repeat: {times: 2, step: {repeat: {}}}\n", "a step of repeat does not hold repeat"),
        ("steps:\n  - advance_to: {}\n", "an instant or {days: N}"),
        (
            'steps:\n  - quote: {issuer: "1", enterprise: e, provider: p, order: o, lines: [], amount: "1.00"}\n',
            "either lines, or category and amount",
        ),
    ],
)
def test_a_scenario_that_makes_no_sense_says_where(tmp_path: Path, body: str, words: str) -> None:
    assert words in fault(tmp_path, HEAD + body)


def test_a_start_is_needed(tmp_path: Path) -> None:
    assert "start" in fault(tmp_path, "steps: []\n")


def test_bare_scalars_and_nothing_stand_where_a_verb_allows_them(tmp_path: Path) -> None:
    text = "steps:\n  - advance_to: 2026-04-01\n  - advance_to: {days: 3}\n  - restart_hub:\n  - restart_hub: {}\n"
    steps = load_texts(write(tmp_path, text))["steps"]
    assert isinstance(steps, list)
    assert [step.args for step in read_steps(steps)] == [{"instant": "2026-04-01"}, {"days": "3"}, {}, {}]
