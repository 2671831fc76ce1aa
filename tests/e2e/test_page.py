"""The page in a real browser: the script runs under the page's own security policy and brings what changed since the first paint."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.embedded import EmbeddedPostgres
from hub.web.viewers import anyone
from tests.support_hub import free_socket, web_server
from tests.support_overview import CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, SHANGHAI_LAB, open_delta, web_app
from tests.support_usecases import open_desk

BROWSER_SECONDS_MAX = 60.0
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--ignore-certificate-errors",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--dump-dom",
)


class BeforeFirstPoll:
    """Lets something happen after the page was drawn and before its script first asks."""

    def __init__(self, app: ASGIApp, happen: Callable[[], Awaitable[object]]) -> None:
        self._app = app
        self._happen = happen
        self._done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/api/overview" and not self._done:
            self._done = True
            await self._happen()
        await self._app(scope, receive, send)


async def dom_after_scripts(url: str, profile: Path) -> tuple[str, str]:
    """Open a page as a browser does; return the document as its script left it, and the log."""
    assert BROWSER is not None
    process = await asyncio.create_subprocess_exec(
        BROWSER, *SWITCHES, f"--user-data-dir={profile}", url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(BROWSER_SECONDS_MAX):
            out, log = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode(), log.decode()


def cell(page: str, pair: str) -> str:
    """Return the text of a cell of the matrix."""
    found = re.search(rf'<td data-cell="{pair}".*?</td>', page, re.DOTALL)
    assert found is not None, f"no cell {pair}"
    return " ".join(re.sub(r"<[^>]+>", " ", found.group()).split())


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
async def test_the_page_shows_what_changed_after_it_was_drawn(postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with open_desk(postgres_server) as desk, open_delta(desk) as delta:
        await delta.clear(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 800_000)
        app = web_app(desk, tmp_path / "identity", viewer_guard=anyone, hsts=False)
        app.add_middleware(BeforeFirstPoll, happen=lambda: delta.clear(CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, 123_450))
        async with web_server(app, tmp_path / "identity", free_socket()) as address:
            page, log = await dom_after_scripts(f"{address}/", tmp_path / "profile")
    assert "Content Security Policy" not in log, log
    assert 'id="status" data-status="live"' in page
    assert cell(page, "330000-310000").startswith("4,800.00 1 笔")
    assert cell(page, "330000-320000").startswith("740.70 1 笔")
    assert cell(page, "-").startswith("5,540.70 2 笔")
    # A new row, made from its template, with its decisions and reasons.
    newest, first = page.split('<ol class="redemptions"')[1].split('<li class="redemption"')[1:3]
    assert "740.70" in newest and "Jiangsu" in newest and "江苏省" in newest
    assert "兑付提交" in newest and "the captured amount is now owed to the payee" in newest and "captured 740.70" in newest
    assert "4,800.00" in first and "<details open" in first
