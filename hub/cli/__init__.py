"""The command line `deltahub`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. `serve` starts without loading what the other commands need, so that a role is up fast.

    Exits with 2 where the compiled engine is not of these sources, before anything of it is loaded.
    """
    from hub import engine

    if (problem := engine.problem()) is not None:
        print(f"deltahub: {problem}", file=sys.stderr)
        sys.exit(2)
    from hub.cli.main import app

    app(prog_name="deltahub", args=sys.argv[1:])
