"""Numbers, shares and days as people read them. The same number always gives the same text, in any locale."""

from __future__ import annotations

import datetime as dt
import unicodedata
from decimal import Decimal

NOTHING = "–"
"""What stands for a number that does not exist, such as a share of nothing."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GROSS = 1000
"""From this amount on, money is shown without its fraction."""


def whole(number: int) -> str:
    """`12,345`."""
    return f"{number:,}".replace("-", "−")


def count(number: int, thing: str) -> str:
    """`1 order`, `1,200 orders`."""
    return f"{whole(number)} {thing if number == 1 else thing + 's'}"


def money(amount: Decimal) -> str:
    """`84,120`, and below a thousand `512.30`. The shop's currency is not known here and not shown."""
    if amount == 0:
        return "0"
    text = f"{amount:,.0f}" if abs(amount) >= _GROSS else f"{amount:,.2f}"
    return text.replace("-", "−")


def share(part: Decimal | int, total: Decimal | int) -> float | None:
    """`part / total`; None where that has no meaning (a total of zero or below)."""
    return float(part) / float(total) if total > 0 else None


def percent(ratio: float | None) -> str:
    """`12 %`, below a tenth `9.5 %`; what is not quite nothing or everything is not rounded to it."""
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
    """A chosen limit as it was chosen: `5 %`, `2.5 %`."""
    return f"{ratio * 100:.4g} %"


def change(before: Decimal | int, after: Decimal | int) -> str:
    """`+12 %` or `−3.4 %`; a dash where there was nothing before."""
    ratio = share(after - before, before)
    return f"+{percent(ratio)}" if ratio is not None and ratio > 0 else percent(ratio)


def day(date: dt.date, year: bool = False) -> str:
    """`15 Nov`, with the year `15 Nov 2026`."""
    return f"{date.day} {_MONTHS[date.month - 1]}" + (f" {date.year}" if year else "")


def span(first: dt.date, last: dt.date, year: bool = False) -> str:
    """`11–20 Nov`, `28 Oct – 3 Nov`; the years are shown if asked for, or if they differ."""
    years = year or first.year != last.year
    if first == last:
        return day(last, years)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last, years)}"
    return f"{day(first, first.year != last.year)} – {day(last, years)}"


def moment(instant: dt.datetime) -> str:
    """`21 Nov 2026, 08:29 UTC`."""
    utc = instant.astimezone(dt.UTC)
    return f"{day(utc.date(), year=True)}, {utc:%H:%M} UTC"


def clean(text: str, longest: int = 60) -> str:
    """Foreign text on one line: without control and direction marks, not longer than `longest`."""
    visible = "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text)
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def capital(text: str) -> str:
    """The text with its first letter in upper case, the others as they are."""
    return text[:1].upper() + text[1:]


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
