"""Jiangsu (320000): CSV in GB18030, dropped nightly."""

from pathlib import Path

from adapters.jiangsu import connecting, connector, mapping, unmapping
from adapters.runtime.model import Adapter

ADAPTER = Adapter(
    name="jiangsu",
    division="320000",
    title_zh="江苏省科技创新券管理系统",
    title_en="Jiangsu innovation voucher system",
    folder=Path(__file__).parent,
    codes=mapping.CODES,
    kinds=connector.kinds,
    read=connector.read,
    map=mapping.map_record,
    write=connector.write,
    load=connector.load,
    connect=connecting.connect,
    unmap=unmapping.unmap,
    mapped=mapping.MAPPED,
    dropped=mapping.DROPPED,
)
