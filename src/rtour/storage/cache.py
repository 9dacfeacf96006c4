"""A bounded memory of durable rows: the least recently used leave first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

MISSING: Any = object()


class Cache:
    """Values under keys, within a count and an estimated number of bytes."""

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: OrderedDict[object, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: object) -> Any:
        """The value, now the most recently used, or MISSING."""
        item = self._items.get(key)
        if item is None:
            return MISSING
        self._items.move_to_end(key)
        return item[0]

    def put(self, key: object, value: Any, size: int) -> None:
        self.drop(key)
        if size > self._max_bytes // 8:
            return  # one giant would drive out all others
        self._items[key] = (value, size)
        self.bytes += size
        while len(self._items) > self._max_items or self.bytes > self._max_bytes:
            _, (_, freed) = self._items.popitem(last=False)
            self.bytes -= freed

    def drop(self, key: object) -> None:
        item = self._items.pop(key, None)
        if item is not None:
            self.bytes -= item[1]

    def grow(self, key: object, by: int) -> None:
        """The value under a key that is there has become larger."""
        value, size = self._items[key]
        self.put(key, value, size + by)
