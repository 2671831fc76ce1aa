"""The samples through the hub itself: adapters, Kafka, decisions, ledger, events back. Only what is meant to be refused is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.runtime.command import Broker, collect, list_adapters, run_together
from adapters.runtime.report import Report
from hub.domain.divisions import province_of
from hub.embedded import EmbeddedKafka
from hub.ledger.migrate import migrate

_SERVE = """
import asyncio
from hub.bootstrap import serve
from hub.settings import Settings
asyncio.run(serve(Settings(), ("relay", "consumer")))
"""
_MEANT = {"CATEGORY_EXCLUDED": 2, "CATEGORY_NOT_COVERED": 1, "PROVIDER_NOT_RECOGNIZED": 1, "ENTERPRISE_NOT_ELIGIBLE": 1}


@contextmanager
def hub_process(database: str, bootstrap: str, prefix: str, data: Path) -> Iterator[None]:
    """Run relay and consumer in a process of their own, for as long as the context is open."""
    settings = {
        "DELTAHUB_DATABASE_URL": database,
        "DELTAHUB_KAFKA_BOOTSTRAP": bootstrap,
        "DELTAHUB_TOPIC_PREFIX": prefix,
        "DELTAHUB_DATA_DIR": str(data),
        "DELTAHUB_PROVINCES": json.dumps([adapter.division for adapter in list_adapters()]),
    }
    process = subprocess.Popen([sys.executable, "-c", _SERVE], env={**os.environ, **settings})
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_four_provinces_clear_with_one_another(embedded_kafka: EmbeddedKafka, database: str, tmp_path: Path) -> None:
    migrate(database)
    prefix = f"t{uuid.uuid4().hex[:12]}"
    bootstrap = embedded_kafka.bootstrap
    with hub_process(database, bootstrap, prefix, tmp_path / "hub"):
        reports = run_together(list_adapters(), Broker(bootstrap, prefix), tmp_path)
        collect(list_adapters(), Broker(bootstrap, prefix), tmp_path)
    for report in reports:
        _meant_only(report)
    cleared: Counter[tuple[str, str]] = Counter()
    for adapter in list_adapters():
        results = adapter.load(tmp_path / adapter.name / "results")
        assert results.vouchers
        for row in results.redemptions:
            assert adapter.division in (province_of(row.issuer), row.acquirer)
            if row.acquirer == adapter.division and row.state in ("CLEARED", "PENDING_REVIEW"):
                cleared[(province_of(row.issuer), row.acquirer)] += 1
                assert row.subsidy_fen > 0 and row.basis
    assert len(cleared) == 16


def _meant_only(report: Report) -> None:
    assert dict(report.refusals) == _MEANT
    assert report.unanswered == 0
    # A record of the samples that is corrected on the way is sent twice.
    assert 0 <= report.sent - report.ok - report.refused <= 2
    # A capture of an order that was refused is in no sample; those of the others all went through.
    assert report.by_kind["capture"] == {"OK": sum(report.by_kind["capture"].values())}
