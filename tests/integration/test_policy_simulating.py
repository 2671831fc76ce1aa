"""A draft tried on what really happened: a furnished PostgreSQL, redemptions through the committer, the command line on top."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.application.history import Draft
from hub.application.issuing import CancelCommand
from hub.application.redeeming import approve_command, refund_command, reject_command
from hub.application.whatif import compare
from hub.cli.main import app
from hub.domain.clock import local_date
from hub.domain.model import ClassRule, WalletKey
from hub.domain.policy import CategoryRule, RecognitionDefault, RecognitionRule
from hub.domain.review import Approve, Refund, Reject
from hub.ledger.history import read_history
from tests.fixtures import delta
from tests.fixtures.ledger import FIRMS, SUZHOU_FIRM, Book, Sent, authorizing, capturing, code, sent, submit
from tests.support_usecases import START, platform

DRAFT = """\
policies:
  - issuer: "330522"
    version: draft
    effective_from: 2030-01-01
    mode: PRE_SUBSIDY
    annual_cap: "{cap}"
    categories:
      - {{category: INSPECTION_TESTING, ratio_bp: 6000}}
    eligible: [ABOVE_SCALE]
    recognition: {{default: POOL}}
    refund: TO_VOUCHER
"""


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


async def play(book: Book) -> None:
    """Redemptions of both firms of Changxing, on orders that Zhejiang supports too, and of one firm of Jiangsu with a review."""
    lab = delta.SHANGHAI_LAB
    steps: list[Sent] = [
        authorizing(delta.CHANGXING, FIRMS[0], lab, "o1", 200_000, redemption_id=uuid_of(1)),
        authorizing(delta.ZHEJIANG, FIRMS[0], lab, "o1", 200_000, redemption_id=uuid_of(2)),
        authorizing(delta.CHANGXING, FIRMS[0], lab, "o2", 150_000, 50_000, redemption_id=uuid_of(3)),
        authorizing(delta.CHANGXING, FIRMS[1], lab, "o3", 100_000, redemption_id=uuid_of(4)),
        authorizing(delta.JIANGSU, SUZHOU_FIRM, lab, "o4", 300_000, redemption_id=uuid_of(5)),
        authorizing(delta.JIANGSU, SUZHOU_FIRM, lab, "o5", 240_000, redemption_id=uuid_of(6)),
        *(capturing(uuid_of(number), lab, f"FP-{number}") for number in (1, 2, 3, 5, 6)),
        sent(refund_command(Refund(uuid_of(3), 50_000, 1)), platform(delta.SHANGHAI)),
        sent(approve_command(Approve(uuid_of(5), 100_000)), platform(delta.JIANGSU)),
        sent(reject_command(Reject(uuid_of(6), "单据不符")), platform(delta.JIANGSU)),
    ]
    async with book.committer() as committer:
        for step in steps:
            book.clock.advance_to(book.clock.now() + timedelta(minutes=1))
            outcome = await submit(committer, step)
            assert outcome.ok, code(outcome)
        (number,) = book.rows("SELECT voucher_no FROM voucher WHERE issuer = %s AND enterprise = %s LIMIT 1", delta.CHANGXING, FIRMS[1])[0]
        cancel = CancelCommand(WalletKey(delta.CHANGXING, FIRMS[1]), number)
        outcome = await submit(committer, sent(cancel, platform(delta.CHANGXING)))
        assert outcome.ok, code(outcome)


@pytest.mark.parametrize("issuer", [delta.CHANGXING, delta.ZHEJIANG, delta.JIANGSU])
async def test_what_happened_is_reproduced_and_the_same_policy_changes_nothing(book: Book, issuer: str) -> None:
    await play(book)
    history = await read_history(book.uri, issuer)
    (policy,) = history.policies.values()
    effect = compare(history, Draft(policy, local_date(START)))
    assert (effect.not_reproduced, effect.incomplete) == ({}, 0)
    assert effect.reproduced == effect.total.redemptions == book.one("SELECT count(*) FROM redemption WHERE issuer = %s", issuer)
    assert effect.total.then_fen == effect.total.draft_fen == book.one("SELECT sum(subsidy) FROM redemption WHERE issuer = %s", issuer)
    assert (effect.total.less, effect.total.more, effect.refusals) == (0, 0, {})


async def test_a_lower_cap_and_a_lower_share(book: Book) -> None:
    await play(book)
    history = await read_history(book.uri, delta.CHANGXING)
    (policy,) = history.policies.values()
    effect = compare(history, Draft(replace(policy, annual_cap_fen=150_000), local_date(START)))
    # 120,000 as before; then 30,000 is left of the cap, of which a refund takes nothing: 90,000 is still the entitlement.
    first, second = (effect.enterprises[firm] for firm in FIRMS)
    assert (first.then_fen, first.draft_fen, first.less) == (120_000 + 90_000, 120_000 + 30_000, 1)
    assert (second.then_fen, second.draft_fen) == (60_000, 60_000)
    assert effect.clamps == {"QUOTA_EXCEEDED": 1}
    category = next(iter(policy.categories))
    half = compare(history, Draft(replace(policy, categories={category: CategoryRule(3_000)}), local_date(START)))
    assert half.total.draft_fen * 2 == half.total.then_fen == 270_000
    assert half.categories[category.value].difference_fen == half.funders[delta.CHANGXING].difference_fen == -135_000


async def test_what_a_review_did_under_a_higher_threshold(book: Book) -> None:
    await play(book)
    history = await read_history(book.uri, delta.JIANGSU)
    (policy,) = history.policies.values()
    effect = compare(history, Draft(replace(policy, auto_clear_up_to_fen=None), local_date(START)))
    # Both claims clear in full: the one that review cut, and the one that it rejected.
    assert (effect.total.then_fen, effect.total.draft_fen) == (100_000, 150_000 + 120_000)
    assert (effect.unreviewed, effect.newly_reviewed) == (1, 0)


async def test_refusals_and_issues_under_a_draft(book: Book) -> None:
    await play(book)
    history = await read_history(book.uri, delta.CHANGXING)
    (policy,) = history.policies.values()
    since = local_date(START)
    narrow = compare(history, Draft(replace(policy, categories={}), since))
    assert {code: row.redemptions for code, row in narrow.refusals.items()} == {"CATEGORY_NOT_COVERED": 3}
    assert narrow.total.draft_fen == 0
    capped = compare(history, Draft(replace(policy, annual_issue_cap_fen=500_000), since))
    assert capped.refused_issues_fen == {"ISSUE_CAP_EXCEEDED": 2_000_000}
    assert capped.refusals["VOUCHER_EXHAUSTED"].redemptions == 3
    later = compare(history, Draft(replace(policy, categories={}), since + timedelta(days=1)))
    assert (later.total.redemptions, later.refusals) == (0, {})


async def test_a_draft_that_recognises_by_name_or_by_class(book: Book) -> None:
    await play(book)
    history = await read_history(book.uri, delta.CHANGXING)
    (policy,) = history.policies.values()
    listed = Draft(replace(policy, recognition=RecognitionRule(RecognitionDefault.LISTED)), local_date(START))
    effect = compare(history, listed)
    assert {code: row.redemptions for code, row in effect.refusals.items()} == {"PROVIDER_NOT_RECOGNIZED": 3}
    history.class_rules = (ClassRule("k1", local_date(START), None, home=delta.SHANGHAI),)
    assert compare(history, listed).total.difference_fen == 0


async def test_a_history_without_its_beginning_is_told_and_left_as_it_was(book: Book) -> None:
    await play(book)
    book.rows("DELETE FROM outbox WHERE type LIKE '%%RedemptionChanged' AND occurred_at < %s RETURNING 1", START + timedelta(seconds=61))
    history = await read_history(book.uri, delta.CHANGXING)
    (policy,) = history.policies.values()
    effect = compare(history, Draft(policy, local_date(START)))
    # The first is captured without having been authorized; another then draws other notes than it did.
    assert effect.not_reproduced == {"Capture": 1, "Authorize": 1}
    assert effect.total.then_fen == effect.total.draft_fen == 270_000


async def test_the_command_writes_table_csv_and_chart(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await play(book)
    file = tmp_path / "policy.yaml"
    file.write_text(DRAFT.format(cap="1500.00"), encoding="utf-8")
    monkeypatch.setenv("DELTAHUB_DATABASE_URL", book.uri)
    tables = book.tables()
    command = ["policy", "simulate", str(file), "--since", local_date(START).isoformat()]
    done = await _run([*command, "--csv", str(tmp_path / "e.csv"), "--chart", str(tmp_path / "e.svg")])
    assert done.exit_code == 0, done.output
    assert "2700.00 yuan" in done.output and "-600.00" in done.output and FIRMS[0] in done.output
    with (tmp_path / "e.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = {(row["dimension"], row["key"]): row for row in csv.DictReader(lines)}
    assert rows["total", ""]["difference_yuan"] == "-600.00"
    assert rows["enterprise", FIRMS[0]]["then_yuan"] == "2100.00"
    svg = (tmp_path / "e.svg").read_text(encoding="utf-8")
    ET.fromstring(svg)
    assert "按月 By month" in svg and FIRMS[0] in svg and "检验检测认证" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    page = tmp_path / "e.html"
    told = await _run([*command, "--json", "--chart", str(page)])
    assert json.loads(told.output)["total"]["draft_fen"] == 210_000
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    # No name of anybody, only credit codes; and nothing was changed.
    everything = done.output + told.output + svg + page.read_text(encoding="utf-8") + (tmp_path / "e.csv").read_text(encoding="utf-8-sig")
    assert "某某科技" not in everything and "检测中心" not in everything
    assert book.tables() == tables


async def _run(arguments: list[str]) -> Any:
    import asyncio

    # The command runs a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, app, arguments, catch_exceptions=False)
