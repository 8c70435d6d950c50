"""Numbers, shares and days as people read them. The same number always gives the same text, in any locale."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

NOTHING = "–"
"""What stands for a number that does not exist, such as a share of nothing."""

UNKNOWN = "amount unknown"
"""What stands for a sum of amounts of which none is known: it is not 0."""

ENGAGED = "a click, a view, a cart or a purchase"
"""What a session has of a product list that engages, as in the contract of `marts.list_performance`."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GROSS = 1000
"""From this amount on, money is shown without its fraction."""
_CURRENCY = ContextVar("currency", default="")


@contextmanager
def amounts_in(currency: str) -> Iterator[None]:
    """Let every amount that this thread writes in the block name the currency; none if it is empty."""
    token = _CURRENCY.set(currency)
    try:
        yield
    finally:
        _CURRENCY.reset(token)


def whole(number: int) -> str:
    """Write a count: `12,345`."""
    return f"{number:,}".replace("-", "−")


def money(amount: Decimal, exact: bool = False) -> str:
    """Write `EUR 84,120`, below a thousand and if `exact` with cents, `EUR 512.30`. See `amounts_in`."""
    text = "0" if amount == 0 else f"{amount:,.0f}" if abs(amount) >= _GROSS and not exact else f"{amount:,.2f}"
    return f"{currency()} {text}".strip().replace("-", "−")


_LACKS = {
    "revenue": ("unknown", ""), "refunds": ("", "unknown_refunds"), "net_revenue": ("unknown", "unknown_refunds"),
    "first_revenue": ("first_unknown", ""), "last_revenue": ("last_unknown", ""),
    "indirect_revenue": ("indirect_unknown", ""),
}  # fmt: skip
"""Of a sum of amounts, the columns that count the orders and the refunds which are not in it."""


def lacking(row: Mapping[str, Any], measure: str) -> str:
    """Say how many amounts of orders and refunds a sum lacks: ` + 2 unknown − 1 unknown`."""
    orders, refunds = (row.get(name) for name in _LACKS.get(measure, ("", "")))
    given = f" {'−' if measure == 'net_revenue' else '+'} {whole(refunds)} unknown" if refunds else ""
    return (f" + {whole(orders)} unknown" if orders else "") + given


def is_known(row: Mapping[str, Any], measure: str) -> bool:
    """Whether any of the amounts of a sum is known; a net revenue is where the revenue is."""
    of = "revenue" if measure == "net_revenue" else measure
    return not lacking(row, of) or bool(row[of])


def figure(row: Mapping[str, Any], measure: str) -> str:
    """Write a value of a row: a sum with how many amounts it lacks, and as unknown if none is known."""
    # A week whose orders were all in a currency without a rate stood there with 0 and a change of −100 %.
    return shown(row[measure]) + lacking(row, measure) if is_known(row, measure) else UNKNOWN


def moved(then: Mapping[str, Any], now: Mapping[str, Any], measure: str) -> str:
    """Write the change of a value between two rows, of a share in points; a dash where one of them is not known."""
    if not (is_known(then, measure) and is_known(now, measure)):
        return NOTHING
    write = points if isinstance(now[measure], float) else change
    return write(then[measure], now[measure])


def currency() -> str:
    """Return the currency that amounts name here; empty if none is known."""
    return _CURRENCY.get()


def share(part: Decimal | int, total: Decimal | int) -> float | None:
    """Divide `part` by `total`. None where that has no meaning: a total of zero or below."""
    return float(part) / float(total) if total > 0 else None


def percent(ratio: float | None) -> str:
    """Write `12 %`, below a tenth `9.5 %`. What is not quite nothing or everything is not rounded to it."""
    if ratio is None:
        return NOTHING
    size = abs(ratio)
    sign = "−" if ratio < 0 else ""
    if 0 < size < 0.0005:
        return f"{'above −' if sign else 'under '}0.1 %"
    if 0.995 <= size < 1:
        return f"{sign}{min(size * 100, 99.9):.1f} %"
    if size == 0 or size >= 0.0995:
        return f"{sign}{size * 100:,.0f} %"
    return f"{sign}{size * 100:.1f} %"


def threshold(ratio: float) -> str:
    """Write a limit as it was set: `5 %`, `2.5 %`."""
    return f"{ratio * 100:.4g} %"


def change(before: Decimal | float | None, after: Decimal | float | None) -> str:
    """Write `+12 %` or `−3.4 %`, a dash where there was nothing before."""
    ratio = None if before is None or after is None else share(Decimal(after) - Decimal(before), Decimal(before))
    return f"+{percent(ratio)}" if ratio is not None and ratio > 0 else percent(ratio)


def points(before: float | None, after: float | None) -> str:
    """Write the change of a share in percentage points, `+0.4 pp`; a dash where there was nothing before or after."""
    if before is None or after is None:
        return NOTHING
    difference = round((after - before) * 100, 1)
    return f"{difference:+.1f} pp".replace("-", "−") if difference else "0 pp"


def duration(seconds: float | None) -> str:
    """Write `8.3 s`, `2 min 5 s`, a dash for None."""
    if seconds is None:
        return NOTHING
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def day(date: dt.date, year: bool = False) -> str:
    """Write `15 Nov`, with the year `15 Nov 2026`."""
    return f"{date.day} {_MONTHS[date.month - 1]}" + (f" {date.year}" if year else "")


def span(first: dt.date, last: dt.date, year: bool = False) -> str:
    """Write `11–20 Nov`, `28 Oct – 3 Nov`; the years are shown if asked for, or if they differ."""
    years = year or first.year != last.year
    if first == last:
        return day(last, years)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last, years)}"
    return f"{day(first, first.year != last.year)} – {day(last, years)}"


def moment(instant: dt.datetime) -> str:
    """Write `21 Nov 2026, 08:29 UTC`."""
    utc = instant.astimezone(dt.UTC)
    return f"{day(utc.date(), year=True)}, {utc:%H:%M} UTC"


def clean(text: str, longest: int = 60) -> str:
    """Put text from outside on one line, without control and format characters, not longer than `longest`."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")  # they could hide, reorder or forge text
    if not text.isprintable():  # most text is; an alert of long cells took seconds, a look at each character
        text = "".join(" " if unicodedata.category(sign) in hidden else sign for sign in text)
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def shown(value: object) -> str:
    """Write a value as its type is read: a count, an amount of money, a share, a moment, a day, or text."""
    match value:
        case int():
            return whole(value)
        case Decimal():
            return money(value)
        case float():
            return percent(value)
        case dt.datetime():
            return moment(value)
        case dt.date():
            return day(value)
    return clean(str(value or "")) or NOTHING


def label(row: Mapping[str, Any], kind: str, longest: int = 60) -> str:
    """Return the name of a `product`, `list` or `user`, or its id where it has no name."""
    return clean(row[f"{kind}_name"], longest) or clean(row[f"{kind}_id"], longest) or "(no name)"


def capital(text: str) -> str:
    """Put the first letter in upper case and leave the others."""
    return text[:1].upper() + text[1:]


def listed(words: list[str]) -> str:
    """Write `a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
