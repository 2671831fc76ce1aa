"""The command line `deltahub`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. `serve` starts without loading what the other commands need, so that a role is up fast."""
    from hub.cli.main import app

    app(prog_name="deltahub", args=sys.argv[1:])
