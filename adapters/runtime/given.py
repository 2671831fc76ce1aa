"""What an operator wrote in the `source` section, checked: a slip is told with its key, and secrets are named, never written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from adapters.runtime.source import SourceFault


class Given(BaseModel):
    """Base of a province's `source` section: a key it does not know is refused, and nothing changes after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretRef(Given):
    """Where a secret is: `env`, the name of an environment variable, or `file`, a path. The secret itself never stands in the settings."""

    env: str = ""
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.env) == (self.file is not None):
            raise ValueError("give either env (the name of a variable) or file (a path)")
        return self

    def read(self) -> str:
        """Return the secret as it is now, so that a file renewed in place needs no restart; raise SourceFault where there is none."""
        if self.file is None:
            value, place = os.environ.get(self.env, ""), f"environment variable {self.env}"
        else:
            try:
                value, place = self.file.read_text(encoding="utf-8"), str(self.file)
            except (OSError, UnicodeDecodeError) as error:
                raise SourceFault(f"the secret in {self.file} cannot be read ({type(error).__name__}): mend file or rights") from None
        if not value.strip():
            raise SourceFault(f"there is no secret in {place}: put it there and start again")
        return value.strip()


GivenT = TypeVar("GivenT", bound=Given)


def checked(model: type[GivenT], given: Mapping[str, object]) -> GivenT:
    """Return the section as `model`; raise SourceFault naming every key at fault as `source.<key>`, without what was written there."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise SourceFault("settings: " + "; ".join(slips(error, "source."))) from None


def slips(error: ValidationError, section: str = "") -> list[str]:
    """Return what is wrong with each key and what to do, without what was written there. `section` goes before every key."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return [_slip(f"{section}{_key(fault['loc'])}", fault["type"], fault["msg"].removeprefix("Value error, ")) for fault in faults]


def _slip(key: str, kind: str, said: str) -> str:
    if "SecretRef" in said:
        said = "a secret is not written here"
        kind = "secret"
    do = _DO.get(kind, "")
    return f"{key or 'settings'}: {said}" + (f"; {do}" if do else "")


_DO = {
    "extra_forbidden": "there is no such key: mend its name, or take it out",
    "missing": "add the key",
    "secret": "say where it is, as {env: NAME} or {file: PATH}",
}


def _key(loc: tuple[int | str, ...]) -> str:
    """Return a key as people write it: `webhook.secrets[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
