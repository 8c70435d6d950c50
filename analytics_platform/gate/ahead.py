"""Lets the steps of a batch work at the same time: while one item is used, the next is made."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def in_background(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Give the same items, each made in a thread while the one before is used, so that one is waiting at most.

    What making an item raises is raised here. Close the generator if it is not used up: that ends the thread.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as background:
        coming = background.submit(next, iterator, None)
        while (item := coming.result()) is not None:
            coming = background.submit(next, iterator, None)
            yield item
