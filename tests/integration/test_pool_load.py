"""`deltahub pool` from end to end, on a database of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.embedded import EmbeddedPostgres
from hub.ledger.migrate import migrate
from tests.fixtures.postgres import fresh_database, template_database


@pytest.fixture
def database(postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    template = template_database(postgres_server, "migrated", lambda uri: (migrate(uri), None)[1])
    with fresh_database(postgres_server, template) as uri:
        monkeypatch.setenv("DELTAHUB_DATABASE_URL", uri)
        yield uri


def run(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["pool", *arguments, "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = result.stdout.strip().splitlines()
    return result.exit_code, json.loads(lines[-1]) if lines else None


def query(uri: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(uri) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_a_made_pool_is_loaded_deduplicated_exported_and_imported(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    numbers = ("--seed", "3", "--providers", "150", "--instruments", "200", "--items", "400")
    assert run("generate", str(folder), *numbers)[0] == 0
    code, loaded = run("load", str(folder))
    assert (code, loaded["providers"], loaded["rows"], loaded["created"], loaded["errors"]) == (0, 150, 600, 600, [])
    assert query(database, "SELECT count(*) FROM registry.provider_version") == [(150,)]
    assert query(database, "SELECT count(*) FROM registry.catalogue_version") == [(600,)]
    assert query(database, "SELECT count(*) FROM outbox WHERE type LIKE '%.ProviderChanged'") == [(150,)]
    told = query(database, "SELECT key, count(*) FROM outbox WHERE type LIKE '%.EntriesChanged' GROUP BY key")
    assert sorted(told) == [(province, 1) for province in ("310000", "320000", "330000", "340000")]

    code, again = run("load", str(folder))
    assert (code, again["created"], again["updated"], again["unchanged"]) == (0, 0, 0, 600)

    code, found = run("dedupe", "--truth", str(folder / "duplicates.csv"))
    assert code == 0
    assert float(found["provider_recall"]) >= 0.6 and float(found["entry_recall"]) >= 0.6
    assert run("dedupe")[1]["new"] == 0

    for suffix in ("csv", "xlsx", "jsonl"):
        file = tmp_path / f"out.{suffix}"
        code, written = run("export", str(file), "--division", "310000")
        assert code == 0 and written["rows"] > 0
        code, read = run("import", str(file), "--division", "310000")
        assert (code, read["rows"], read["unchanged"], read["failed"]) == (0, written["rows"], written["rows"], 0)
        assert query(database, f"SELECT rows FROM registry.catalogue_import WHERE import_id = '{read['import_id']}'") == [
            (written["rows"],)
        ]


def test_broken_rows_give_exit_code_1_and_what_cannot_run_2(database: str, tmp_path: Path) -> None:
    file = tmp_path / "目录.csv"
    file.write_text("统一社会信用代码,类型,编号,名称\nx,服务项目,F1,检测\n", encoding="gb18030")
    code, told = run("import", str(file), "--division", "310000")
    assert (code, told["failed"], told["errors"][0]["column"]) == (1, 1, "provider")
    assert run("import", str(file), "--division", "31")[0] == 2
    assert run("import", str(tmp_path / "none.csv"), "--division", "310000")[0] == 2
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    assert run("import", str(file), "--division", "310000")[0] == 2
    assert run("import", str(tmp_path), "--division", "310000")[0] == 2
    assert run("load", str(tmp_path))[0] == 2
    assert run("dedupe", "--truth", str(file))[0] == 2


def test_a_provider_that_another_province_admitted_is_reported_not_moved(database: str, tmp_path: Path) -> None:
    heading = "uscc,name,home,categories,admitted_on,rating\n"
    row = "12310104425001236Q,材料研究所,{},RESEARCH,2020-01-01,{}\n"
    (tmp_path / "providers-310000.csv").write_text(heading + row.format("310104", 400), encoding="utf-8")
    (tmp_path / "providers-320000.csv").write_text(heading + row.format("320500", 400) + row.format("310104", "x"), encoding="utf-8")
    (tmp_path / "entries-310000.csv").write_text("provider,kind,code,name\n", encoding="utf-8")
    code, told = run("load", str(tmp_path))
    assert (code, told["providers"], told["providers_failed"]) == (1, 3, 2)
    assert [(error["row"], error["column"], error["code"]) for error in told["errors"]] == [
        (3, "rating", "INVALID_ARGUMENT"),
        (2, "uscc", "ALREADY_EXISTS"),
    ]
    (tmp_path / "providers-310000.csv").write_text(heading + row.format("310104", 450), encoding="utf-8")
    assert query(database, "SELECT home, rating FROM registry.provider") == [("310104", 400)]
    run("load", str(tmp_path))
    assert query(database, "SELECT home, rating FROM registry.provider") == [("310104", 450)]
