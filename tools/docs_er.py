"""docs/er.md: the tables of the ledger and the pool, as a Mermaid diagram and as lists, from the SQLModel metadata."""

from __future__ import annotations

import inspect

from sqlalchemy import CheckConstraint, Column, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

import hub.ledger.exchange_tables
import hub.ledger.tables
import registry.admission.tables
import registry.catalogue.tables
import registry.credit.tables
import registry.demand.tables
import registry.quality.tables
import registry.recognition.tables
import registry.search.tables
import registry.tables

MODULES = (
    hub.ledger.tables,
    hub.ledger.exchange_tables,
    registry.tables,
    registry.admission.tables,
    registry.recognition.tables,
    registry.catalogue.tables,
    registry.search.tables,
    registry.demand.tables,
    registry.quality.tables,
    registry.credit.tables,
)

HEAD = """# Tables

PostgreSQL, from the models in `hub/ledger/tables.py`, `hub/ledger/exchange_tables.py`, `registry/tables.py` and the `tables.py` of each of
registry's packages; `hub/migrations` makes them. Amounts are bigint fen. The pool's tables are in the schema `registry`.
Solid lines are foreign keys. Dotted lines are references that the code keeps and the database does not check.

"""

# (child, its columns, parent): what rows name without a foreign key. Checked below against the tables.
REFERENCES = (
    ("voucher", ("issuer", "enterprise"), "wallet"),
    ("quota", ("issuer", "enterprise"), "wallet"),
    ("wallet", ("enterprise",), "enterprise"),
    ("redemption", ("issuer", "enterprise"), "wallet"),
    ("redemption", ("provider", "order_no"), "service_order"),
    ("redemption", ("policy_id",), "policy"),
    ("redemption", ("provider",), "registry.provider"),
    ("journal", ("redemption_id",), "redemption"),
    ("journal", ("issuer", "enterprise"), "wallet"),
    ("invoice_use", ("provider", "invoice_no"), "invoice"),
    ("invoice_use", ("redemption_id",), "redemption"),
    ("voucher_application", ("issuer", "enterprise"), "wallet"),
    ("idempotency", ("participant_id",), "participant"),
    ("registry.negative_list", ("enterprise",), "enterprise"),
    ("registry.negative_list", ("record_id",), "registry.credit_record"),
    ("registry.suspension", ("record_id",), "registry.credit_record"),
    ("registry.provider_version", ("application_id",), "registry.admission_application"),
    ("registry.admission_application", ("provider",), "registry.provider"),
    ("registry.catalogue_version", ("entry_id",), "registry.catalogue_entry"),
    ("registry.provider_merge", ("proposal_id",), "registry.merge_proposal"),
    ("registry.search_text", ("doc_id",), "registry.search_document"),
    ("registry.demand", ("enterprise",), "enterprise"),
    ("registry.demand_invitation", ("provider",), "registry.provider"),
    ("registry.appointment", ("provider", "order_no"), "service_order"),
    ("registry.review", ("provider", "order_no"), "service_order"),
    ("registry.credit_bucket", ("participant_id",), "participant"),
)


def render() -> str:
    tables = _tables()
    parts = [HEAD, "```mermaid\nerDiagram\n", *(_entity(table) for table, _ in tables), *_lines(dict(tables)), "```\n"]
    parts += [_section(table, text) for table, text in tables]
    return "".join(parts)


def _tables() -> list[tuple[Table, str]]:
    found = []
    for module in MODULES:
        for _, model in inspect.getmembers(module, inspect.isclass):
            if issubclass(model, SQLModel) and model.__module__ == module.__name__:
                found.append((model.__table__, inspect.cleandoc(model.__doc__ or "")))  # type: ignore[attr-defined]
    order = list(SQLModel.metadata.tables)
    return sorted(found, key=lambda pair: order.index(pair[0].fullname))


def _type(column: Column[object]) -> str:
    text = str(column.type.compile(dialect=postgresql.dialect())).lower()
    return {"timestamp with time zone": "timestamptz"}.get(text, text)


def _name(table: str) -> str:
    return f'"{table}"' if "." in table else table


def _entity(table: Table) -> str:
    lines = []
    for column in table.columns:
        key = "PK" if column.primary_key else "FK" if column.foreign_keys else ""
        both = "PK, FK" if column.primary_key and column.foreign_keys else key
        lines.append(f"    {_type(column)} {column.name} {both}".rstrip())
    return f"  {_name(table.fullname)} {{\n" + "\n".join(lines) + "\n  }\n"


def _lines(tables: dict[Table, str]) -> list[str]:
    known = {table.fullname: table for table in tables}
    lines = []
    for table in tables:
        for constraint in sorted(table.foreign_key_constraints, key=lambda item: list(item.column_keys)):
            label = ", ".join(constraint.column_keys)
            lines.append(f'  {_name(constraint.referred_table.fullname)} ||--o{{ {_name(table.fullname)} : "{label}"\n')
    for child, columns, parent in REFERENCES:
        assert parent in known and set(columns) <= set(known[child].columns.keys()), f"{child}{columns} -> {parent} is no reference"
        lines.append(f'  {_name(parent)} ||..o{{ {_name(child)} : "{", ".join(columns)}"\n')
    return lines


def _section(table: Table, text: str) -> str:
    key = ", ".join(f"`{column.name}`" for column in table.primary_key.columns)
    notes = [f"Key: {key}."]
    checks = sorted(str(item.sqltext) for item in table.constraints if isinstance(item, CheckConstraint))
    notes += [f"Check: `{check}`." for check in checks]
    unique = [item for item in table.constraints if isinstance(item, UniqueConstraint)]
    notes += [f"Unique: {', '.join(f'`{column.name}`' for column in item.columns)}." for item in unique]
    return f"\n## {table.fullname}\n\n{' '.join(text.split())}\n{' '.join(notes)}\n"
