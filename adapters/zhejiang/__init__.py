"""Zhejiang (330000): JSON Lines with pinyin field names, from province, city and county issuers."""

from pathlib import Path

from adapters.runtime.model import Adapter
from adapters.runtime.source import Source, SourceSettings
from adapters.zhejiang import connector, mapping, unmapping


def _connect(settings: SourceSettings) -> Source:
    # Only who exchanges with the province needs what reads its tree.
    from adapters.zhejiang.source import connect

    return connect(settings)


ADAPTER = Adapter(
    name="zhejiang",
    division="330000",
    title_zh="浙江省科技创新券平台（省、市、县三级）",
    title_en="Zhejiang innovation voucher platform (province, city, county)",
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
