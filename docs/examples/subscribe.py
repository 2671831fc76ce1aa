"""The events of a province and of the pool without Kafka; started again, it goes on where it ended.

    deltahub certs issue 330000 ./zhejiang       # the platform of a whole province
    python subscribe.py ./zhejiang

The hub's addresses may follow: `… ./zhejiang localhost:8443 localhost:8080`. It runs until Ctrl-C. The cursor is kept in `cursor.txt` of
the identity folder; a real platform keeps it in the transaction that stores what it made of the event.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from hub.client import HubClient
from yrd.events.v1 import events_pb2, subscription_pb2

EVENTS = events_pb2.DESCRIPTOR.package


def read_cursor(kept: Path) -> str:
    """Return the cursor that was kept; empty begins with the oldest event the hub has."""
    return kept.read_text() if kept.exists() else ""


def keep_cursor(kept: Path, cursor: str) -> None:
    """Keep a cursor, whole or not at all: a file cut off half way would begin everything anew."""
    written = kept.with_suffix(".new")
    written.write_text(cursor)
    written.replace(kept)


def show(event: subscription_pb2.Event) -> None:
    """Print an event, with the names of what it tells."""
    message = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(event.type)).FromString(event.data)
    told = ", ".join(field.name for field, _ in message.ListFields())
    print(f"{event.id:>4}  {'pool' if event.pool else 'own '}  {event.key}  {event.type.removeprefix(f'{EVENTS}.')}({told})", flush=True)


async def main(folder: str, grpc_address: str = "localhost:8443", web_address: str = "localhost:8080") -> None:
    """Show each event, then keep its cursor."""
    kept = Path(folder, "cursor.txt")
    async with HubClient(grpc_address, web_address, Path(folder)) as hub:
        async for event in hub.subscribe(read_cursor(kept)):
            show(event)
            keep_cursor(kept, event.cursor)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        raise SystemExit(__doc__)
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
