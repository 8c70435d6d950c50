"""What a table looks like, for people: its first rows, and a small plot of some marts. Cheap: a few rows are read."""

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.warehouse import Session

PREVIEW_ROWS = 5
LONGEST_CELL = 80

PERSONAL = frozenset(
    {"honorific", "first_name", "last_name", "suffix", "username", "email", "phone", "street", "suite", "zipcode"}
)
"""Columns about a person whose values are not copied into Dagster's event log; `name` too in a table with these."""

HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Look:
    """A plot: two columns of a question, a label and a number; over days as a line, else as bars."""

    title: str
    sql: str


LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "marts.daily_trends": Look(
            "Revenue by day", "SELECT date, revenue FROM marts.daily_trends ORDER BY date DESC LIMIT 60"
        ),
        "marts.funnel_daily": Look(
            "Sessions that reached each step, last 30 days",
            """
            SELECT min(step), sum(sessions) FROM marts.funnel_daily
            WHERE date > (SELECT max(date) FROM marts.funnel_daily) - 30 GROUP BY step_index ORDER BY step_index
            """,
        ),
        "marts.attribution": Look(
            "Revenue by channel of the last touch, last 30 days",
            """
            SELECT channel, sum(revenue) AS revenue FROM marts.attribution
            WHERE model = 'last_touch' AND date > (SELECT max(date) FROM marts.attribution) - 30
            GROUP BY channel ORDER BY revenue DESC LIMIT 10
            """,
        ),
        "marts.device_daily": Look(
            "Sessions by device, last 30 days",
            """
            SELECT device_type, sum(sessions) AS sessions FROM marts.device_daily
            WHERE date > (SELECT max(date) FROM marts.device_daily) - 30
            GROUP BY device_type ORDER BY sessions DESC LIMIT 10
            """,
        ),
        "marts.top_sellers": Look(
            "Revenue of the best sellers",
            "SELECT product_id, revenue FROM marts.top_sellers ORDER BY revenue DESC LIMIT 10",
        ),
        "marts.list_performance": Look(
            "Revenue by list",
            "SELECT coalesce(list_name, list_id), revenue FROM marts.list_performance ORDER BY revenue DESC LIMIT 10",
        ),
        "marts.data_quality_daily": Look(
            "Refused records by day",
            """
            SELECT date, sum(rows_quarantined) FROM marts.data_quality_daily
            GROUP BY date ORDER BY date DESC LIMIT 60
            """,
        ),
    }
)


def looks(session: Session, table: str) -> dict[str, dg.MetadataValue]:
    """The preview of a table that was just filled, and its plot, if it has one."""
    shown = {"preview": preview(session, table)}
    look = LOOKS.get(table)
    if look is not None:
        rows = [(label, float(str(value or 0))) for label, value in session.rows(look.sql)]
        if rows:
            shown["plot"] = dg.MetadataValue.md(f"{look.title}\n\n![{look.title}]({_address(draw(rows))})")
    return shown


def preview(session: Session, table: str) -> dg.MetadataValue:
    """A few rows as a metadata table, personal columns hidden."""
    names = list(column_types(CONTRACTS[table]))
    rows = session.rows(
        f"SELECT {', '.join(map(quote, names))} FROM {quote_table(table)} {_latest_first(table)} LIMIT {PREVIEW_ROWS}"
    )
    hidden = PERSONAL | {"name"} if PERSONAL.intersection(names) else PERSONAL
    records = [
        dg.TableRecord(
            {name: HIDDEN if name in hidden else _short(cell) for name, cell in zip(names, row, strict=True)}
        )
        for row in rows
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema([dg.TableColumn(name, "string") for name in names]))


def _latest_first(table: str) -> str:
    """Of marts, which are small, the last days come first; of others the rows that are found first will do."""
    promise = CONTRACTS[table].table
    if promise.layer != "marts" or promise.partition is None:
        return ""
    return f"ORDER BY {quote(promise.partition)} DESC"


def _short(cell: object) -> str:
    text = "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _address(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


WIDTH, HEIGHT, ROW = 480, 140, 22
"""Pixels; the UI's column for values is hardly wider."""

LABELS, BARS = 170, 230
"""Pixels for the labels of bars, and for the longest bar."""

COLOUR, TEXT = "#4f6df5", 'font-family="sans-serif" font-size="12" fill="#555"'


def draw(rows: Sequence[tuple[object, float]]) -> str:
    """The rows as an SVG picture: (day, value) from the last to the first as a line, (label, value) as bars."""
    if isinstance(rows[0][0], dt.date):
        return _line(rows[::-1])
    return _bars(rows)


def _svg(height: int, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(parts)}</svg>'


def _line(rows: Sequence[tuple[object, float]]) -> str:
    most = max(max(value for _, value in rows), 1e-9)
    step = (WIDTH - 20) / max(len(rows) - 1, 1)
    points = [(10 + n * step, HEIGHT - 24 - (HEIGHT - 48) * max(v, 0) / most) for n, (_, v) in enumerate(rows)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return _svg(
        HEIGHT,
        [
            f'<polyline points="{path}" fill="none" stroke="{COLOUR}" stroke-width="2"/>',
            f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="3" fill="{COLOUR}"/>',
            f'<text x="10" y="14" {TEXT}>highest {most:,.0f}, last {rows[-1][1]:,.0f}</text>',
            f'<text x="10" y="{HEIGHT - 6}" {TEXT}>{rows[0][0]}</text>',
            f'<text x="{WIDTH - 10}" y="{HEIGHT - 6}" text-anchor="end" {TEXT}>{rows[-1][0]}</text>',
        ],
    )


def _bars(rows: Sequence[tuple[object, float]]) -> str:
    most = max(max(value for _, value in rows), 1e-9)
    parts = []
    for number, (label, value) in enumerate(rows):
        y, long = number * ROW, BARS * max(value, 0) / most
        parts.append(f'<text x="{LABELS}" y="{y + 16}" text-anchor="end" {TEXT}>{escape(_label(label))}</text>')
        parts.append(f'<rect x="{LABELS + 8}" y="{y + 5}" width="{long:.1f}" height="14" fill="{COLOUR}"/>')
        parts.append(f'<text x="{LABELS + 14 + long:.1f}" y="{y + 16}" {TEXT}>{value:,.0f}</text>')
    return _svg(len(rows) * ROW, parts)


def _label(label: object) -> str:
    """Up to 24 printable characters; what XML cannot hold goes."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(label if label is not None else "unknown"))
    return text if len(text) <= 24 else f"{text[:23]}…"
