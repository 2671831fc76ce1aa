"""`deltahub adapter reconcile`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.adapter_mending import Work
from hub.settings import Settings

_PAGE = 1000
_LIST = "yrd.clearing.v1.ClearingService.ListRedemptions"
_GET = "yrd.clearing.v1.ClearingService.GetRedemption"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="reconcile")(reconcile)


def reconcile(
    province: Annotated[str, typer.Argument(help="Name or division of the adapter, such as 330000; `adapter list` shows both")],
    day: Annotated[str, typer.Option(help="Only deliveries that landed on this day, YYYY-MM-DD, Shanghai's time")] = "",
    since: Annotated[str, typer.Option(help="Only deliveries that landed on this day or later")] = "",
    until: Annotated[str, typer.Option(help="Only deliveries that landed on this day or before")] = "",
    work: Work = None,
    results: Annotated[Path | None, typer.Option(help="Folder of the result files; default: results in the adapter's folder")] = None,
    hub: Annotated[str, typer.Option(help="gRPC address of the hub, host:port: asks for its own account. Needs --web and --identity")] = "",
    web: Annotated[str, typer.Option(help="HTTPS address of the hub, where tokens are given out")] = "",
    identity: Annotated[Path | None, typer.Option(help="The province's own identity: cert.pem, key.pem, ca.pem")] = None,
    out: Annotated[Path | None, typer.Option(help="Write every difference to this CSV file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Account for every native record of a province 逐条对账, and compare with the hub's ledger and the result files.

    The deliveries kept are read and mapped anew, whatever the adapter remembers: each record was accepted, refused, quarantined, replaced
    by a later edition, or still waits; one that has none of these fates is a difference. With --hub the ledger is asked under the
    province's own identity: every redemption must be in the result files in the same state with the same fen, and the other way round.

    Files older than the adapter keeps (`keep_days`) are left out. Amounts are in yuan on the page, in fen with --json.

    Exit 0: all agrees; 1: differences; 2: it could not be done. An adapter may run meanwhile; what then arrives in between may differ.

    Example: deltahub adapter reconcile 330000 --hub localhost:8443 --web localhost:8080 --identity ./identity --out differences.csv
    """
    import grpc

    from adapters.runtime.reconcile_report import page, write_csv
    from hub.client import HubRefused, TokenRefused

    try:
        report = _report(province, _period(day, since, until), work, results, _Hub(hub, web, identity) if hub else None)
        if out is not None:
            write_csv(report.differences, out)
    except (LookupError, ValueError, OSError, RuntimeError, HubRefused, TokenRefused, grpc.RpcError) as error:
        typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error
    typer.echo(json.dumps(report.as_dict(), ensure_ascii=False) if as_json else page(report))
    raise typer.Exit(0 if report.clean else 1)


def _period(day: str, since: str, until: str) -> Any:
    """Return the days asked for; raise ValueError for what is no day, or for two ways of saying it."""
    from adapters.runtime.reconciling import Period

    if day and (since or until):
        raise ValueError("--day is one day by itself: leave out --since and --until")
    first, last = (date.fromisoformat(text) if text else None for text in (day or since, day or until))
    if first and last and last < first:
        raise ValueError("--until is before --since")
    return Period(first, last)


class _Hub:
    """Where the ledger is asked, and as whom."""

    def __init__(self, address: str, web: str, identity: Path | None) -> None:
        if not web or identity is None:
            raise ValueError("--hub needs --web host:port and --identity FOLDER as well: the ledger shows a province its own side only")
        self.address, self.web, self.identity = address, web, identity


def _report(province: str, period: Any, work: Path | None, results: Path | None, hub: _Hub | None) -> Any:
    from adapters.runtime.reconcile_sources import memory_of
    from adapters.runtime.reconciling import reconcile as compare
    from adapters.runtime.registry import find_adapter
    from adapters.runtime.state import State

    adapter = find_adapter(province)
    home = work or Settings().data_dir / "adapters" / adapter.name
    folder = results or home / "results"
    with State(home / "state.db", read_only=True) as state:
        wanted = [each.redemption_id for each in memory_of(state).sent.values() if each.redemption_id]
    ledger = asyncio.run(_ledger(hub, period, wanted)) if hub else None
    told = adapter.load(folder) if folder.is_dir() and any(folder.iterdir()) else None
    return compare(adapter, home, datetime.now(UTC), period=period, ledger=ledger, told=told)


async def _ledger(hub: _Hub, period: Any, wanted: list[str]) -> dict[str, Any]:
    """Return the redemptions of the province's side by id; of a period those authorized in it, and those its records led to."""
    from hub.client import HubClient
    from hub.domain.clock import SHANGHAI
    from yrd.clearing.v1 import clearing_pb2 as pb

    request = pb.ListRedemptionsRequest(page_size=_PAGE)
    if period.since:
        request.authorized_from.FromDatetime(datetime.combine(period.since, time(), SHANGHAI))
    if period.until:
        request.authorized_until.FromDatetime(datetime.combine(period.until + timedelta(days=1), time(), SHANGHAI))
    found: dict[str, Any] = {}
    async with HubClient(hub.address, hub.web, hub.identity) as client:
        while True:
            answer = (await client.call(_LIST, request)).unwrap()
            found |= {each.redemption_id: _row(each) for each in answer.redemptions}
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        # A record may be delivered before midnight and authorized after it.
        for redemption_id in dict.fromkeys(wanted) if not period.whole else ():
            if redemption_id not in found:
                one = await client.call(_GET, pb.GetRedemptionRequest(redemption_id=redemption_id))
                if one.code != "REDEMPTION_NOT_FOUND":
                    found[redemption_id] = _row(one.unwrap().redemption)
    return found


def _row(redemption: Any) -> Any:
    from adapters.runtime.reconcile_ledger import LedgerRow
    from yrd.clearing.v1 import clearing_pb2 as pb

    return LedgerRow(
        redemption_id=redemption.redemption_id,
        order_no=redemption.order.order_no,
        issuer=redemption.issuer,
        acquirer=redemption.acquirer,
        enterprise=redemption.enterprise,
        provider=redemption.provider,
        state=pb.RedemptionState.Name(redemption.state).removeprefix("REDEMPTION_STATE_"),
        authorized_fen=redemption.authorized_fen,
        subsidy_fen=redemption.subsidy_fen,
        refunded_fen=redemption.refunded_fen,
        invoice_no=redemption.invoice_no,
        delivered_on=redemption.delivered_on,
        amount_fen=sum(line.amount_fen for line in redemption.order.lines),
    )
