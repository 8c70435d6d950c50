"""Sentences about customers, and about users who are none."""

import datetime as dt

from analytics_platform.reports import sentences as say
from analytics_platform_tests.reports.examples import frame


class TestCustomers:
    seen = dt.datetime(2026, 11, 21, 8, 29, tzinfo=dt.UTC)

    def test_the_most_active_customer_the_favourite_and_the_last_visit_are_named(self) -> None:
        rows = [
            ("1", "Ann", "", 30, "Bed", 9, self.seen, 2, 900, 0, 4, 60),
            ("2", "Bo", "", 15, "", 0, self.seen, 0, 0, 0, 4, 60),
        ]
        assert say.customers_sentence(frame("customers", rows)) == (
            "Ann is the most active customer with 30 interactions, last seen on 21 Nov 2026, 08:29 UTC; favourite "
            "product “Bed” (9 views); the 2 listed make up 75 % of what 4 customers did."
        )

    def test_a_customer_without_name_and_favourite_is_named_by_the_id(self) -> None:
        only = frame("customers", [("7", "", "", 1, "", 0, self.seen, 0, 0, 0, 1, 1)])
        assert say.customers_sentence(only) == (
            "7 is the most active customer with 1 interaction, last seen on 21 Nov 2026, 08:29 UTC."
        )
        assert say.customers_sentence(frame("customers")).startswith("No customer whom the users API or the shop's")


class TestOrphans:
    def test_the_source_with_the_highest_share_is_named_even_if_another_has_more_of_them(self) -> None:
        orphans = frame("orphans", [("app", 9, 3, 75, 6), ("web_logs", 8, 2, 25, 5)])
        assert say.orphans_sentence(orphans) == (
            "11 % of 100 events with a user id are of users who are no known customers; "
            "the share is highest in web_logs, 20 % (2 users)."
        )

    def test_one_source_none_and_nothing_are_said(self) -> None:
        assert say.orphans_sentence(frame("orphans", [("app", 9, 1, 10, 1)])) == (
            "10 % of 10 events with a user id are of users who are no known customers (1 user)."
        )
        known = "All users in 75 events are known customers."
        assert say.orphans_sentence(frame("orphans", [("app", 9, 0, 75, 0)])) == known
        assert say.orphans_sentence(frame("orphans")) == "No event has a user id yet."
