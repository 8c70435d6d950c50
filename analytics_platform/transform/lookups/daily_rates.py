"""What a unit of each currency is worth in the shop's currency, day by day."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
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

    def __init__(self, told: Iterable[tuple[dt.date, str, str, Decimal]]) -> None:
        """Sort rates given as (date, base, currency, rate)."""
        self._told: dict[tuple[str, str], list[Dated]] = {}
        for date, base, currency, rate in sorted(told):
            self._told.setdefault((base, currency), []).append((date, rate))
        self._bases = sorted({base for base, _ in self._told})

    def _units(self, base: str, currency: str, day: dt.date) -> Dated | None:
        """Give the units of a currency for one of the base that hold on a day, and from when."""
        if currency == base:
            return day, Decimal(1)
        told = self._told.get((base, currency), [])
        place = bisect_right(told, day, key=lambda rate: rate[0])
        found = told[place - 1] if place else None
        return found if found and (day - found[0]).days <= RATE_DAYS else None

    def worth(self, currency: str, shop: str, day: dt.date) -> Dated | None:
        """Give what one unit is worth in the shop's currency, by the base with the latest rates, and from when."""
        found: list[Dated] = []
        currency = _SHARED.get(currency, ("", currency))[1]
        for base in self._bases:
            given, asked = self._units(base, currency, day), self._units(base, shop, day)
            if given and asked:
                found.append((min(given[0], asked[0]), asked[1] / given[1]))
        if not found:
            return None
        date, rate = max(found, key=lambda rate: rate[0])
        return date, rate.quantize(_SMALLEST, ROUND_HALF_UP)


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
