"""Products that events give by name only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.transform import DayRange
from analytics_platform.warehouse.touched import days_after
from analytics_platform_tests.kit import (
    Row,
    build,
    built_platform,
    click,
    contents,
    load_rows,
    loaded_days,
    needed,
    platform_on,
)

TABLES = needed(
    *("star.fact_event_items", "star.fact_order_items", "star.fact_refunds", "marts.product_performance"),
    *("marts.bought_together", "marts.product_daily", "ops.reconciliations"),
)


def seen(at: str, *items: dict[str, object], name: str = "product_viewed", **data: object) -> Row:
    """An event about items."""
    return click("ada", at, name, data={"items": list(items), **data})


def test_an_item_without_id_is_the_product_with_its_unique_name(tmp_path: Path) -> None:
    rows = [
        seen("2024-03-01T10:00:00Z", {"item_name": "Lamp"}),
        seen("2024-03-02T10:00:00Z", {"item_id": "1", "item_name": "Lamp"}, {"item_id": "2", "item_name": "Desk"}),
        seen(
            "2024-03-03T10:00:00Z", {"item_name": "Desk"}, {"item_id": "3", "item_name": "Desk"}, {"item_name": "Sofa"}
        ),
        seen(
            "2024-03-04T10:00:00Z",
            {"item_name": "Lamp", "price": 20},
            {"item_id": "2", "price": 5},
            name="checkout_completed",
            transaction_id="t",
            value=25,
        ),
    ]
    with built_platform(tmp_path, rows, TABLES) as session:
        found = session.rows(
            "SELECT product_name, product_id FROM star.fact_event_items WHERE product_name IS NOT NULL "
            "ORDER BY event_at, item_index"
        )
        assert found == [
            *[("Lamp", "1"), ("Lamp", "1"), ("Desk", "2")],
            *[("Desk", None), ("Desk", "3"), ("Sofa", None), ("Lamp", "1")],
        ]
        assert session.rows("SELECT product_id, revenue FROM marts.product_daily WHERE revenue > 0 ORDER BY 1") == [
            ("1", 20),
            ("2", 5),
        ]
        assert session.rows("SELECT views FROM marts.product_performance WHERE product_id = '1'") == [(2,)]
        pairs = session.rows("SELECT product_id, other_product_id FROM marts.bought_together ORDER BY 1")
        assert pairs == [("1", "2"), ("2", "1")]


ITEMS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["", "1", "2", "3"]), st.sampled_from(["Lamp", "Desk", ""])),
    min_size=2,
    max_size=10,
)


NAMED = needed("star.fact_event_items", "marts.product_performance")
FAR = 40
"""Days between two that are built: more than any window, so that only a name can lead from one to the other."""


def _rows(drawn: Sequence[tuple[int, str, str]], minute: int) -> list[Row]:
    start = dt.datetime(2024, 3, 1, 10, minute, tzinfo=dt.UTC)
    return [
        seen((start + dt.timedelta(days=FAR * day, seconds=place)).isoformat(), {"item_id": product, "item_name": name})
        for place, (day, product, name) in enumerate(drawn)
    ]


@settings(max_examples=max(1, settings().max_examples // 50), deadline=None, suppress_health_check=list(HealthCheck))
@example([(0, "", "Lamp"), (1, "1", "Lamp")], [(4, "2", "Lamp")])
@example([(1, "", "Lamp"), (0, "1", "Lamp")], [(4, "2", "Lamp")])
@example([(4, "", "Desk"), (0, "3", "Desk")], [(4, "", "Desk")])
@given(ITEMS, ITEMS)
def test_any_names_told_late_end_in_the_same_tables(
    early: list[tuple[int, str, str]], late: list[tuple[int, str, str]]
) -> None:
    assert_same_tables("duckdb", early, late)


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_name_that_is_told_later_is_found_on_the_days_before(kind: str) -> None:
    assert_same_tables(kind, [(0, "", "Lamp"), (1, "", "Desk")], [(4, "1", "Lamp")])


def assert_same_tables(kind: str, early: Sequence[tuple[int, str, str]], late: Sequence[tuple[int, str, str]]) -> None:
    """Load items, then others on a later day; compare what a run builds with building all days at once."""
    with TemporaryDirectory() as folder, platform_on(kind, Path(folder)) as made, made.session() as session:
        load_rows(made, session, _rows(early, 0), "early.csv")
        build(session, loaded_days(session), made.settings, NAMED)
        load_rows(made, session, _rows([(4, *named) for _, *named in late], 30), "late.csv")
        (batch,) = session.one("SELECT batch_id FROM ops.pipeline_logs WHERE input = 'late.csv'")
        days = days_after(session, [batch], made.settings)
        build(session, DayRange(min(days), max(days)), made.settings, NAMED)
        found = contents(session, NAMED - {"star.dim_date"})  # days between the files are not built
        build(session, loaded_days(session), made.settings, NAMED)
        assert found == contents(session, NAMED - {"star.dim_date"})
