"""Messages put together from bytes: a part that goes into several messages is serialised once."""

from __future__ import annotations

_LENGTH_DELIMITED = 2


def field(number: int, part: bytes) -> bytes:
    """Return a submessage as field `number`, below 16, of the message around it (protobuf encoding: tag, length, bytes).

    The canonical form has the fields in the order of their numbers, so what is put before the serialised rest must have lower ones.
    """
    length, size = bytearray(), len(part)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes((number << 3 | _LENGTH_DELIMITED,)) + length + part
