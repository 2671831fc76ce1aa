"""A reconciliation as people read it: one page in Chinese and English, and every difference as a row of CSV."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adapters.runtime.reconcile import Account, Difference, Fate, Fault, counted
from adapters.runtime.reconcile_ledger import Sum
from hub.domain.money import format_yuan

FATES: Mapping[str, tuple[str, str]] = {
    Fate.ACCEPTED: ("已受理", "sent and accepted"),
    Fate.REFUSED: ("已拒绝", "sent and refused"),
    Fate.QUARANTINED: ("已隔离", "quarantined"),
    Fate.SET_ASIDE: ("已隔离，经人工弃置", "set aside by a person"),
    Fate.SUPERSEDED: ("已被新版本取代", "superseded by a later edition"),
    Fate.REPEATED: ("重复报送，内容相同", "the same again"),
    Fate.NOTHING: ("撤销，枢纽无此记录", "withdrawn, nothing at the hub"),
    Fate.UNANSWERED: ("已发送，待回执", "sent, unanswered"),
    Fate.WAITING: ("待发送", "waiting to be sent"),
    Fate.UNEXPLAINED: ("去向不明", "unexplained"),
}
"""What each fate is called."""

FAULTS: Mapping[str, tuple[str, str]] = {
    Fault.RECORD_LOST: ("来件有此记录，适配器既未发送也未隔离", "delivered, but neither sent nor waiting nor in quarantine"),
    Fault.EDITION_NOT_SENT: ("来件的最新版本未发送", "the latest edition was not sent: the memory knows another"),
    Fault.RECORD_UNKNOWN: ("适配器有此记录，来件中没有", "the memory knows a record that its delivery does not hold"),
    Fault.DELIVERY_MISSING: ("登记的来件文件不在", "a delivery is registered, and its file is gone"),
    Fault.DELIVERY_UNKNOWN: ("来件文件未登记", "a file lies among the deliveries, and is not registered"),
    Fault.REDEMPTION_MISSING: ("记录已受理，账本中没有对应兑付", "accepted, but no such redemption is on the ledger"),
    Fault.REDEMPTION_DOUBLED: ("一条记录在账本中有多笔有效兑付", "another live redemption of the same order is on the ledger"),
    Fault.REDEMPTION_UNKNOWN: ("账本中的兑付没有对应来件记录", "a live redemption of this province's provider that no record asked for"),
    Fault.ORDER_DIFFERS: ("账本与来件记录不一致", "the ledger says something else than the record"),
    Fault.RESULT_MISSING: ("结果文件缺少账本中的兑付", "on the ledger, and not in the result files"),
    Fault.RESULT_DOUBLED: ("结果文件中同一兑付出现多次", "more than once in the result files"),
    Fault.RESULT_UNKNOWN: ("结果文件有账本中没有的兑付", "in the result files, and not on the ledger"),
    Fault.RESULT_DIFFERS: ("结果文件与账本不一致", "the result files say something else than the ledger"),
    Fault.OUTCOME_MISSING: ("结果文件缺少记录的回执", "no outcome of the record is in the result files"),
    Fault.OUTCOME_DOUBLED: ("结果文件中同一记录有多条回执", "more than one outcome of the record is in the result files"),
    Fault.OUTCOME_UNKNOWN: ("结果文件有未发送记录的回执", "an outcome of a record that was never sent is in the result files"),
    Fault.OUTCOME_DIFFERS: ("回执与适配器记录不一致", "the outcome in the result files is not that of the record"),
    Fault.SUM_DIFFERS: ("合计不一致", "sums differ"),
}
"""What each kind of difference is called."""

_SHOWN = 15


@dataclass(slots=True)
class Report:
    """A whole reconciliation. `ledger` and `told` are sums by (issuer, state); None where there was nothing to compare with."""

    province: str
    title_zh: str
    title_en: str
    period: str
    made_at: str
    account: Account
    ledger: Mapping[tuple[str, str], Sum] | None = None
    told: Mapping[tuple[str, str], Sum] | None = None
    differences: list[Difference] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True where nothing is unexplained and all accounts agree."""
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data; amounts in fen."""
        fates = {kind: {fate.value: counts[fate] for fate in Fate if counts[fate]} for kind, counts in self.account.fates.items()}
        amounts = {kind: {fate.value: fen[fate] for fate in Fate if fen[fate]} for kind, fen in self.account.amounts_fen.items()}
        return {
            "province": self.province,
            "period": self.period,
            "made_at": self.made_at,
            "clean": self.clean,
            "deliveries": self.account.deliveries,
            "records": self.account.records,
            "fates": fates,
            "amounts_fen": amounts,
            "reasons": {fate: dict(reasons.most_common()) for fate, reasons in self.account.reasons.items()},
            "ledger": _plain(self.ledger),
            "results": _plain(self.told),
            "counts": dict(counted(self.differences)),
            "differences": [asdict(each) for each in self.differences],
        }


def _plain(found: Mapping[tuple[str, str], Sum] | None) -> list[dict[str, Any]] | None:
    if found is None:
        return None
    return [{"issuer": issuer, "state": state, **asdict(each)} for (issuer, state), each in sorted(found.items())]


def page(report: Report) -> str:
    """Return the one page."""
    return "\n".join([*_head(report), *_records(report.account), *_money(report), *_differing(report)])


def _head(report: Report) -> Iterator[str]:
    yield f"{report.title_zh} 对账单 · {report.title_en}: reconciliation"
    yield f"期间 period: {report.period}    生成 made: {report.made_at}"
    yield f"来件 deliveries: {report.account.deliveries:,}    记录 native records: {report.account.records:,}"
    yield ""


def _records(account: Account) -> Iterator[str]:
    yield "一、逐条去向 · What became of each record (金额：元 amounts in yuan)"
    for fate in Fate:
        total = sum(counts[fate] for counts in account.fates.values())
        if not total:
            continue
        zh, en = FATES[fate]
        yield f"  {zh} {en}: {total:,}"
        for kind, counts in account.fates.items():
            if counts[fate]:
                fen = account.amounts_fen[kind][fate]
                yield f"    {kind:<14}{counts[fate]:>10,}" + (f"{format_yuan(fen):>24}" if fen else "")
        for reason, count in account.reasons.get(fate, Counter()).most_common(8):
            yield f"      · {reason}: {count:,}"
    yield ""


def _money(report: Report) -> Iterator[str]:
    if report.ledger is None and report.told is None:
        yield "二、账本与结果文件：未比对 · Ledger and result files: not compared"
        yield ""
        return
    sides = "账本/结果文件 ledger/results" if report.ledger is not None else "结果文件 results (未问账本 ledger not asked)"
    yield f"二、兑付合计（元） · Redemptions, sums in yuan: {sides}"
    yield f"  {'发券地 issuer':<14}{'状态 state':<18}{'笔数 count':>16}{'授权 authorized':>34}{'核定 subsidy':>34}{'退回 refunded':>26}"
    for key in sorted({*(report.ledger or {}), *(report.told or {})}):
        sums = [side.get(key, Sum()) for side in (report.ledger, report.told) if side is not None]
        count = "/".join(f"{each.count:,}" for each in sums)
        authorized = "/".join(format_yuan(each.authorized_fen) for each in sums)
        subsidy = "/".join(format_yuan(each.subsidy_fen) for each in sums)
        refunded = "/".join(format_yuan(each.refunded_fen) for each in sums)
        yield f"  {key[0]:<14}{key[1]:<18}{count:>18}{authorized:>36}{subsidy:>36}{refunded:>28}"
    yield ""


def _differing(report: Report) -> Iterator[str]:
    if report.clean:
        yield "三、结论：账实相符，逐条有去向 · Clean: every record is accounted for, and all accounts agree"
        return
    yield f"三、结论：{len(report.differences):,} 处差异 · {len(report.differences):,} differences"
    for fault, count in counted(report.differences).most_common():
        zh, en = FAULTS[fault]
        yield f"  {fault}: {count:,}  {zh} · {en}"
    for each in report.differences[:_SHOWN]:
        yield f"    {said(each)}"
    if len(report.differences) > _SHOWN:
        yield f"    … {len(report.differences) - _SHOWN:,} 处见 --out 文件 more; --out FILE lists them all"


def said(difference: Difference) -> str:
    """Return a difference on one line."""
    place = f"{difference.file}:{difference.line}" if difference.file else ""
    what = " ".join(part for part in (difference.kind, difference.native_id, place, difference.redemption_id, difference.field) if part)
    values = f": {difference.expected or '-'} ≠ {difference.found or '-'}" if difference.expected or difference.found else ""
    return f"{difference.fault} {what}{values}"


def write_csv(differences: Sequence[Difference], path: Path) -> Path:
    """Write all differences (UTF-8 with a byte order mark, for spreadsheets) and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["fault", "zh", "en", "kind", "native_id", "file", "line", "redemption_id", "field", "expected", "found"],
        )
        for each in differences:
            record = (each.kind, each.native_id, each.file, each.line, each.redemption_id)
            writer.writerow((each.fault.value, *FAULTS[each.fault], *record, each.field, each.expected, each.found))
    return path
