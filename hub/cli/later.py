"""Groups of commands that are loaded when one of them is asked for: a role that starts pays for no other command's imports."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


def later(module: str) -> type[TyperGroup]:
    """Return a kind of group whose commands are those that `module` adds by its `register(app)`, imported at first use."""

    class Later(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            self._load()
            return super().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            self._load()
            return super().get_command(ctx, cmd_name)

        def _load(self) -> None:
            if not self.commands:
                group = typer.Typer()
                import_module(module).register(group)
                self.commands.update(get_group(group).commands)

    return Later
