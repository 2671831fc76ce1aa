"""Finding adapters: each is an entry point of the group `deltahub.adapters`, so that a fifth province edits nothing here."""

from __future__ import annotations

from importlib.metadata import entry_points

from adapters.runtime.model import Adapter

GROUP = "deltahub.adapters"


def list_adapters() -> list[Adapter]:
    """Return all installed adapters by division; raise TypeError if an entry point is not one."""
    return sorted((_load(point.name) for point in entry_points(group=GROUP)), key=lambda adapter: adapter.division)


def find_adapter(name: str) -> Adapter:
    """Return an adapter by its name or its division; raise LookupError naming those that exist."""
    adapters = list_adapters()
    for adapter in adapters:
        if name in (adapter.name, adapter.division):
            return adapter
    raise LookupError(f"no adapter {name!r}; installed are {', '.join(each.name for each in adapters)}")


def _load(name: str) -> Adapter:
    (point,) = entry_points(group=GROUP, name=name)
    found = point.load()
    if not isinstance(found, Adapter):
        raise TypeError(f"entry point {point.value} of {GROUP} is not an Adapter")
    return found
