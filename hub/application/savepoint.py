"""A place in a batch to go back to: what an atomic group does to the working set is undone as a whole, or stays."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import fields
from typing import Any

from hub.application.batch import Keys, WorkingSet

_CONTAINERS = (dict, list, set)


class Savepoint:
    """Remembers a working set as it is: which rows there are, and the values of the rows that `keys` name.

    Rows are put back in place, since several containers hold the same note: each must still hold the same one afterwards.
    """

    def __init__(self, batch: WorkingSet, keys: Keys) -> None:
        self._batch = batch
        self._containers = _containers_of(batch)
        self._rows = [(row, _values_of(row)) for row in _rows(batch, keys)]

    def restore(self) -> None:
        """Put everything back."""
        for name, kept in self._containers.items():
            setattr(self._batch, name, kept)
        for row, values in self._rows:
            for name, value in values.items():
                setattr(row, name, value)


def _containers_of(batch: WorkingSet) -> dict[str, Any]:
    values = ((item.name, getattr(batch, item.name)) for item in fields(batch))
    return {name: copy(value) for name, value in values if isinstance(value, _CONTAINERS)}


def _values_of(row: Any) -> dict[str, Any]:
    values = ((item.name, getattr(row, item.name)) for item in fields(row))
    return {name: copy(value) if isinstance(value, _CONTAINERS) else value for name, value in values}


def _rows(batch: WorkingSet, keys: Keys) -> Iterator[Any]:
    redemptions = [batch.redemptions[key] for key in keys.redemptions if key in batch.redemptions]
    yield from redemptions
    for key in keys.orders.union(item.order for item in redemptions):
        if key in batch.orders:
            yield batch.orders[key]
    for wallet_key in keys.wallets.union(item.wallet for item in redemptions):
        if wallet_key in batch.wallets:
            yield batch.wallets[wallet_key]
            yield from batch.wallets[wallet_key].notes
