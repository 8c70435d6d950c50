"""What the demo prints about a figure."""

from __future__ import annotations

import pytest

from analytics_platform.demo.comparison import Compared


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((1234, 1234), ["1,234", "1,234"]),
        (("1.5000", "2.5000"), ["1.5000", "2.5000"]),
        (({"a": 1, "b": 2}, {"a": 1, "b": 2}), ["2 values", "2 values"]),
        (({"a": 1, "b": 2}, {"a": 1, "b": 3}), ["b: 2", "b: 3"]),
        (({"a": 1}, {"a": 1, "b": 3}), ["b: missing", "b: 3"]),
        (({"a": 1}, None), ["a: 1", "a: missing"]),
    ],
)
def test_a_figure_of_many_values_shows_the_first_one_that_differs(values: tuple[object, ...], texts: list[str]) -> None:
    assert Compared(("clickstream", "events_by_day"), values).texts == texts
