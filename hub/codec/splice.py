"""Messages put together from bytes: a part that goes into several messages, or into one after the other, is serialised once.

Protobuf writes an embedded message as its field's key, its length and its bytes, so that messages one inside the other are made from the
inside out (protobuf encoding, Submessages). The canonical form has the fields in the order of their numbers: what is put before the
serialised rest of a message must have lower ones, what is put behind it higher ones.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

_LENGTH_DELIMITED: Final = 2
_BYTES: Final = tuple(bytes((number,)) for number in range(256))


def written(message: Message) -> bytes:
    """Return a message in its canonical form: the same fields are the same bytes, maps included."""
    return message.SerializeToString(deterministic=True)


def varint(value: int) -> bytes:
    """Return a number that is not negative as protobuf writes it: seven bits a byte, the lowest first."""
    done = b""
    while value > 0x7F:
        done += _BYTES[value & 0x7F | 0x80]
        value >>= 7
    return done + _BYTES[value]


def field(number: int, part: bytes) -> bytes:
    """Return the field of that number that holds the message, text or bytes `part`."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(part)) + part


def fields(number: int, parts: list[bytes]) -> bytes:
    """Return the repeated field of that number that holds the messages `parts`."""
    done = b""
    for part in parts:
        done += field(number, part)
    return done
