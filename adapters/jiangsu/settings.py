"""The `source` section of Jiangsu's adapter settings."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adapters.runtime.given import Given, SecretRef

Folder = Annotated[str, Field(min_length=1)]


class SftpGiven(Given):
    """Where the SFTP server is and how it is known. `root` is the folder there; the other folders lie below it."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    user: Annotated[str, Field(min_length=1)]
    root: Folder = "."
    known_hosts: Path
    key_file: Path | None = None
    key_passphrase: SecretRef | None = None
    password: SecretRef | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.key_file is None) == (self.password is None):
            raise ValueError("give either key_file or password")
        if self.key_passphrase is not None and self.key_file is None:
            raise ValueError("key_passphrase needs key_file")
        return self


class JiangsuGiven(Given):
    """Either a `folder` of this machine or a server under `sftp`; below it `inbox`, `archive` and `results`.

    `history` is a folder of older files for backfill besides the archive. `checksum` names the digest of the files beside: `.sha256` or
    `.sm3`. A file that is not whole, or not understood, is told after `stuck_after_seconds`.
    """

    folder: Path | None = None
    sftp: SftpGiven | None = None
    inbox: Folder = "inbox"
    archive: Folder = "archive"
    results: Folder = "results"
    history: Folder | None = None
    checksum: Literal["sha256", "sm3"] = "sha256"
    stuck_after_seconds: Annotated[float, Field(ge=0)] = 1800.0

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.folder is None) == (self.sftp is None):
            raise ValueError("give either folder or sftp")
        folders = [self.inbox, self.archive, self.results, *([self.history] if self.history else [])]
        if any(PurePosixPath(each).is_absolute() or ".." in PurePosixPath(each).parts for each in folders):
            raise ValueError("inbox, archive, results and history lie below folder or sftp.root: give relative names")
        plain = [str(PurePosixPath(each)) for each in folders]
        if len(set(plain)) != len(plain):
            raise ValueError("inbox, archive, results and history must be different folders")
        return self
