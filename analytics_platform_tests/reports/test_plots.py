"""Plots are small pictures, the same for the same numbers, and are drawn for any numbers and names."""

import datetime as dt
import io
import sys
import warnings
from collections.abc import Callable
from decimal import Decimal

import polars as pl
import pytest
from PIL import Image

from analytics_platform.reports import drawing, plots
from analytics_platform.reports.colours import colour_of
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.reports.examples import HOSTILE, LIMIT, NOV_1, days, frame, product

LARGEST = 45_000
"""Bytes; base64 makes 60,000 of them in the event log."""

many_days = [(1000 + (n * 37) % 400, n % 40, (n * 971) % 9000) for n in range(400)]
sources = [(NOV_1 + dt.timedelta(n), source, 90, 1, n % 12) for n in range(60) for source in ("app", "sqs", "web")]
FOUR = ("clickstream", "ecommerce_events", "ga4_events", "web_logs")
APART = [
    (NOV_1 + dt.timedelta(n), source, 90, 1, n % 9 + place) for n in range(60) for place, source in enumerate(FOUR)
]
NOON = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
Draw = Callable[[bool], bytes]
DRAWN: dict[str, Draw] = {
    "one day": lambda narrow: plots.trends_plot(days((3, 1, 5)), narrow),
    "a day that is not over": lambda narrow: plots.trends_plot(days((3, 1, 5), unfinished=1), narrow),
    "no traffic": lambda narrow: plots.trends_plot(days((0, 0, 0), (0, 0, 0)), narrow),
    "refunds": lambda narrow: plots.trends_plot(days((1, 1, -5), (1, 1, -7)), narrow),
    "400 days": lambda narrow: plots.trends_plot(days(*many_days, unfinished=1), narrow),
    "empty funnel": lambda narrow: plots.funnel_plot(frame("funnel", [(1, "view", 0), (2, "cart", 0)]), narrow),
    "19 channels": lambda narrow: plots.attribution_plot(
        frame("attribution", [(f"Channel {n}", 1, 1, 1, n * 3, n * 2 + 1, 40 - n) for n in range(19)]), narrow
    ),
    "no revenue": lambda narrow: plots.devices_plot(frame("devices", [("tv", 3, 1, 0, 0, 0)]), narrow),
    "hostile device": lambda narrow: plots.devices_plot(frame("devices", [(HOSTILE, 3, 1, 1, 1, 5)]), narrow),
    "hostile products": lambda narrow: plots.products_plot(frame("products", [product(HOSTILE, 1, 5)] * 10), narrow),
    "products nobody bought": lambda narrow: plots.products_plot(frame("products", [product("a", 0, 0)]), narrow),
    "only refunds": lambda narrow: plots.products_plot(frame("products", [product("a", 1, -5)]), narrow),
    "hostile lists": lambda narrow: plots.lists_plot(
        frame("lists", [(HOSTILE, HOSTILE, 9, 9, 9, 9, 0.5, 1, 10)] * 10), narrow
    ),
    "a list without engagement": lambda narrow: plots.lists_plot(
        frame("lists", [("l1", "", 9, 9, 0, 0, 0.0, 0, 1)]), narrow
    ),
    "20 products": lambda narrow: plots.bought_plot(
        frame("bought", [(HOSTILE, "", 40, 50, 1.25, 5, 0, 5, 9.5, 30)] * 20), narrow
    ),
    "hostile customers": lambda narrow: plots.customers_plot(
        frame("customers", [(HOSTILE, "", "", 9, HOSTILE, 3, NOON, 1, 5, 0, 10, 90)] * 10), narrow
    ),
    "hostile source": lambda narrow: plots.orphans_plot(frame("orphans", [(HOSTILE, 3, 1, 9, 0)]), narrow),
    "three sources": lambda narrow: plots.errors_plot(frame("quality", sources), LIMIT, narrow=narrow),
    "a hostile source without errors": lambda narrow: plots.errors_plot(
        frame("quality", [(NOV_1, HOSTILE, 1, 0, 0), (NOV_1, "$\\frac", 1, 0, 0)]), 0.0, narrow=narrow
    ),
    "errors without a limit": lambda narrow: plots.errors_plot(frame("quality", sources), narrow=narrow),
    "a city not known": lambda narrow: plots.cities_plot(
        pl.DataFrame({"city": ["", HOSTILE], "revenue": [Decimal(5), Decimal(3)]}), narrow
    ),
    "no records": lambda narrow: plots.errors_plot(frame("quality"), LIMIT, narrow=narrow),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_drawn_without_a_warning_and_small(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures = [DRAWN[name](narrow) for narrow in (False, True)]
    assert all(len(picture) < LARGEST for picture in pictures)
    wide, narrow = (Image.open(io.BytesIO(picture)).size[0] for picture in pictures)
    assert wide > 1000 > narrow > 600


def test_the_same_numbers_give_the_same_picture() -> None:
    assert DRAWN["three sources"](False) == DRAWN["three sources"](False)


def test_the_colours_that_tell_lines_apart_survive_the_palette() -> None:
    picture = Image.open(io.BytesIO(plots.errors_plot(frame("quality", APART), LIMIT, narrow=False)))
    pixels = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    for wanted in map(colour_of, FOUR):
        rgb = tuple(int(wanted[place : place + 2], 16) for place in (1, 3, 5))
        assert min(max(abs(a - b) for a, b in zip(rgb, pixel, strict=True)) for pixel in pixels) < 12


def test_no_two_sources_share_a_colour() -> None:
    names = [*SOURCES, "kiosk", "another", "till"]
    assert len({colour_of(name) for name in names}) == len(names)


def test_letters_the_font_lacks_become_boxes() -> None:
    assert drawing.drawable("枕 Größe →") == "▯ Größe →"


def test_nothing_global_of_matplotlib_is_used() -> None:
    DRAWN["one day"](False)
    assert "matplotlib.pyplot" not in sys.modules
