"""What a unit of each currency is worth in the shop's currency, day by day."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from itertools import permutations
from typing import TypeAlias

import polars as pl

from analytics_platform.contracts.cleaned import DailyRates
from analytics_platform.contracts.ddl import polars_schema

RATE_DAYS = 7
"""A rate holds from its day to this many days later: banks tell none at weekends and on holidays."""

_SHARED = {
    "$": (frozenset(("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN", "BRL", "ARS", "CLP", "COP")), "USD"),
    "¥": (frozenset(("JPY", "CNY")), "JPY"),
    "KR": (frozenset(("SEK", "NOK", "DKK", "ISK")), ""),
}
"""Sign → the currencies that it may mean, and the one it means where the shop's is none of them; empty: unknown."""

_SMALLEST = Decimal(1).scaleb(-10)

Dated: TypeAlias = tuple[dt.date, Decimal]


class Rates:
    """Exchange rates by base, currency and day."""

    def __init__(self, given: Iterable[tuple[dt.date, str, str, Decimal]]) -> None:
        """Sort rates given as (date, base, currency, rate)."""
        self._rates: dict[tuple[str, str], list[Dated]] = {}
        for date, base, currency, rate in sorted(given):
            self._rates.setdefault((base, currency), []).append((date, rate))
        self._bases = sorted({base for base, _ in self._rates})

    def _units(self, base: str, currency: str, day: dt.date) -> Dated | None:
        """Give the units of a currency for one of the base that hold on a day, and from when."""
        if currency == base:
            return day, Decimal(1)
        known = self._rates.get((base, currency), [])
        place = bisect_right(known, day, key=lambda rate: rate[0])
        found = known[place - 1] if place else None
        return found if found and (day - found[0]).days <= RATE_DAYS else None

    def worth(self, currency: str, shop: str, day: dt.date) -> Dated | None:
        """Give what one unit is worth in the shop's currency, and from when: by the base with the latest rates.

        Two currencies without a common base are compared by two bases, one of which has a rate of the other.
        """
        currency = _SHARED.get(currency, ("", currency))[1]
        for routes in (zip(self._bases, self._bases, strict=True), permutations(self._bases, 2)):
            found = [worth for first, last in routes if (worth := self._along(currency, first, last, shop, day))]
            if found:
                date, rate = max(found, key=lambda worth: worth[0])
                return date, rate.quantize(_SMALLEST, ROUND_HALF_UP)
        return None

    def _along(self, currency: str, first: str, last: str, shop: str, day: dt.date) -> Dated | None:
        given, asked = self._units(first, currency, day), self._units(last, shop, day)
        there, back = self._units(first, last, day), self._units(last, first, day)
        there = there or (back and (back[0], 1 / back[1]))
        return (
            (min(given[0], there[0], asked[0]), there[1] * asked[1] / given[1]) if given and there and asked else None
        )


def daily_rates(
    named: Mapping[dt.date, Iterable[str]], before: Iterable[str], rates: Rates, shop_currency: str
) -> pl.DataFrame:
    """Make the rows of cleaned.daily_rates.

    `named` maps every day to the currencies that its events name, in order of days; `before` are those of earlier days.
    """
    rows: list[tuple[dt.date, str, str | None, Decimal | None, dt.date | None]] = []
    known = set(before)
    for day, currencies in named.items():
        known |= set(currencies)
        named_only = {
            each for each in known if not any(each in _SHARED and other in _SHARED[each][0] for other in known)
        }
        shop = shop_currency or (min(named_only) if len(named_only) == 1 else None)
        for currency in sorted(currencies):
            is_shops = currency == shop or (currency in _SHARED and shop in _SHARED[currency][0])
            worth = rates.worth(currency, shop, day) if shop and not is_shops else None
            date, rate = worth or (None, Decimal(1) if is_shops else None)
            rows.append((day, currency, shop, rate, date))
        if shop is None and known:
            rows.append((day, "", None, None, None))
    return pl.DataFrame(rows, schema=polars_schema(DailyRates), orient="row")
