"""The province's system as two folders: one in which its files appear, one in which it finds its results."""

from __future__ import annotations

from pathlib import Path

from adapters.runtime.folder import FolderSource
from adapters.runtime.given import Given, checked
from adapters.runtime.plain.files import Files
from adapters.runtime.source import Source, SourceSettings


class FolderSection(Given):
    """The `source` section: `outbox`, where the province leaves its files, and `inbox`, where it looks for results.

    A file is complete when it has its name: the province writes under another one (`.part`) and renames. It is left where it is; one
    that comes again with other bytes is read again.
    """

    outbox: Path
    inbox: Path


def connect(settings: SourceSettings, files: Files) -> Source:
    """Return the source of the settings; raise SourceFault naming the key at fault."""
    section = checked(FolderSection, settings.given)
    return FolderSource(section.outbox, files.kinds, section.inbox)
