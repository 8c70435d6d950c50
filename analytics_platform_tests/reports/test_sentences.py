"""Each sentence says what its plot shows."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.reports import sentences as say
from analytics_platform.reports.tables import lists_table
from analytics_platform.reports.wording import ENGAGED, amounts_in
from analytics_platform_tests.reports.examples import days, frame, product

LAST_WEEK = (100, 5, 1000)


class TestTrends:
    def test_a_week_is_compared_with_the_one_before(self) -> None:
        two_weeks = days(*[LAST_WEEK] * 7, *[(97, 6, 1120)] * 6, (97, 6, 1260))
        assert say.trends_sentence(two_weeks) == (
            "In the 7 days to 14 Nov, against the 7 before, revenue rose 14 % to 7,980 and sessions "
            "fell 3.0 % to 679; the best of these 7 was 14 Nov with 1,260."
        )

    def test_days_that_are_as_good_as_the_best_are_counted(self) -> None:
        assert say.trends_sentence(days((9, 1, 5), *[(9, 1, 7)] * 3)).endswith(
            "; the best day was 2 Nov with 7.00, and 2 others had as much."
        )

    def test_days_that_are_not_over_are_left_out_of_the_comparison(self) -> None:
        flat = days(*[LAST_WEEK] * 14, (1, 0, 0), unfinished=1)
        assert say.trends_sentence(flat) == (
            "In the 7 days to 14 Nov, against the 7 before, revenue stayed at 7,000 and sessions "
            "stayed at 700; each of these 7 had 1,000."
        )

    def test_fewer_than_two_weeks_are_summed_up(self) -> None:
        assert say.trends_sentence(days((100, 1, 50), (300, 2, "99.5"), (200, 0, 0))) == (
            "The 3 days brought 600 sessions, 3 orders and 149.50 in revenue; the best day was 2 Nov with 99.50."
        )

    def test_one_day_is_no_trend(self) -> None:
        assert say.trends_sentence(days((486, 29, "15106.13"))) == (
            "The only day, 1 Nov, brought 486 sessions, 29 orders and 15,106 in revenue."
        )

    def test_without_orders_the_busiest_day_is_named(self) -> None:
        assert say.trends_sentence(days((1, 0, 0), (3, 0, 0))) == (
            "The 2 days brought 4 sessions, 0 orders and no revenue; the busiest day was 2 Nov with 3 sessions."
        )

    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            (0, 100, "revenue came to 700.00, after none"),
            (100, 0, "revenue fell to nothing"),
            (0, 0, "revenue stayed at 0"),
            (1000, 1001, "revenue was level at 7,007"),
            (-1, 1, "revenue came to 7.00, after −7.00"),
            (1, 1000, "revenue rose 99,900 % to 7,000"),
        ],
    )
    def test_a_change_from_or_to_nothing_is_put_into_words(self, before: int, after: int, says: str) -> None:
        assert says in say.trends_sentence(days(*[(9, 1, before)] * 7, *[(9, 1, after)] * 7))

    def test_years_are_named_when_the_period_has_two(self) -> None:
        assert "31 Dec 2026" in say.trends_sentence(days((1, 1, 9), (1, 1, 5), first=dt.date(2026, 12, 31)))

    @pytest.mark.parametrize(
        ("growth", "gap"), [([*range(100, 114), 3], 14), ([*range(100, 110), 0, 0, *range(110, 114), 3], 16)]
    )
    def test_rising_traffic_is_never_called_falling(self, growth: list[int], gap: int) -> None:
        """The last day is cut off at noon, and on two days no data came."""
        said = say.trends_sentence(days(*[(number, number, number) for number in growth], unfinished=1))
        assert f"to {gap} Nov" in said and said.count("rose") == 2 and "fell" not in said
        assert ("7 days with data" in said) == (gap == 16)

    def test_refunds_and_net_revenue_are_said(self) -> None:
        with amounts_in("EUR"):
            assert say.trends_sentence(days((100, 2, 50), refunds=20)) == (
                "The only day, 1 Nov, brought 100 sessions, 2 orders and EUR 50.00 in revenue "
                "(EUR 30.00 after EUR 20.00 in refunds)."
            )

    def test_unknown_amounts_are_no_revenue_of_nothing(self) -> None:
        some, none = days(*[(9, 3, 10)] * 7, unknown=1), days(*[(9, 3, 0)] * 7, first=dt.date(2026, 11, 8), unknown=3)
        assert "brought 63 sessions, 21 orders (7 of unknown amount) and 70.00 in revenue" in say.trends_sentence(some)
        assert "brought 63 sessions and 21 orders (21 of unknown amount); every day" in say.trends_sentence(none)
        assert (
            "revenue cannot be compared, since 21 of 21 orders have an unknown amount, and sessions stayed at 63"
            in (say.trends_sentence(pl.concat([some, none])))
        )
        assert "revenue stayed at 70.00 (without 7 orders of unknown amount, 7 before)" in say.trends_sentence(
            days(*[(9, 3, 10)] * 14, unknown=1)
        )

    @pytest.mark.parametrize("nothing", [days(), days((0, 0, 0)), days(*[(0, 0, 0)] * 20)])
    def test_no_traffic_is_said(self, nothing: pl.DataFrame) -> None:
        assert say.trends_sentence(nothing) == "No event tells of a visit or an order yet."


def funnel(*reached: int, inferred: tuple[int, ...] = (0, 0, 0, 0), both: tuple[int, ...] = ()) -> pl.DataFrame:
    """Rows of funnel steps with these counts of sessions; `both` have the step before too."""
    names = ("view", "cart", "checkout", "purchase")
    rows = zip(names, reached, inferred, both or reached, strict=True)
    return frame("funnel", [(n, *row, min(row[1], reached[0])) for n, row in enumerate(rows, 1)])


class TestFunnel:
    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            (
                funnel(4007, 668, 339, 215),
                "Of 4,007 sessions with a view, 215 (5.4 %) have a purchase; the narrowest step is view → cart: "
                "17 % of the sessions with a view have a cart.",
            ),
            (
                funnel(100, 90, 9, 9),
                "Of 100 sessions with a view, 9 (9.0 %) have a purchase; the narrowest step is cart → checkout: "
                "10 % of the sessions with a cart have a checkout.",
            ),
            (
                funnel(10, 5, 0, 0),
                "Of 10 sessions with a view, none has a purchase; the narrowest step is cart → checkout: "
                "no session with a cart has a checkout.",
            ),
            (
                funnel(100, 8, 8, 8, inferred=(5, 0, 0, 0), both=(100, 3, 8, 8)),
                "Of 100 sessions with a view, 8 (8.0 %) have a purchase; the narrowest step is view → cart: "
                "3.0 % of the sessions with a view have a cart; 5 more sessions without a view have a later step.",
            ),
            (
                funnel(10, 10, 0, 5, inferred=(0, 0, 5, 0)),
                "Of 10 sessions with a view, 5 (50 %) have a purchase; no session has a checkout.",
            ),
            (funnel(1, 1, 1, 1), "Of 1 session with a view, 1 (100 %) has a purchase."),
            (funnel(0, 2, 0, 0, inferred=(2, 0, 0, 0)), "No session has a view yet; 2 have a later step."),
        ],
    )
    def test_only_what_was_seen_is_said(self, steps: pl.DataFrame, said: str) -> None:
        assert say.funnel_sentence(steps) == said

    def test_purchases_of_sessions_without_a_view_are_named_where_the_table_counts_them(self) -> None:
        steps = funnel(100, 90, 90, 20, both=(100, 90, 90, 14)).with_columns(after_view=pl.Series([100, 90, 90, 14]))
        said = "Of 100 sessions with a view, 14 (14 %) have a purchase (of all sessions 20); the narrowest step"
        assert say.funnel_sentence(steps).startswith(said)

    def test_one_session_has_a_later_step(self) -> None:
        said = say.funnel_sentence(funnel(100, 90, 9, 9, inferred=(1, 0, 0, 0)))
        assert said.endswith("; 1 more session without a view has a later step.")
        nobody = funnel(0, 1, 1, 1, inferred=(1, 0, 0, 0))
        assert say.funnel_sentence(nobody) == "No session has a view yet; 1 has a later step."

    @pytest.mark.parametrize("empty", [frame("funnel"), funnel(0, 0, 0, 0)])
    def test_an_empty_funnel_is_said(self, empty: pl.DataFrame) -> None:
        assert say.funnel_sentence(empty) == "No session has a view yet."


class TestAttribution:
    def test_the_leader_and_the_channel_the_rule_matters_most_for_are_named(self) -> None:
        credits = frame("attribution", [
            ("Direct", 1, 1, 1, 400, 430, 300), ("Email", 1, 1, 1, 250, 150, 300),
            ("Display", 1, 1, 1, 350, 420, 400),
        ])  # fmt: skip
        assert say.attribution_sentence(credits) == (
            "By last touch Direct earns the largest part of the revenue, 43 % (40 % by first touch); "
            "the rule matters most for Email, which first touch gives 25 % instead of 15 %."
        )

    @pytest.mark.parametrize("amount", ["118.50", "0.70", "3.30", "999.50"])
    def test_all_of_the_revenue_is_called_all_of_it(self, amount: str) -> None:
        paid, nothing = Decimal(amount), Decimal(0)
        credits = frame("attribution", [("Direct", 9, 9, 9, *[paid] * 3), ("Email", 1, 1, 1, *[nothing] * 3)])
        assert say.attribution_sentence(credits).startswith(
            "By last touch Direct earns the largest part of the revenue, 100 % (100 % by first touch)"
        )

    def test_the_leader_may_be_the_one(self) -> None:
        credits = frame("attribution", [("Email", 1, 1, 1, 70, 40, 100), ("Direct", 1, 1, 1, 30, 60, 0)])
        assert say.attribution_sentence(credits) == (
            "By last touch Direct earns the largest part of the revenue, 60 % (30 % by first touch): "
            "no channel's part differs more between the two."
        )

    def test_agreement_is_said(self) -> None:
        credits = frame("attribution", [("Direct", 1, 1, 1, 70, 70, 70), ("Email", 1, 1, 1, 30, 30, 30)])
        assert say.attribution_sentence(credits).endswith("; the two rules agree on every channel.")
        nearly = frame("attribution", [("Direct", 1, 1, 1, 70, "70.01", 70), ("Email", 1, 1, 1, 30, "29.99", 30)])
        assert say.attribution_sentence(nearly).endswith("; the two rules differ by less than 0.1 % on every channel.")

    def test_one_channel_gets_all(self) -> None:
        credits = frame("attribution", [("Direct", 1, 1, 1, 70, 70, 70)])
        assert say.attribution_sentence(credits) == "Direct gets the credit for all revenue, by first touch as by last."

    def test_orders_without_revenue_are_counted_instead(self) -> None:
        credits = frame("attribution", [("Direct", 1, 3, 1, 0, 0, 0), ("Email", 3, 1, 3, 0, 0, 0)])
        assert "the largest part of the orders, 75 % (25 % by first touch)" in say.attribution_sentence(credits)

    def test_no_orders_are_said(self) -> None:
        assert say.attribution_sentence(frame("attribution")) == "No order could be credited to a channel yet."


class TestDevices:
    def test_the_busiest_device_and_the_best_converting_one_are_named(self) -> None:
        devices = frame("devices", [("mobile", 60, 20, 3, 3, 40), ("desktop", 38, 9, 4, 4, 60), ("tv", 2, 0, 1, 1, 0)])
        assert say.devices_sentence(devices) == (
            "Mobile brings 60 % of the sessions and 40 % of the revenue; desktop converts best, 11 % against 5.0 % on "
            "mobile, which may be chance."
        )

    def test_among_many_visits_on_unknown_devices_those_on_known_ones_are_compared(self) -> None:
        devices = frame("devices", [("unknown", 960, 9, 0, 0, 0), ("desktop", 30, 1, 3, 3, 60), ("tv", 1, 0, 1, 1, 9)])
        assert say.devices_sentence(devices) == (
            "Desktop brings 3.0 % of the sessions and 87 % of the revenue; 10 % of its sessions lead to an order; "
            "97 % of 991 sessions are of an unknown device."
        )

    def test_a_device_whose_amounts_are_not_known_has_no_share_of_the_revenue(self) -> None:
        devices = frame("devices", [("mobile", 60, 20, 6, 6, 0, 6), ("desktop", 40, 9, 6, 6, 60)])
        assert "revenue" not in say.devices_sentence(devices)

    def test_it_may_be_the_same(self) -> None:
        devices = frame("devices", [("mobile", 60, 20, 6, 6, 40), ("desktop", 40, 9, 1, 1, 60)])
        assert say.devices_sentence(devices).endswith(
            "; 10 % of its sessions lead to an order, more than on any other device, which may be chance."
        )

    def test_a_difference_is_called_chance_only_where_it_may_be(self) -> None:
        """Of 600 and 400 sessions, 60 and 10 orders are 3.8 standard errors apart, 60 and 30 are 1.2."""
        for desktop, may_be in ((10, False), (30, True)):
            devices = frame("devices", [("mobile", 600, 0, 60, 60, 40), ("desktop", 400, 0, desktop, desktop, 60)])
            assert say.devices_sentence(devices).endswith("which may be chance.") == may_be

    def test_a_lead_may_be_chance_over_another_device_than_the_most_used(self) -> None:
        """Of 900 sessions 45 orders and of 300 sessions 45 are far apart, 45 and 42 of 300 are not."""
        rows = [("mobile", 900, 0, 45, 45, 40), ("desktop", 300, 0, 45, 45, 60), ("tablet", 300, 0, 42, 42, 60)]
        said = "desktop converts best, 15 % against 5.0 % on mobile"
        assert said + ", which may be chance." in say.devices_sentence(frame("devices", rows))
        assert said + "." in say.devices_sentence(frame("devices", rows[:2]))

    def test_visits_without_a_known_device_are_compared_with_none(self) -> None:
        rows = [("unknown", 500, 0, 5, 5, 0), ("desktop", 300, 0, 45, 45, 60), ("mobile", 200, 0, 30, 30, 40)]
        assert say.devices_sentence(frame("devices", rows)) == (
            "Desktop brings 30 % of the sessions and 60 % of the revenue; 15 % of its sessions lead to an order; "
            "50 % of 1,000 sessions are of an unknown device."
        )
        rows = [("unknown", 500, 0, 45, 45, 0), ("desktop", 500, 0, 5, 5, 60)]
        assert "best" not in say.devices_sentence(frame("devices", rows))
        nothing = [("unknown", 500, 0, 45, 45, 0), ("desktop", 500, 0, 0, 0, 0)]
        assert "; no session on a known device has led to an order; 50 %" in say.devices_sentence(
            frame("devices", nothing)
        )
        assert say.devices_sentence(frame("devices", rows[:1])) == "100 % of 500 sessions are of an unknown device."

    def test_a_tie_is_not_called_a_lead(self) -> None:
        devices = frame("devices", [("mobile", 60, 20, 6, 6, 40), ("desktop", 40, 9, 4, 4, 60)])
        assert say.devices_sentence(devices).endswith("; 10 % of its sessions lead to an order.")

    def test_rates_that_read_the_same_are_not_compared(self) -> None:
        devices = frame("devices", [("mobile", 1000, 0, 122, 122, 40), ("desktop", 500, 0, 62, 62, 60)])
        assert say.devices_sentence(devices).endswith("; 12 % of its sessions lead to an order.")

    def test_no_orders_no_revenue_and_no_sessions_are_said(self) -> None:
        assert say.devices_sentence(frame("devices", [("tv", 3, 1, 0, 0, 0)])) == (
            "Tv brings 100 % of the sessions; no session has led to an order."
        )
        assert say.devices_sentence(frame("devices")) == "No session was seen on any device yet."


class TestProducts:
    def test_the_best_seller_and_the_part_of_the_listed_are_named(self) -> None:
        sums = {"sold": 5, "total": 1000, "shipping": 49}
        rows = [product("Bed", 2, 600, **sums), product("Pillow", 9, 300, **sums)]
        assert say.products_sentence(frame("products", rows)) == (
            "“Bed” sold best: 600.00 from 2 orders, 60 % of the revenue of all products; the 2 best of 5 make up 90 %; "
            "products 1,000.00 + not itemized (shipping, tax, discounts, items that could not be read or name no known "
            "product) 49.00 = orders 1,049.00."
        )

    def test_the_parts_of_the_revenue_add_up_as_they_are_printed(self) -> None:
        row = product("Bed", 2, Decimal("304016.7255"), total=Decimal("304016.7255"), shipping=Decimal("12707.8487"))
        said = say.products_sentence(frame("products", [row]))
        assert "products 304,016.73 + " in said
        assert said.endswith(" 12,707.84 = orders 316,724.57.")

    def test_a_product_without_name_is_named_by_its_id(self) -> None:
        row = product("", 1, 5)
        assert say.products_sentence(frame("products", [row])).startswith("“id-” sold best: 5.00 from 1 order, 100 %")

    def test_free_products_are_counted_in_pieces(self) -> None:
        assert say.products_sentence(frame("products", [product("Gift", 3, 0)])) == (
            "“Gift” was ordered most, 3 pieces, but the products brought no revenue."
        )

    def test_pieces_whose_amount_is_not_known_are_not_called_free(self) -> None:
        assert say.products_sentence(frame("products", [product("Bed", 3, 0, unknown=3)])) == (
            "“Bed” was ordered most, 3 pieces, but no amount is known."
        )

    def test_interest_without_sales_is_said(self) -> None:
        rows = [product("Bed", 0, 0, views=3, sold=0), product("Lamp", 0, 0, views=7, sold=0)]
        assert say.products_sentence(frame("products", rows)) == (
            "No product has been sold yet; the most viewed is “Lamp” with 7 views."
        )
        assert say.products_sentence(frame("products")) == "No product with an id has been seen or sold yet."

    def test_a_name_of_many_lines_stays_one_line(self) -> None:
        assert "“Bed two lines”" in say.products_sentence(
            frame("products", [product("Bed\r\ntwo\x00\u2028lines", 1, 5)])
        )


class TestLists:
    def test_the_most_engaging_list_and_the_last_of_those_listed_are_named(self) -> None:
        rows = [("l1", "Top", 8, 90, 9, 1, 0.75, 5, 12), ("l2", "", 40, 70, 7, 0, 0.25, 0, 12)]
        assert say.lists_sentence(frame("lists", rows)) == (
            "“Top” engages most: 75 % of 8 sessions that met it have a click, a view, a cart or a purchase from it; "
            "of 12 lists “l2” is number 2 with 25 %."
        )

    def test_of_equal_lists_none_is_the_last(self) -> None:
        rows = [(name, name, 8, 90, 9, 1, 0.75, 5, 2) for name in ("l1", "l2")]
        assert say.lists_sentence(frame("lists", rows)) == (
            "The 2 lists that engage most are equal: 75 % of the sessions that met one have a click, a view, a cart or "
            "a purchase from it."
        )

    def test_one_list_and_no_engagement_and_no_list_are_said(self) -> None:
        only = frame("lists", [("l1", "Top", 1, 9, 1, 0, 1.0, 0, 1)])
        assert say.lists_sentence(only) == (
            "“Top” is the only list: 100 % of 1 session that met it have a click, a view, a cart or a purchase from it."
        )
        silent = frame("lists", [("l1", "Top", 1, 9, 0, 0, 0.0, 0, 1)])
        engaged = "a click, a view, a cart or a purchase"
        assert say.lists_sentence(silent) == f"“Top” is the only list, and has not led to {engaged} yet."
        two = [("l1", "Top", 1, 9, 0, 0, 0.0, 0, 2), ("l2", "New", 1, 9, 0, 0, 0.0, 0, 2)]
        assert say.lists_sentence(frame("lists", two)) == f"None of the 2 lists has led to {engaged} yet."
        assert say.lists_sentence(frame("lists")) == "No product list has been shown yet."

    def test_a_list_that_some_events_name_without_its_id_is_said_to_be_two(self) -> None:
        rows = [("l1", "Top", 8, 90, 9, 1, 0.75, 5, 2), ("Top", "Top", 4, 70, 7, 0, 0.25, 0, 2, 0, 1)]
        assert say.lists_sentence(frame("lists", rows)).endswith(
            "“Top” is last with 25 %; “Top” is listed twice, since some events name a list without its id."
        )
        table = lists_table(frame("lists", rows))
        assert table and [row[0] for row in table.rows] == ["Top", "Top (named without its id)"]

    def test_engagement_is_what_the_data_dictionary_says(self) -> None:
        assert ENGAGED in CONTRACTS["marts.list_performance"].columns["engagement_rate"].description


class TestBought:
    def test_the_average_is_stated(self) -> None:
        bought = frame(
            "bought",
            [("p1", "Bed", 40, 10, 0.25, 900, 0, 900, 12.34, 7), ("p2", "Lamp", 20, 1, 0.05, 9, 0, 9, 12.34, 7)],
        )
        assert say.bought_sentence(bought) == (
            "Among 7 products with at least the average of 12.3 views, “Bed” turns views into purchases best: "
            "10 purchases from 40 views, 25 %."
        )
        said = say.bought_sentence(bought.with_columns(unviewed=pl.lit(2)))
        assert said.endswith("25 %. 2 products with more purchases than views are left out.")

    def test_no_purchase_and_no_view_are_said(self) -> None:
        assert say.bought_sentence(frame("bought", [("p1", "Bed", 4, 0, 0.0, 0, 0, 0, 4.0, 1)])) == (
            "“Bed” is the only product with at least the average of 4.0 views; it has not been bought."
        )
        assert say.bought_sentence(frame("bought", [("p1", "Bed", 4, 1, 0.25, 9, 0, 9, 4.0, 1)])) == (
            "“Bed” is the only product with at least the average of 4.0 views: 1 purchase from 4 views, 25 %."
        )
        two = [("p1", "Bed", 4, 0, 0.0, 0, 0, 0, 4.0, 2), ("p2", "Lamp", 4, 0, 0.0, 0, 0, 0, 4.0, 2)]
        assert say.bought_sentence(frame("bought", two)) == (
            "Among 2 products with at least the average of 4.0 views none has been bought."
        )
        assert say.bought_sentence(frame("bought")) == "No product has been viewed, or none as often as it was bought."
