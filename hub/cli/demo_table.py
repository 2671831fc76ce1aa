"""The demo's outcome as tables that a newcomer understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from hub.cli.demo import DemoReport


def print_table(report: DemoReport) -> None:
    """Print what happened."""
    console = Console(width=max(Console().width, 132))
    _adapters(console, report)
    _clearings(console, report)
    _settlement(console, report)
    for name, files in report.files.items():
        console.print(f"[bold]{name}[/bold] result files 结果文件:", ", ".join(files), soft_wrap=True, highlight=False)
    verdict = "clean: every balance follows from the journal 账目一致" if report.audit_clean else "; ".join(report.audit_differences)
    console.print(f"\naudit 稽核: {verdict}   ({report.seconds:.1f} s)")


def _adapters(console: Console, report: DemoReport) -> None:
    table = Table(title="Native files through Kafka 各省市原始文件经 Kafka 进入枢纽", title_justify="left")
    for name in ("adapter 适配器", "records read 记录", "accepted 受理", "refused 拒绝", "quarantined 隔离"):
        table.add_column(name, justify="left" if name.startswith("adapter") else "right")
    for item in report.adapters:
        table.add_row(*(str(item[key]) for key in ("name", "read", "ok", "refused", "quarantined")))
    console.print(table)


def _clearings(console: Console, report: DemoReport) -> None:
    table = Table(title="Vouchers cleared across regions 跨区域兑付 (yuan 元)", title_justify="left")
    for name, justify in (
        ("case 案例", "left"), ("issuer 发券地", "left"), ("acquirer 服务地", "left"), ("mode 模式", "left"), ("fee 费用", "right"),
        ("subsidy 抵用", "right"), ("notes 张数", "right"), ("firm pays 企业支付", "right"), ("state 状态", "left"),
    ):  # fmt: skip
        table.add_column(name, justify="right" if justify == "right" else "left")
    for item in report.clearings:
        table.add_row(
            item.case, item.issuer, item.acquirer, item.mode, item.fee, item.subsidy, str(item.notes), item.enterprise_pays, item.state
        )  # fmt: skip
    console.print(table)


def _settlement(console: Console, report: DemoReport) -> None:
    total = len(report.obligations)
    positions = ", ".join(f"{division} {amount}" for division, amount in report.positions.items()) or "none"
    console.print(f"window closed 结算期关闭: {total} obligations 应付; net positions 净头寸 {positions}")
