"""The way to Shanghai's platform: pages pulled by cursor, changes taken from its webhook, results put back.

The feed is in the order of change, so pulling alone misses nothing; the webhook only brings it sooner. What was posted and is older than
what a pull has seen the end of has come by the pull: it is acknowledged and not landed, so that a late message never undoes a newer one.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.runtime.given import checked
from adapters.runtime.source import Delivery, Landing, SourceFault, SourceSettings
from adapters.shanghai.connector import RESOURCES
from adapters.shanghai.pages import Page, head_of
from adapters.shanghai.platform import CursorExpired, Platform
from adapters.shanghai.settings import ShanghaiGiven
from adapters.shanghai.webhook import Listener, seen_key

log = logging.getLogger(__name__)

_RESULT = "-result.json"


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a feed was taken: the cursor to ask with next, and the number of the last page."""

    next: str = ""
    page: int = 0


class ShanghaiSource:
    """Implements Source. The listener starts with the first pull: another command beside the running adapter needs none."""

    def __init__(self, settings: SourceSettings) -> None:
        """Raises SourceFault naming the key at fault."""
        self._given = checked(ShanghaiGiven, settings.given)
        self._platform = Platform(self._given, settings.clock)
        self._listener = Listener(self._given.webhook, settings.landing, settings.clock) if self._given.webhook else None
        self._listens = not settings.look_only
        self._turn = 0

    @property
    def webhook_port(self) -> int:
        """The port of the listener; 0 where there is none yet."""
        return self._listener.port if self._listener else 0

    def pull(self, landing: Landing) -> bool:
        """Land one page of what changed; False once all resources were asked and none had any. Raises SourceDown and SourceFault."""
        if self._listener and self._listens:
            self._listener.start()
        return self._round(landing, "pull", {}, "{resource}-{page:06d}.json")

    def backfill(self, landing: Landing, since: str, until: str) -> bool:
        """Land one page of what changed in those days, both included. Raises SourceDown and SourceFault."""
        name = f"{{resource}}-backfill-{since.replace('-', '')}-{until.replace('-', '')}-{{page:06d}}.json"
        return self._round(landing, f"backfill/{since}/{until}", {"updatedSince": since, "updatedUntil": until}, name)

    def taken(self, delivery: Delivery) -> None:
        """Nothing: the cursor is the acknowledgement, and it is ours."""

    def push(self, files: Sequence[Path]) -> None:
        """Put each result document under its digest: put again it is the same document. Raises SourceDown and SourceFault."""
        for file in files:
            if file.name.endswith(_RESULT):
                body = file.read_bytes()
                self._platform.put(f"/results/{file.name.removesuffix(_RESULT)}/{hashlib.sha256(body).hexdigest()}", body)

    def close(self) -> None:
        """Stop listening, then close the connections."""
        if self._listener:
            self._listener.close()
        self._platform.close()

    def _round(self, landing: Landing, feed: str, extra: Mapping[str, str], name: str) -> bool:
        """Ask resource after resource, firms before orders, until one has a page. One at fault does not keep the others waiting."""
        for _ in RESOURCES:
            resource = RESOURCES[self._turn % len(RESOURCES)]
            try:
                if self._page(landing, resource, f"{feed}/{resource}", extra, name):
                    return True
            except SourceFault:
                self._turn += 1
                raise
            self._turn += 1
        return False

    def _page(self, landing: Landing, resource: str, key: str, extra: Mapping[str, str], name: str) -> bool:
        place = _Place(**json.loads(landing.cursor(key) or "{}"))
        params: dict[str, str | int] = {"limit": self._given.page_size, **extra}
        if place.next:
            params["cursor"] = place.next
        try:
            got = self._platform.get(f"/{resource}", params)
        except CursorExpired:
            if not place.next:
                raise SourceFault(f"{resource}: the platform says a cursor expired and was given none; tell its operator") from None
            # From the beginning: what came before comes again, and has no second effect.
            log.warning("the platform no longer knows the cursor of %s: the feed begins anew", key)
            landing.keep(key, _text(_Place(page=place.page)))
            return True
        page = self._checked(got.body, resource, place)
        after = _text(_Place(page.next, place.page + bool(page.items)))
        if page.items:
            landing.put(name.format(resource=resource, page=place.page + 1), [got.body], cursor=(key, after))
            return True
        if page.next and page.next != place.next:
            landing.keep(key, after)
        if self._listener and not extra and got.at:
            landing.keep(seen_key(resource), got.at.isoformat())
        return False

    def _checked(self, body: bytes, resource: str, place: _Place) -> Page:
        try:
            page = head_of(body)
            if page.items and (not page.next or page.next == place.next):
                raise ValueError("`next` does not move on")
        except ValueError as error:
            raise SourceFault(f"{resource}, page {place.page + 1}: {error}; tell the platform's operator, it is asked again") from None
        return page


def _text(place: _Place) -> str:
    return json.dumps({"next": place.next, "page": place.page})


def connect(settings: SourceSettings) -> ShanghaiSource:
    """Return the way to the platform; raise SourceFault naming the setting at fault."""
    return ShanghaiSource(settings)
