"""A short day of each province through everything: in over Kafka, results out, both reconciled to the record, the ledger audited."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from adapters.runtime.command import list_adapters
from hub.embedded import EmbeddedKafka, EmbeddedPostgres
from tests.bench.adapter_day import Played, play
from tests.fixtures.hub import migrated_database

RECORDS = 1_500


@pytest.mark.slow
@pytest.mark.parametrize("province", [adapter.name for adapter in list_adapters()])
def test_a_day_comes_out_as_it_went_in(
    province: str, postgres_server: EmbeddedPostgres, embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    with migrated_database(postgres_server) as url:
        played = play(province, RECORDS, url, embedded_kafka.bootstrap, tmp_path)
    assert played.reconciled["differences"] == []
    assert played.clean
    _as_meant(played)


def _as_meant(played: Played) -> None:
    """What was made wrong on purpose has the fate it must have, and nothing else has it."""
    fates: Counter[str] = Counter()
    for counts in played.reconciled["fates"].values():
        fates.update(counts)
    policies = sum(played.reconciled["fates"]["policy"].values())
    assert played.reconciled["records"] == sum(fates.values()) == RECORDS + policies
    assert fates["REFUSED"] == played.dirt["refused"]
    reasons = played.reconciled["reasons"]["QUARANTINED"]
    assert reasons["UNKNOWN_ORDER"] == played.dirt["unknown_order"]
    assert reasons["NOT_AUTHORIZED"] == played.dirt["claims_on_refused"]
    assert fates["REPEATED"] > 0 and fates["SUPERSEDED"] > 0 and fates["UNANSWERED"] == fates["WAITING"] == 0
    ledger = played.reconciled["ledger"]
    assert ledger == played.reconciled["results"]
    assert {row["state"] for row in ledger} >= {"AUTHORIZED", "CLEARED", "VOIDED"}
    # Vouchers of other provinces pay the day's providers, too.
    assert len({row["issuer"][:2] for row in ledger}) == 4
