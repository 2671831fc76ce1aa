"""`deltahub adapter`."""

from __future__ import annotations

import typer

from hub.cli import adapter_mending, adapter_new, adapter_reconcile, adapter_running


def register(app: typer.Typer) -> None:
    """Add the commands."""
    adapter_running.register(app)
    adapter_mending.register(app)
    adapter_reconcile.register(app)
    adapter_new.register(app)
