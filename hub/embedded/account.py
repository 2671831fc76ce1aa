"""Which account an embedded server runs under. PostgreSQL refuses to run as root, so root lends it an unprivileged account."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine; `switch` says whether processes have to change to it."""

    uid: int
    gid: int
    switch: bool

    def spawn_options(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.run` that make a child run under the account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def own(self, path: Path) -> None:
        """Hand `path` over to the account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def let_through(self, path: Path) -> None:
        """Let the account traverse the directories above `path` (search permission only, nothing becomes readable)."""
        if not self.switch:
            return
        for parent in path.resolve().parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


def server_account() -> Account:
    """Return the present account, or `nobody` where the present one is root."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid, switch=True)
