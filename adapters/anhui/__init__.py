"""Anhui (340000): XLSX workbooks from its cities. The province co-funds and never issues."""

from pathlib import Path

from adapters.anhui import connector, mapping, source, unmapping
from adapters.runtime.model import Adapter

ADAPTER = Adapter(
    name="anhui",
    division="340000",
    title_zh="安徽省各市科技创新券台账",
    title_en="Workbooks of Anhui's cities",
    folder=Path(__file__).parent,
    codes=mapping.CODES,
    kinds=connector.kinds,
    read=connector.read,
    map=mapping.map_record,
    write=connector.write,
    load=connector.load,
    connect=source.connect,
    unmap=unmapping.unmap,
    editions=True,
    mapped=mapping.MAPPED,
    dropped=mapping.DROPPED,
)
