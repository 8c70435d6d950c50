"""Currencies and their exchange rates, and the ways in which events tell what an order costs or what is given back."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import TypeAlias

from analytics_platform.demo.simulator.events import DAY, Bought, Event, Item, Purchase, Scope, instant_of
from analytics_platform.demo.simulator.forms import describe_items

SHOP_CURRENCY = "EUR"
_PER_EURO = {"USD": Decimal("1.0845"), "GBP": Decimal("0.8412"), "JPY": Decimal("163.15")}
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_SHIPPING = {"EUR": 490, "USD": 490, "GBP": 390, "JPY": 80_000}
_FREE_SHIPPING = 5_000  # cents from which an order in euros is sent for nothing
_TAX_PERCENT = {"EUR": 19, "GBP": 20}
_CURRENCY_WEIGHTS = (82, 8, 6, 4)
_RATE_DAYS = 7

_WAYS = {
    ("number",): 70,
    ("text",): 10,
    ("items",): 6,
    ("line totals",): 5,
    ("a price is missing",): 4,
    ("nothing",): 2,
    ("nothing", "number"): 3,
}
"""Ways of the events of one order, and how common they are."""

Rates: TypeAlias = Mapping[tuple[str, int], Decimal]
"""Units of a currency for one euro, by currency and day number since 1970."""


def draw_rates(scope: Scope) -> Rates:
    """Draw the rates from a week before the first day: none at weekends, those of the yen from the third day on."""
    rng, first, last = scope.random("rates"), scope.midnights[0] // DAY, scope.end // DAY
    return {
        (currency, day): (rate * Decimal(rng.uniform(0.98, 1.02))).quantize(rate)
        for day in range(first - _RATE_DAYS, last)
        for currency, rate in _PER_EURO.items()
        if instant_of(day * DAY).weekday() < 5 and (currency != "JPY" or day >= first + 2)
    }


def convert(rates: Rates, cents: int, currency: str, at: int) -> Decimal | None:
    """Convert an amount into euros, to four decimals, by the latest rate of at most 7 days before; None without."""
    if currency == SHOP_CURRENCY:
        return Decimal(cents) / 100
    days = range(at // DAY, at // DAY - _RATE_DAYS - 1, -1)
    rate = next((rates[currency, day] for day in days if (currency, day) in rates), None)
    if rate is None:
        return None
    one = (1 / rate).quantize(Decimal("1e-10"), ROUND_HALF_UP)
    return (Decimal(cents) / 100 * one).quantize(Decimal("1e-4"), ROUND_HALF_UP)


def draw_order(rng: Random, basket: Sequence[Item]) -> list[tuple[Purchase, tuple[Item, ...]]]:
    """Draw number and currency of an order, and what its events tell."""
    number = f"{rng.randrange(4_000_000_000_000, 6_000_000_000_000)}"
    currency = rng.choices(tuple(_SIGNS), _CURRENCY_WEIGHTS)[0]
    ways = rng.choices(tuple(_WAYS), tuple(_WAYS.values()))[0]
    return [tell_order(number, basket, currency, way) for way in ways]


def _price_in(item: Item, currency: str) -> Item:
    """Give an item its price in a currency; yen have no decimals."""
    rate, digits = _PER_EURO.get(currency, Decimal(1)), -2 if currency == "JPY" else 0
    cents, discount = (int(round(each * rate, digits)) for each in (item.cents, item.discount))
    return item._replace(cents=cents, discount=discount)


def tell_order(
    transaction_id: str, basket: Sequence[Item], currency: str = SHOP_CURRENCY, way: str = "number"
) -> tuple[Purchase, tuple[Item, ...]]:
    """Make the order of a basket with prices in euros, and its items as an event lists them."""
    items = tuple(_price_in(item, currency) for item in basket)
    values = tuple(item.cents * (item.quantity or 0) for item in items)
    is_free = way not in ("number", "text") or (currency == SHOP_CURRENCY and not 0 < sum(values) < _FREE_SHIPPING)
    shipping = 0 if is_free else _SHIPPING[currency]
    cents, percent = sum(values) + shipping, _TAX_PERCENT.get(currency, 0)
    goods = sum((item.cents + item.discount) * (item.quantity or 0) for item in basket)
    coupon = next((item.coupon for item in basket), "")
    discounts = tuple(item.discount for item in items)
    extras = (shipping, cents * percent // (100 + percent), coupon, goods, discounts)
    bought = tuple(Bought(item.item_id, item.variant, item.quantity or 0) for item in basket)
    written: float | str | None = cents / 100
    if way == "text":
        forms = (f"{cents / 100:,.2f}", f"{cents / 100:.2f} {currency}", f"{_SIGNS[currency]}{cents / 100:,.2f}")
        written = forms[cents % 7 % 3]
    elif way == "line totals":
        items = tuple(item._replace(cents=value) for item, value in zip(items, values, strict=True))
    elif way == "a price is missing":
        items = (items[0]._replace(is_priced=False), *items[1:])
    elif way == "nothing":
        items, values, written = tuple(item._replace(is_priced=False) for item in items), (), None
        return Purchase(transaction_id, None, bought, currency, values, written, 0, 0, *extras[2:]), items
    elif way == "items":
        written = None
    return Purchase(transaction_id, cents, bought, currency, values, written, *extras), items


def give_back(order: Event, basket: Sequence[Item], kind: str, after: int, user_agent: str = "") -> Event:
    """Make the refund of an order: `whole` names no amount, `item` and `minus` give back a piece of its first item."""
    assert order.purchase is not None
    number, _, _, currency, *_ = order.purchase
    item = _price_in(basket[0], currency)._replace(quantity=1)
    cents = {"whole": None, "item": item.cents, "minus": -item.cents}[kind]
    refund = Purchase(number, cents, (), currency, written=cents and cents / 100)
    items = (item,) if kind == "item" else ()
    return order._replace(
        at=order.at + after,
        name=order.name if kind == "minus" else "refund",
        items=items,
        purchase=refund,
        data=describe_items(items, **refund.fields),
        user_agent=user_agent,
    )
