"""What the report says of the data itself: rejected rows, limits, and what is not counted."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.reports import data_quality
from analytics_platform.reports.wording import amounts_in
from analytics_platform_tests.reports.examples import LIMIT, NOV_1, frame
from analytics_platform_tests.reports.test_any_sentence import counts, dates, is_a_sentence, several

REASONS = frame("reasons", [("client_id: missing", 30), ("record: NUL byte", 1)])


class TestQuality:
    def test_the_worst_day_is_compared_with_the_limit(self) -> None:
        quality = frame("quality", [(NOV_1, "web", 950, 20, 30), (NOV_1 + dt.timedelta(1), "web", 99, 0, 1)])
        assert data_quality.quality_sentence(quality, REASONS, LIMIT) == (
            "Of 1,100 records 95 % were accepted and 1.8 % were duplicates; 2.8 % were rejected, most "
            "often for “client_id: missing”, and no day went over the limit of 5 % (the worst, 1 Nov: 3.0 %)."
        )

    def test_days_over_the_limit_are_counted_once_and_the_source_is_named(self) -> None:
        quality = frame("quality", [(NOV_1, "app", 90, 0, 10), (NOV_1, "web", 80, 0, 20)])
        assert data_quality.quality_sentence(quality, REASONS, 0.025, {(NOV_1, "app"), (NOV_1, "web")}).endswith(
            "and 1 day went over the limit of 2.5 %, web on 1 Nov the farthest with 20 %."
        )

    @pytest.mark.parametrize(
        ("sources", "which"),
        [
            (["app"], "it"),
            (["app", "web"], "1 of these 2 days and sources"),
            (["app", "shop"], "all of these 2 days and sources"),
        ],
    )
    def test_a_day_that_the_check_passes_is_pointed_out(self, sources: list[str], which: str) -> None:
        quality = frame("quality", [(NOV_1, source, 90, 0, 10) for source in sources])
        assert data_quality.quality_sentence(quality, REASONS, LIMIT, {(NOV_1, "web")}).endswith(
            f"(the check error_rate passes {which}: too few records to check, or a person accepted "
            "or mended them since)."
        )

    def test_a_clean_load_is_said(self) -> None:
        assert data_quality.quality_sentence(frame("quality", [(NOV_1, "web", 9, 1, 0)]), frame("reasons"), LIMIT) == (
            "Of 10 records 90 % were accepted and 10 % were duplicates; none was rejected."
        )

    def test_nothing_read_is_said(self) -> None:
        assert (
            data_quality.quality_sentence(frame("quality"), frame("reasons"), LIMIT)
            == "No record of any day has been read yet."
        )


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("'wiggle' of kiosk (2)", "."),
        ("'identify' of app (3)", ", identify in sessions only."),
        ("'alias', 'identify', 'wave' of app", ", identify and alias in sessions only."),
    ],
)
def test_calls_that_tell_who_somebody_is_are_no_interactions(events: str, said: str) -> None:
    usual = "Some events have an unknown name and count in sessions and interactions only"
    assert data_quality.unread_sentence({"events": [events]}) == usual + said


@pytest.mark.parametrize(
    ("of_bots", "events", "said"),
    [
        (0, 9, "Every event, amount and field of the loaded records is counted."),
        (
            1234,
            5678,
            "1,234 of 5,678 events are of bots and in no figure of the shop. "
            "Every other event, amount and field of the loaded records is counted.",
        ),
    ],
)
def test_events_of_bots_are_not_said_to_be_counted(of_bots: int, events: int, said: str) -> None:
    bots = data_quality.bots_sentence(of_bots, events)
    assert data_quality.unread_sentence({}, bots) == said
    assert data_quality.unread_sentence({"amounts": ["x"]}, bots).startswith(bots or "Some amounts are in no sum")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], ""),
        ([("order", "no value", 9, 0)], "9 orders have an unknown amount, which is in no sum: all without value."),
        (
            [("order", "no exchange rate", 2, 0), ("order", "no value", 1, 0)],
            "3 orders have an unknown amount, which is in no sum: 2 without a rate of CHF and SEK to EUR, "
            "1 without value.",
        ),
        (
            [("refund", "no order with a known amount", 1, 0), ("refund", "more than the order", 1, 9)],
            "1 refund has an unknown amount, which is in no sum: without an order whose amount is known. "
            "1 refund asks for more than its order: EUR 9.00 is in no sum.",
        ),
        (
            [("refund", "order of unknown amount", 1, 5), ("order", "another amount in a repeat", 2, 0)],
            "1 refund of orders of unknown amount: EUR 5.00 is in no sum. "
            "2 orders came again with another amount: the first one counts.",
        ),
        (
            [("record", "unreadable", 2, 0)],
            "2 records were rejected for an unreadable amount or quantity (ops.quarantine).",
        ),
    ],
)
def test_amounts_in_no_sum_are_said_with_each_cause(found: list[tuple[object, ...]], said: str) -> None:
    with amounts_in("EUR"):
        assert data_quality.unknown_sentence(frame("unknown", found), ["CHF", "SEK"]) == said


@given(
    st.lists(
        st.tuples(dates, st.sampled_from(["a", "b"]), counts, counts, counts),
        **several,
    ),
    st.lists(st.tuples(st.just("a: b"), counts), max_size=2),
    st.floats(0, 1),
)
def test_any_quality_makes_a_sentence(
    rows: list[tuple[object, ...]], reasons: list[tuple[object, ...]], limit: float
) -> None:
    is_a_sentence(data_quality.quality_sentence(frame("quality", sorted(rows)), frame("reasons", reasons), limit))
