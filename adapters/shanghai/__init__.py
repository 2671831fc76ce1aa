"""Shanghai (310000): JSON over HTTP, pages with a cursor, electronic vouchers without notes."""

from pathlib import Path

from adapters.runtime.model import Adapter
from adapters.shanghai import connector, mapping

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
    mapped=mapping.MAPPED,
    dropped=mapping.DROPPED,
)
