"""Tells which traffic sources are search engines, social networks, shops and video sites, and which hosts are none.

`source_categories.csv` beside this file is Google's list for GA4's default channel groups (819 sources, published with
the help page "[GA4] Default channel group", as of 2022-12): `source,category`, lower-case, one source a row. A source
is a name as campaigns write it (`facebook`) or a host as referrers show it (`l.facebook.com`).

`payment_providers.csv` lists where visitors go to pay, and come back from: the domains of wallets, card processors and
the 3-D Secure pages of banks, `paypal.*` for `paypal` below any public suffix.
"""

from functools import cache
from pathlib import Path

import polars as pl

_LIST = Path(__file__).with_name("source_categories.csv")

_SINCE = {
    # Of portals only the host of the search: Google's list has `suche.aol.de` and takes no portal for an engine.
    "search": "duckduckgo.com ecosia.org ya.ru search.brave.com startpage.com kagi.com suche.t-online.de suche.web.de "
    "suche.gmx.net suche.gmx.at suche.gmx.ch suche.1und1.de search.gmx.com search.mail.com suche.freenet.de",
    "social": "x x.com threads threads.net threads.com bsky.app mastodon.social fb.com redd.it pin.it vk vk.ru",
    "video": "youtu.be",
    "shopping": "aliexpress.com temu.com",
}
"""Sources that Google's list does not have under their present name or host. None contradicts the list."""


@cache
def source_categories() -> pl.DataFrame:
    """Read the list: `source` (unique, lower-case), `category` (`search`, `social`, `shopping`, `video`)."""
    listed = pl.read_csv(_LIST, schema={"source": pl.String, "category": pl.String})
    since = [(source, category) for category, sources in _SINCE.items() for source in sources.split()]
    newer = pl.DataFrame(since, listed.schema, orient="row")
    return pl.concat([listed, newer]).unique("source", keep="first", maintain_order=True).sort("source")


@cache
def payment_providers() -> dict[str, str]:
    """Read the domains of payment providers, each with the role `ignored`."""
    listed = pl.read_csv(_LIST.with_name("payment_providers.csv"))["domain"]
    return dict.fromkeys(listed, "ignored")
