"""What `gate.ahead` promises: the same items, one ahead at most, errors raised, no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.gate.ahead import in_background


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")}


@given(st.lists(st.integers()))
def test_the_items_are_the_same_in_the_same_order(items: list[int]) -> None:
    assert list(in_background(items)) == items


def test_at_most_one_item_is_made_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            yield number

    for used, _ in enumerate(in_background(items())):
        assert len(made) <= used + 2


def test_an_error_in_the_making_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the file is gone")

    found = in_background(items())
    assert next(found) == 1
    with pytest.raises(OSError, match="the file is gone"):
        next(found)
    assert not threads()


def test_closing_it_early_ends_the_thread() -> None:
    found = in_background(iter(range(9)))
    next(found)
    found.close()
    assert not threads()
