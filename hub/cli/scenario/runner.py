"""A run: files read, hubs started ahead of their turn, scenarios played side by side, results told in the order of the files."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from hub.cli.scenario import junit as junit_xml
from hub.cli.scenario import report
from hub.cli.scenario.acting import Cast
from hub.cli.scenario.closing import check_books, check_events
from hub.cli.scenario.ground import Ground, lay_ground
from hub.cli.scenario.hubs import HubFailed, HubProcess, hub_name, raise_hub
from hub.cli.scenario.loading import Document, scenario_files, understand
from hub.cli.scenario.model import Result, Scenario, ScenarioError, UnusableInput
from hub.cli.scenario.names import Names
from hub.cli.scenario.playing import play_steps
from hub.cli.scenario.setup import set_up
from hub.cli.scenario.stage import Stage
from hub.embedded import EmbeddedServerError

Understood = tuple[Scenario, Names] | str
"""A scenario, or why it cannot be played."""

_STARTED_AHEAD = 2


def run_scenarios(
    paths: list[Path],
    *,
    junit: Path | None,
    workers: int | None,
    progress: Callable[[str], object],
    machine: Callable[[str], object] | None = None,
) -> int:
    """Play the scenarios of files and folders, telling each line of the report to `progress`; return the exit code.

    `machine`, if given, gets one JSON object at the end, and no summary line is told.
    0: all passed; 1: some failed; 2: nothing could be played or written, and standard error says why.
    """
    try:
        documents = read_documents(paths)
    except UnusableInput as error:
        return _unusable(error)
    width = max(len(document.path.stem) for document in documents)

    def tell(result: Result) -> None:
        for line in report.lines(result, width):
            progress(line)

    try:
        results = asyncio.run(play_all(documents, workers=workers, tell=tell))
        if junit is not None:
            junit_xml.write(junit, results)
    except (EmbeddedServerError, OSError) as error:
        return _unusable(error)
    if machine is not None:
        machine(report.as_json(results))
    else:
        progress(report.summary(results))
    return 0 if all(result.passed for result in results) else 1


def _unusable(error: Exception) -> int:
    print(f"deltahub: {error}", file=sys.stderr)
    return 2


def read_documents(paths: list[Path]) -> list[Document]:
    """Read all files meant by `paths`; raise UnusableInput at the first that cannot be read."""
    documents = [Document(path) for path in scenario_files(paths)]
    if not documents:
        raise UnusableInput("no scenario is named")
    return documents


async def play_all(
    documents: Sequence[Document], *, workers: int | None = None, tell: Callable[[Result], object] = lambda _: None
) -> list[Result]:
    """Play scenarios, `workers` at a time, and return their results; `tell` hears each as soon as all before it are known."""
    understood = [_understand(document) for document in documents]
    provinces = {province for each in understood if not isinstance(each, str) for province in each[0].provinces}
    async with lay_ground(provinces) as ground:
        run = _Run(ground, understood)
        try:
            return await _tell_in_order(documents, run, workers or default_workers(), tell)
        finally:
            await run.close()


def default_workers() -> int:
    """Return how many scenarios play at once: one a processor, two to four."""
    return min(4, max(2, os.cpu_count() or 2))


async def _tell_in_order(documents: Sequence[Document], run: _Run, workers: int, tell: Callable[[Result], object]) -> list[Result]:
    turn = asyncio.Semaphore(workers)

    async def play(index: int) -> Result:
        async with turn:
            return await _play(documents[index], run, index)

    tasks = [asyncio.create_task(play(index)) for index in range(len(documents))]
    try:
        results = []
        for task in tasks:
            results.append(await task)
            tell(results[-1])
        return results
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Run:
    """The hubs of a run. Starting one takes a second or two of processor time, so the next start while the present play."""

    def __init__(self, ground: Ground, understood: Sequence[Understood]) -> None:
        self.ground = ground
        self.understood = understood
        self._suffix = uuid.uuid4().hex[:4]
        self._starts: dict[int, asyncio.Task[HubProcess]] = {}

    async def hub(self, index: int) -> HubProcess:
        """Return the hub of scenario `index` and have the next ones started; raise HubFailed."""
        for ahead in range(index, min(index + _STARTED_AHEAD + 1, len(self.understood))):
            if ahead not in self._starts:
                self._starts[ahead] = asyncio.create_task(self._start(ahead))
        return await self._starts[index]

    async def close(self) -> None:
        """End all hubs that still run."""
        for task in self._starts.values():
            task.cancel()
        for task in self._starts.values():
            with suppress(asyncio.CancelledError, Exception):
                await (await task).kill()

    async def _start(self, index: int) -> HubProcess:
        understood = self.understood[index]
        if isinstance(understood, str):
            raise ScenarioError(understood)
        scenario, _ = understood
        return await raise_hub(self.ground, hub_name(scenario.path, index, self._suffix), scenario.start, scenario.provinces)


async def _play(document: Document, run: _Run, index: int) -> Result:
    result = Result(document.path, document.title)
    try:
        hub = await run.hub(index)
    except (HubFailed, ScenarioError) as error:
        result.error = str(error)
        return result
    started = time.monotonic()
    try:
        understood = run.understood[index]
        assert not isinstance(understood, str)
        await _play_on(hub, *understood, run.ground, result)
    except (HubFailed, ScenarioError) as error:
        result.error = f"{error}\n{_hub_said(hub)}" if "the hub failed" in str(error) else str(error)
    finally:
        await hub.kill()
    result.seconds = time.monotonic() - started
    return result


async def _play_on(hub: HubProcess, scenario: Scenario, names: Names, ground: Ground, result: Result) -> None:
    async with Cast(ground, hub) as cast:
        stage = Stage(scenario, names, hub, cast, scenario.start)
        await set_up(stage)
        await play_steps(stage, result)
        for check in (check_books, check_events):
            result.differences += await check(stage)


def _hub_said(hub: HubProcess) -> str:
    words = hub.last_words()
    return f"the hub's last words:\n{words}" if words else ""


def _understand(document: Document) -> Understood:
    try:
        return understand(document)
    except ScenarioError as error:
        return str(error)
