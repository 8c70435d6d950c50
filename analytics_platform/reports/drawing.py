"""How every plot is drawn: sizes, axes, bars, PNG.

Only matplotlib's object interface is used: `pyplot` keeps figures that nobody closes.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import EngFormatter, FormatStrFormatter, MaxNLocator
from PIL import Image

from analytics_platform.reports.colours import BLUE, INK, LINE, MUTED
from analytics_platform.reports.wording import day

_WIDE, _NARROW = (8.0, 144), (4.2, 170)
"""Width in inches, and dots per inch."""
_SLOTS = 4
"""Bars are as thin as if there were this many of them at least."""
_PALETTE = 128
"""A plot uses few colours: stored with a palette it takes a third of the space."""
_FONT = "DejaVu Sans"
"""Comes with matplotlib, so a plot looks the same everywhere."""
_DRAWING = RLock()
"""Matplotlib's fonts are not safe to use in several threads, and each reader of the dashboard has one."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot as PNG: `wide` for a page, `narrow` for a phone."""

    wide: bytes
    narrow: bytes


def draw(plot: Callable[..., bytes], *content: Any) -> Plot:
    """Draw one of the plots below in both widths."""
    with _DRAWING:
        return Plot(plot(*content, narrow=False), plot(*content, narrow=True))


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(_FONT)).get_charmap())


def drawable(text: str) -> str:
    """Put a box for each letter the font lacks."""
    return "".join(letter if ord(letter) in _glyphs() else "▯" for letter in text)


def new_figure(narrow: bool, height: float) -> Figure:
    """Make a figure of this height in inches."""
    width, dpi = _NARROW if narrow else _WIDE
    return Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout="constrained")


def png(figure: Figure) -> bytes:
    """Return the figure as a small PNG."""
    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", metadata={"Software": None})
    picture = Image.open(raw).convert("RGB")
    picture = picture.quantize(_PALETTE, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    return small.getvalue()


def bare(axes: Axes, grid: str | None = None, title: str = "") -> None:
    """Leave only what carries meaning: no box, no tick marks, a faint grid along one axis."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0, labelsize=9, labelcolor=MUTED)
    if grid is not None:
        axes.grid(axis=grid, color=LINE, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.set_title(drawable(title), loc="left", fontsize=10, fontweight="bold", color=INK, parse_math=False)


def day_axis(axes: Axes, dates: Sequence[dt.date], ticks: int) -> None:
    """Show a few dates below the plot, evenly spaced, the last among them."""
    places = range(len(dates) - 1, -1, -math.ceil(len(dates) / ticks))
    years = dates[0].year != dates[-1].year
    axes.set_xticks(places, [day(dates[place], years) for place in places])
    axes.set_xlim(-0.5, len(dates) - 0.5)


def value_axis(axes: Axes, values: Sequence[float], unit: str = "") -> None:
    """Show a few values beside the plot: `12k`, `3.4M`, or with a unit."""
    top, bottom = max([*values, 0.0]), min([*values, 0.0])
    axes.set_ylim(bottom * 1.2, top * 1.25 or (0.0 if bottom else 1.0))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FormatStrFormatter(f"%g{unit}") if unit else EngFormatter(sep=""))


def note(axes: Axes, text: str, place: tuple[float, float], colour: str, side: str = "left") -> None:
    """Write a word just above a point."""
    axes.annotate(text, place, (0, 4), textcoords="offset points", horizontalalignment=side, fontsize=9, color=colour)


def legend(figure: Figure, axes: Axes, columns: int) -> None:
    """Name the marks above the plot."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, frameon=False, fontsize=9, labelcolor=INK,
        handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip


def ranked(
    title: str, rows: Sequence[tuple[str, Any, str]], narrow: bool, colours: Sequence[str] | str = BLUE
) -> bytes:
    """Draw a horizontal bar for each name and value, from top to bottom, with its label at its end."""
    figure = new_figure(narrow, 0.7 + 0.32 * max(len(rows), _SLOTS))
    axes = figure.subplots()
    bare(axes, title=title)
    values = [float(value) for _, value, _ in rows]
    labels = [drawable(label) for _, _, label in rows]
    axes.bar_label(
        axes.barh(range(len(rows)), values, color=colours, height=0.66), labels, padding=4, fontsize=9, color=INK,
        parse_math=False,
    )  # fmt: skip
    axes.set_yticks(range(len(rows)), [drawable(name) for name, _, _ in rows], color=INK, parse_math=False)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    room = 0.06 + 0.022 * max(map(len, labels))  # for the labels
    axes.set_xlim(min([*values, 0.0]) * (1 + room), (max([*values, 0.0]) or 1.0) * (1 + room))
    axes.set_ylim(max(len(rows), _SLOTS) - 0.5, -0.5)
    return png(figure)
