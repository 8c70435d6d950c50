"""The colours of reports and dashboard: those of Okabe and Ito, told apart by colour-blind readers too."""

from __future__ import annotations

import colorsys
import hashlib

from analytics_platform.sources.registry import SOURCES

BLUE, GREEN, VERMILLION, ORANGE, SKY = "#0072B2", "#009E73", "#D55E00", "#E69F00", "#56B4E9"
COLOURS = (BLUE, GREEN, VERMILLION, ORANGE, SKY)
_OTHERS = ("#CC79A7", "#332288", "#999933", "#882255", "#44AA99", "#7F7F7F", "#000000")
INK, MUTED, FAINT, LINE, PAGE = "#1f2933", "#667085", "#b6bfcc", "#e4e7ec", "#f6f7f9"


def colour_of(source: str) -> str:
    """Return the colour of a source of records: the same on every chart, and no other source's."""
    names = sorted(SOURCES)
    if source in names[: len(COLOURS + _OTHERS)]:
        return (COLOURS + _OTHERS)[names.index(source)]
    hue = int(hashlib.md5(source.encode(), usedforsecurity=False).hexdigest()[:6], 16) / 0xFFFFFF
    red, green, blue = (round(part * 255) for part in colorsys.hsv_to_rgb(hue, 0.55, 0.7))
    return f"#{red:02x}{green:02x}{blue:02x}"
