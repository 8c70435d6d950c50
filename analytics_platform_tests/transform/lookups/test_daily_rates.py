"""What a unit of a currency is worth in the shop's currency, day by day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from analytics_platform.transform.lookups.daily_rates import Rates, daily_rates

DAY = dt.date(2024, 3, 10)


def days(number: int) -> dt.timedelta:
    return dt.timedelta(days=number)


TOLD = (
    (DAY - days(8), "EUR", "GBP", Decimal("0.5")),
    (DAY - days(7), "EUR", "CHF", Decimal("0.8")),
    (DAY - days(2), "EUR", "USD", Decimal("1.5")),
    (DAY, "EUR", "USD", Decimal("1.25")),
    (DAY, "EUR", "JPY", Decimal(160)),
    (DAY + days(1), "EUR", "SEK", Decimal(11)),
)


def worth(currency: str, shop: str, day: dt.date = DAY) -> Decimal | None:
    found = Rates(TOLD).worth(currency, shop, day)
    return found and found[1]


def test_the_latest_rate_at_or_before_the_day_holds_for_seven_days() -> None:
    assert worth("USD", "EUR") == Decimal("0.8")
    assert worth("USD", "EUR", DAY - days(1)) == Decimal("0.6666666667")
    assert worth("USD", "EUR", DAY - days(3)) is None
    assert worth("CHF", "EUR") == Decimal("1.25")
    assert worth("GBP", "EUR") is None
    assert worth("SEK", "EUR") is None


def test_two_currencies_are_compared_by_their_rates_to_one_base() -> None:
    assert worth("JPY", "USD") == Decimal("0.0078125")
    assert worth("EUR", "USD") == Decimal("1.25")
    assert worth("GBP", "USD") is None


def test_two_currencies_without_a_common_base_are_compared_by_two_bases() -> None:
    told = (*((DAY, "EUR", code, Decimal(rate)) for code, rate in (("USD", "1.25"), ("GBP", "0.8"))), TOLD[0])
    told += ((DAY - days(1), "USD", "JPY", Decimal(128)), (DAY, "CHF", "SEK", Decimal(11)))
    worths = {
        (currency, shop): found and found[1]
        for currency in ("JPY", "SEK")
        for shop in ("EUR", "GBP", "USD", "JPY")
        if (found := Rates(told).worth(currency, shop, DAY)) or currency == "SEK"
    }
    assert worths == {
        ("JPY", "EUR"): Decimal("0.00625"),
        ("JPY", "GBP"): Decimal("0.005"),
        ("JPY", "USD"): Decimal("0.0078125"),
        ("JPY", "JPY"): Decimal(1),
        **{("SEK", shop): None for shop in ("EUR", "GBP", "USD", "JPY")},
    }
    assert Rates(told).worth("EUR", "JPY", DAY) == (DAY - days(1), Decimal(160))


def test_of_two_bases_the_one_with_the_later_rates_counts() -> None:
    later = (*TOLD, (DAY + days(1), "USD", "EUR", Decimal("0.9")))
    assert Rates(later).worth("USD", "EUR", DAY + days(1)) == (DAY + days(1), Decimal("0.9"))
    assert Rates(later).worth("USD", "EUR", DAY) == (DAY, Decimal("0.8"))


def test_without_a_setting_the_only_currency_is_the_shops_and_two_are_nobodys() -> None:
    named = {DAY: ["EUR"], DAY + days(1): ["JPY"], DAY + days(2): []}
    rows = daily_rates(named, (), Rates(TOLD), "").rows()
    assert rows == [
        (DAY, "EUR", "EUR", Decimal(1), None),
        (DAY + days(1), "JPY", None, None, None),
        (DAY + days(1), "", None, None, None),
        (DAY + days(2), "", None, None, None),
    ]


def test_days_one_by_one_give_what_all_at_once_give() -> None:
    named = {DAY: ["EUR"], DAY + days(1): ["EUR", "USD"], DAY + days(2): ["EUR"]}
    for shop in ("", "EUR", "USD"):
        once = daily_rates(named, (), Rates(TOLD), shop).rows()
        before, one_by_one = set[str](), []
        for day, currencies in named.items():
            one_by_one += daily_rates({day: currencies}, before, Rates(TOLD), shop).rows()
            before |= set(currencies)
        assert one_by_one == once
