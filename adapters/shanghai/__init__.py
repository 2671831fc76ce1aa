"""Shanghai (310000): JSON over HTTP, pages with a cursor, electronic vouchers without notes."""

from pathlib import Path

from adapters.runtime.model import Adapter
from adapters.runtime.source import Source, SourceSettings
from adapters.shanghai import connector, mapping, unmapping


def _connect(settings: SourceSettings) -> Source:
    # Only who exchanges with the platform needs a client and a server for it.
    from adapters.shanghai.source import connect

    return connect(settings)


ADAPTER = Adapter(
    name="shanghai",
    division="310000",
    title_zh="上海市科技创新券服务平台",
    title_en="Shanghai innovation voucher platform",
    folder=Path(__file__).parent,
    codes=mapping.CODES,
    kinds=connector.kinds,
    read=connector.read,
    map=mapping.map_record,
    write=connector.write,
    load=connector.load,
    connect=_connect,
    unmap=unmapping.unmap,
    mapped=mapping.MAPPED,
    dropped=mapping.DROPPED,
)
