"""What changed in the data between two weeks is named beside what changed in the shop."""

import datetime as dt
from collections.abc import Callable, Sequence

import polars as pl
import pytest

from analytics_platform.reports.coverage import (
    channel_gaps,
    differences,
    empty_columns,
    missing_orders,
    silences,
    unfinished_sentence,
)
from analytics_platform.reports.findings import reservations
from analytics_platform.transform import DayRange
from analytics_platform_tests.reports.examples import NOV_1, days, facts, frame

DIRECT = " (untagged visits count as Direct then)"
BEFORE, AFTER = DayRange(NOV_1, dt.date(2026, 11, 7)), DayRange(dt.date(2026, 11, 8), dt.date(2026, 11, 14))
Row = tuple[int, int, str | None] | None
"""Accepted and rejected records of a day, and the columns that are empty on it; None without records."""
SOUND: Row = (100, 1, "")
LOST = "user_id, add_to_cart events"


@pytest.mark.parametrize(
    ("clickstream", "web_logs", "said"),
    [
        (lambda n: SOUND, lambda n: SOUND, []),
        (
            lambda n: (100, 18, "") if n > 7 else SOUND,
            lambda n: SOUND,
            ["15 % of the records of clickstream were rejected on 8–14 Nov (1.0 % on 1–7 Nov)"],
        ),
        (
            lambda n: (100, 1, "referrer") if n > 7 else SOUND,
            lambda n: None,
            ["clickstream has no referrer on 8–14 Nov"],
        ),
        (lambda n: (100, 1, "referrer"), lambda n: (100, 1, None), []),
        (
            lambda n: (9, 0, "referrer") if n > 7 else (9, 0, ""),  # few a day, and enough in a week
            lambda n: None,
            ["clickstream has no referrer on 8–14 Nov"],
        ),
        (lambda n: (6, 0, "referrer") if n > 7 else (6, 0, ""), lambda n: None, []),
        (lambda n: (45, 0, "referrer") if n in (3, 9) else (45, 0, ""), lambda n: None, []),
        (lambda n: SOUND, lambda n: None if n > 7 else SOUND, ["web_logs brought nothing on 8–14 Nov"]),
        (lambda n: SOUND, lambda n: SOUND if n > 7 else None, ["web_logs brought nothing on 1–7 Nov"]),
        (lambda n: SOUND, lambda n: None if n in (9, 12) else SOUND, ["web_logs brought nothing on 9 Nov and 12 Nov"]),
        (lambda n: SOUND, lambda n: SOUND if n % 3 == 0 else None, []),
        (lambda n: SOUND, lambda n: (0, 50, None) if n > 7 else SOUND, [
            "100 % of the records of web_logs were rejected on 8–14 Nov (1.0 % on 1–7 Nov)",
            "web_logs brought nothing on 8–14 Nov"]),
        (lambda n: None if n == 9 else SOUND, lambda n: SOUND if n < 5 else None, [
            "no source brought anything on 9 Nov", "web_logs brought nothing on 8–14 Nov"]),
        (lambda n: SOUND if n <= 7 else None, lambda n: SOUND if n > 7 else None, [
            "clickstream brought nothing on 8–14 Nov", "web_logs brought nothing on 1–7 Nov"]),
    ],
)  # fmt: skip
def test_what_differs_between_two_weeks_is_named(
    clickstream: Callable[[int], Row], web_logs: Callable[[int], Row], said: list[str]
) -> None:
    rows = [
        (dt.date(2026, 11, n), source, row[0], 0, row[1], row[2])
        for n in range(1, 15)
        for source, of in (("clickstream", clickstream), ("web_logs", web_logs))
        if (row := of(n)) is not None
    ]
    rows += [(NOV_1, "users", 5, 0, 5, None)]  # snapshots come when they come
    assert differences(frame("quality", rows), BEFORE, AFTER) == said


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ([3, 2, 4, 3, 0, 0, 0], ["visits came and no order on 5–7 Nov"]),
        ([0, 0, 3, 2, 4, 3], ["visits came and no order on 1–2 Nov"]),
        ([9, 0, 9, 9, 0, 0], ["visits came and no order on 2 Nov and 5–6 Nov"]),
        ([3, 0, 3, 3, 0], []),  # by chance
        ([1, 0, 1, 0, 0, 0, 0], []),
        ([0] * 9, []),  # no order ever: the report says so
    ],
)
def test_days_on_which_orders_ended_are_named(orders: list[int], said: list[str]) -> None:
    found = days(*[(30, number, 9 * number) for number in orders])
    assert [*missing_orders(found)] == said
    quiet = found.with_columns(sessions=pl.when(pl.col("orders") > 0).then("sessions").otherwise(0))
    assert [*missing_orders(quiet)] == []


def test_rejected_records_that_came_again_are_no_difference() -> None:
    rows = [(NOV_1 + dt.timedelta(n), "app", 100, 0, 18 * (n > 6), "", None, 18 * (n > 6)) for n in range(14)]
    assert differences(frame("quality", rows), BEFORE, AFTER) == []


@pytest.mark.parametrize(
    ("since", "said"),
    [
        (7, ["clickstream has events of unknown name (Bestellung) on 8–14 Nov only"]),
        (9, ["clickstream has events of unknown name (Bestellung) on 10–14 Nov only"]),
        (12, ["no source brought anything on 14 Nov"]),  # a name of one day
        (0, []),  # of both weeks
    ],
)
def test_events_that_have_another_name_in_one_of_two_weeks_are_named(since: int, said: list[str]) -> None:
    rows = [
        (NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, "", "Bestellung, wave" if n >= since else "wave")
        for n in range(14)
    ]
    assert differences(frame("quality", rows[: 13 if since == 12 else 14]), BEFORE, AFTER) == said


def test_only_the_columns_that_a_figure_needs_are_named() -> None:
    rows = [(NOV_1, "app", 99, 0, 0, ""), (AFTER.last, "app", 99, 0, 0, "referrer, items")]
    assert [*empty_columns(frame("quality", rows), ["items"])] == ["app has no items on 14 Nov"]


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        (lambda n: ["user_id"] * (n > 7), ["app has no user_id on 9–14 Nov"]),
        (lambda n: ["user_id"] * (n < 7), ["app has no user_id on 1–7 Nov"]),
        (
            lambda n: ["add_to_cart events", "begin_checkout events"] * (n > 6),
            ["app has no add_to_cart events and no begin_checkout events on 8–14 Nov"],
        ),
        (lambda n: ["user_id"], []),  # it never had one
        (lambda n: ["purchase events"] * (n % 3 > 0), []),  # few a week
        (lambda n: ["purchase events"] * (n == 9), []),
        (lambda n: ["purchase events"] * (n > 11), ["app has no purchase events on 13–14 Nov"]),
        (lambda n: ["purchase events"] * (n > 11 or n % 2), []),
    ],
)
def test_what_few_events_have_is_named_where_its_end_is_no_chance(
    lacks: Callable[[int], list[str]], said: list[str]
) -> None:
    rows = [(NOV_1 + dt.timedelta(n), "app", 99, 0, 0, ", ".join(lacks(n))) for n in range(14)]
    assert [*empty_columns(frame("quality", rows))] == said


@pytest.mark.parametrize(
    ("subject", "columns"),
    [
        ("trends", ["user_id", "add_to_cart events"]),
        ("customers", ["user_id"]),
        ("orphans", ["user_id"]),
        ("attribution", ["user_id"]),
        ("funnel", ["add_to_cart events"]),
        ("lists", ["add_to_cart events"]),
        ("devices", []),
    ],
)
def test_each_section_names_what_its_figures_lack(subject: str, columns: list[str]) -> None:
    rows = [(NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, LOST if n > 6 else "") for n in range(14)]
    found = reservations(facts(days=days(*[(30, 3, 9)] * 14), quality=frame("quality", rows)))
    said = " and ".join(f"no {column}" for column in columns)
    assert list(found[subject]) == [f"clickstream has {said} on 8–14 Nov" for _ in columns[:1]]


@pytest.mark.parametrize(
    ("logs_end_on", "complete", "said"),
    [
        (14, 14, ""),
        (13, 13, "14 Nov may not be complete."),
        (
            8,
            7,
            "8–14 Nov may not be complete: the last records of web_logs are of 8 Nov.",
        ),
    ],
)
def test_days_that_may_not_be_complete_are_said_with_the_source_that_is_behind(
    logs_end_on: int, complete: int, said: str
) -> None:
    found = days(*[(10, 1, 50)] * 14, unfinished=14 - complete)
    ends = {"clickstream": 14, "web_logs": logs_end_on, "users": 8}
    rows = [(dt.date(2026, 11, n + 1), source, 9, 0, 0, "") for source, end in ends.items() for n in range(end)]
    assert unfinished_sentence(found, frame("quality", rows)) == said
    longer = days(*[(10, 1, 50)] * 15, unfinished=1)
    assert unfinished_sentence(longer, frame("quality", rows)) == (
        "15 Nov may not be complete, and is left out of comparisons."
    )


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (
            {"app": ("page_url, referrer", "page_url, referrer"), "web": ("", "")},
            [f"app has no referrer on any day of 1–2 Nov{DIRECT}"],
        ),
        ({"app": ("referrer",), "logs": ("referrer",)}, [f"app and logs have no referrer on any day of 1 Nov{DIRECT}"]),
        ({"app": ("referrer", "")}, [f"app has no referrer on 1 Nov{DIRECT}"]),
        ({"app": ("", "items")}, []),
        ({"users": (None, None)}, []),
    ],
)
def test_channels_say_which_source_tells_no_referrer(sources: dict[str, tuple[str, ...]], said: list[str]) -> None:
    rows = [
        (NOV_1 + dt.timedelta(n), source, 99, 0, 0, empty)
        for source, of in sources.items()
        for n, empty in enumerate(of)
    ]
    assert [*channel_gaps(frame("quality", rows))] == said
    few = frame("quality", [(*row[:2], row[2] and 9, *row[3:]) for row in rows])
    assert [*channel_gaps(few)] == [each for each in said if "any day" in each]


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (range(14), []),
        (range(8), ["web_logs brought nothing on 9–14 Nov"]),
        (range(5, 14), ["web_logs brought nothing on 1–5 Nov"]),
        (range(13), []),  # a day that may not be over
        ([*range(5), *range(9, 14)], ["web_logs brought nothing on 6–9 Nov"]),
        (range(0, 14, 3), []),  # brings something now and then
    ],
)
def test_days_on_which_one_source_fell_silent_are_named(heard: Sequence[int], said: list[str]) -> None:
    rows = [(NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, "") for n in range(14)]
    rows += [(NOV_1 + dt.timedelta(n), "web_logs", 9, 0, 0, "") for n in heard]
    assert [*silences(frame("quality", rows))] == said
