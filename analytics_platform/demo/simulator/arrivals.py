"""When visitors come, and where they come from."""

from itertools import accumulate
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator.event import HOUR


class Arrival(NamedTuple):
    """How a visit begins: the query of the landing page's address and the referrer; both may be empty."""

    query: str
    referrer: str


class Channel(NamedTuple):
    """One way to the shop; `click_id` is the name of the parameter an ad network appends, or empty."""

    weight: int
    query: str
    referrer: str
    click_id: str = ""


CHANNELS = (
    Channel(240, "", ""),
    Channel(170, "", "https://www.google.com/"),
    Channel(30, "", "https://www.bing.com/"),
    Channel(12, "", "https://duckduckgo.com/"),
    Channel(30, "", "https://www.instagram.com/"),
    Channel(14, "", "https://m.facebook.com/"),
    Channel(8, "", "https://www.youtube.com/"),
    Channel(16, "", "https://schlafblog.example/test/matratzen-2026"),
    Channel(10, "", "https://homestories.example/"),
    Channel(18, "", "https://www.shop.example/"),
    Channel(90, "utm_source=google&utm_medium=cpc&utm_campaign=brand", "https://www.google.com/", "gclid"),
    Channel(60, "utm_source=google&utm_medium=cpc&utm_campaign=shopping_de", "https://www.google.com/", "gclid"),
    Channel(25, "", "https://www.google.com/", "gclid"),
    Channel(20, "utm_source=bing&utm_medium=cpc&utm_campaign=brand", "https://www.bing.com/", "msclkid"),
    Channel(70, "utm_source=newsletter&utm_medium=email&utm_campaign=autumn_sale", ""),
    Channel(30, "utm_source=newsletter&utm_medium=email&utm_campaign=welcome+series", ""),
    Channel(
        60,
        "utm_source=facebook&utm_medium=paid_social&utm_campaign=retargeting",
        "https://l.facebook.com/",
        "fbclid",
    ),
    Channel(25, "utm_source=instagram&utm_medium=social&utm_campaign=bio", "https://l.instagram.com/"),
    Channel(15, "", "https://l.facebook.com/", "fbclid"),
    Channel(12, "utm_source=youtube&utm_medium=paid_video&utm_campaign=sleep_stories", "https://www.youtube.com/"),
    Channel(12, "utm_source=criteo&utm_medium=display&utm_campaign=prospecting", ""),
    Channel(15, "utm_source=awin&utm_medium=affiliate&utm_campaign=deals", "https://deals.example/"),
    Channel(4, "utm_source=sms&utm_medium=sms&utm_campaign=flash", ""),
    Channel(3, "utm_source=leaflet&utm_medium=print&utm_campaign=fr%C3%BChjahr", ""),
)

_CHANNEL_WEIGHTS = tuple(accumulate(channel.weight for channel in CHANNELS))

_HOUR_WEIGHTS = tuple(
    accumulate((4, 2, 1, 1, 1, 2, 5, 9, 12, 14, 15, 15, 16, 15, 14, 14, 15, 17, 19, 22, 24, 22, 14, 8))
)
"""How many visits begin in each hour of a day in UTC, added up."""


def draw_arrival(rng: Random) -> Arrival:
    """How one visit begins."""
    channel = rng.choices(CHANNELS, cum_weights=_CHANNEL_WEIGHTS)[0]
    if not channel.click_id:
        return Arrival(channel.query, channel.referrer)
    click_id = f"{channel.click_id}=Cj0K{rng.getrandbits(96):024x}"
    return Arrival(f"{channel.query}&{click_id}" if channel.query else click_id, channel.referrer)


def draw_time_of_day(rng: Random) -> int:
    """When in its day a visit begins, in milliseconds since midnight UTC."""
    hour = rng.choices(range(24), cum_weights=_HOUR_WEIGHTS)[0]
    return hour * HOUR + rng.randrange(HOUR)
