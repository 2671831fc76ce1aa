"""The status of an adapter as a table for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from adapters.runtime.status import Status

_LOOPS = {"province": "province's system 本省系统", "intake": "intake 接收", "sending": "to Kafka 发送", "receiving": "from Kafka 接收结果"}


def print_status(status: Status) -> None:
    """Print the status."""
    console = Console(width=max(Console().width, 120))
    running = "running 运行中" if status.running else "not running 未运行"
    table = Table(title=f"{status.province} {status.division}  {running}", title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    oldest = f"  (oldest 最久 {status.oldest_unanswered_seconds:,.0f} s)" if status.unanswered else ""
    for name, value in (
        ("deliveries 批次", f"{status.deliveries:,}"),
        ("not wholly read 未读完", f"{status.deliveries_open:,}"),
        ("rows read 已读行", f"{status.rows_read:,}"),
        ("records known 记录", f"{status.records:,}"),
        ("accepted 受理", f"{status.accepted:,}"),
        ("to be sent 待发", f"{status.queue:,}"),
        ("waiting for another record 待前序结果", f"{status.parked:,}"),
        ("unanswered 未答复", f"{status.unanswered:,}{oldest}"),
        ("refused 拒绝", _counts(status.refused)),
        ("of these tried again later 将自动重试", f"{status.retries_due:,}"),
        ("in quarantine 隔离", _counts(status.quarantined)),
        ("told by the hub 枢纽告知", _counts(status.told)),
    ):
        table.add_row(name, value)
    console.print(table)
    for loop in status.loops:
        how = "up 正常" if loop.up else f"DOWN 中断 since {loop.since}: {loop.error}"
        console.print(
            f"{_LOOPS.get(loop.name, loop.name):<26} {how}; last 最近 {loop.last_success_at or 'never'}", highlight=False, soft_wrap=True
        )
    for text in status.attention:
        console.print(f"! {text}", highlight=False, soft_wrap=True, markup=False)


def _counts(counts: dict[str, int]) -> str:
    return "\n".join(f"{name} {count:,}" for name, count in counts.items()) or "0"
