"""Opens the way to Jiangsu's files."""

from __future__ import annotations

from adapters.jiangsu.digests import able
from adapters.jiangsu.settings import JiangsuGiven, SftpGiven
from adapters.jiangsu.source import DropSource
from adapters.jiangsu.store import LocalStore, Store
from adapters.runtime.given import checked
from adapters.runtime.source import SourceFault, SourceSettings


def connect(settings: SourceSettings) -> DropSource:
    """Return the source of the settings; raise SourceFault naming the key at fault. An SFTP server is called when it is needed."""
    given = checked(JiangsuGiven, settings.given)
    able(given.checksum)
    store = LocalStore(given.folder) if given.folder is not None else _remote(given.sftp)
    return DropSource(given, store, settings.landing, settings.clock, look_only=settings.look_only)


def _remote(given: SftpGiven | None) -> Store:
    assert given is not None  # the settings have one of the two
    try:
        from adapters.jiangsu.sftp import SftpStore
    except ImportError as error:
        raise SourceFault(f"settings: source.sftp: the SFTP library is not installed ({error.name}): install deltahub[sftp]") from None
    return SftpStore(given)
