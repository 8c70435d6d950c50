"""Reads from a page address or a referrer its host and path, its campaign, and the traffic source it stands for.

One regular expression after RFC 3986 appendix B, with the host rules of the WHATWG URL standard, reads a
whole column at once; it has no errors to raise and its time is linear in the text. Only campaign values, international
hosts and registrable domains meet Python, once per distinct value.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple
from unicodedata import category, normalize
from urllib.parse import unquote, unquote_plus

import idna
import polars as pl
from publicsuffixlist import PublicSuffixList

from analytics_platform.contracts.missing import MISSING
from analytics_platform.transform.lookups.source_categories import source_categories

_URL = (
    r"(?s)^(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//"  # a scheme, or none as in //host/path
    r"(?:[^/?#]*@)?"  # user and password
    r"(?:\[(?P<ipv6>(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15})\]"
    r"|(?P<name>[^\x00-\x20\x7f#%/:<>?@\[\\\]^|]+))"  # WHATWG: forbidden domain code points
    r"(?::(?P<port>[0-9]*))?)?"
    r"(?P<path>(?:/[^?#]*)?)(?P<parameters>(?:[?#].*)?)$"
)

_BARE_HOST = r"^((?:[\p{L}\p{N}-]+\.)+\p{L}[\p{L}\p{N}-]+\.?(?::[0-9]+)?(?:[/?#]|$))"
"""How an address without a scheme begins that may have a host."""

_PLAIN_HOST = r"^www\.|\.(?:com|net|org|(?!(?:cc|do|id|md|ml|pl|pm|py|ps|rs|sh|so)$)[a-z]{2})$|\.co\.[a-z]{2}$"
"""Hosts that are no file, folder or name of a screen: `cart.pl`, `products.show` and `order.id` are none."""

_MAX_HOST = 253
"""Characters in a full domain name (RFC 1035, section 2.3.4)."""

_MAX_PORT = 65_535

_UTM = ("utm_source", "utm_medium", "utm_campaign")
_UTM_PARAMETER = r"(?i)&(utm_(?:source|medium|campaign)=[^&?#]+)"


class _Click(NamedTuple):
    """What a click of an ad network is called as traffic, and how much its parameter says.

    `auto`: the network tags its ads itself, which wins over `utm_*` (as GA4 and Microsoft document). `paid`: only ads
    have it. `shared`: links in ads and in posts have it, so it names the network and does not say that it was paid.
    """

    source: str
    medium: str
    kind: str


_CLICKS = {
    "gclid": _Click("google", "cpc", "auto"),  # Google Ads
    "gbraid": _Click("google", "cpc", "auto"),  # Google Ads, web to app on iOS
    "wbraid": _Click("google", "cpc", "auto"),  # Google Ads, app to web on iOS
    "gad_source": _Click("google", "cpc", "auto"),  # Google Ads, beside or instead of the others
    "dclid": _Click("dfa", "cpm", "auto"),  # Campaign Manager 360; GA4 names its traffic dfa / cpm
    "msclkid": _Click("bing", "cpc", "auto"),  # Microsoft Advertising
    "ttclid": _Click("tiktok", "cpc", "paid"),
    "twclid": _Click("twitter", "cpc", "paid"),
    "li_fat_id": _Click("linkedin", "cpc", "paid"),
    "sccid": _Click("snapchat", "cpc", "paid"),
    "rdt_cid": _Click("reddit", "cpc", "paid"),
    "epik": _Click("pinterest", "cpc", "paid"),
    "qclid": _Click("quora", "cpc", "paid"),
    "yclid": _Click("yandex", "cpc", "paid"),
    "tblci": _Click("taboola", "cpc", "paid"),
    "dicbo": _Click("outbrain", "cpc", "paid"),
    "fbclid": _Click("facebook", "referral", "shared"),  # Meta adds it to every link that leaves it
}
"""Click parameters, those that say most first."""

_SEARCHES = ("q", "s", "search", "query", "keyword")
"""Parameters of a page with results in which GA4's enhanced measurement reads a search term, the first ones first."""

_START = r"(?i)(?:[&?#;]|%(?:25)*26)(?:amp(?:;|%(?:25)*3b)|[#]x?0*(?:38|26);|\+|%(?:25)*20)*"
_TAG = rf"{_START}utm(?:_|%(?:25)*5f)(source|medium|campaign)(?:=|%(?:25)*3d)"
_CLICK = rf"{_START}({'|'.join(_CLICKS)})(?:=|%(?:25)*3d)"
"""How a parameter that is read begins, in any case: in the query or behind `#`, after a second `?`, `;` or `&amp;`, and
where `&` and `=` were percent-encoded."""

_OTHER_ADDRESS = r"(?i)%(?:25)*3f[^&?#;]*?%(?:25)*3d[^&?#;]*"
"""The query of another address in the value of a parameter: `return=%2Fcart%3Futm_source%3Dx`."""

_CLICK_IDS = tuple(
    rf"[&?#]((?i-u:{'|'.join(name for name, click in _CLICKS.items() if click.kind == kind)}))=[^&?#]"
    for kind in ("auto", "paid", "shared")
)

_TEMPLATE = r"\{+[^&#}]*\}+"
"""What a tag writes where it should have put a value."""


def _as_encoded(text: str) -> str:
    """Give the pattern of a text whose signs may be percent-encoded, more than once too."""
    plain = {" ": "[ +]"}
    return "".join(
        sign if sign.isalnum() else rf"(?:{plain.get(sign, re.escape(sign))}|%(?:25)*{ord(sign):02x})" for sign in text
    )


_BLANKS = _as_encoded(" ") + "*"
_NOTHING = "|".join(map(_as_encoded, sorted(MISSING | {"0"})))
_ENCODED_TEMPLATE = rf"{_as_encoded('{')}+[^&#}}]*?{_as_encoded('}')}+"
_NO_CLICK = rf"(?i)(?:{'|'.join(_CLICKS)})={_BLANKS}(?:{_NOTHING}|{_ENCODED_TEMPLATE}){_BLANKS}(&|#|$)"
"""A click parameter whose value is missing, or a template that nobody filled: `gclid=undefined`, `gclid={{gclid}}`,
`gclid=%28not+set%29`. The last one was a paid click. The pattern has the escapes: to decode would take longer."""

_SEARCH_ENGINE = (
    r"^(?:(?:www[0-9]?|m|images)\.|(?:[a-z0-9-]+\.)*search\.)?"
    r"(?:(?:[a-z]{2}\.)?(google|bing|yahoo|yandex|aol)\.(?:com|[a-z]{2}|com?\.[a-z]{2})"
    r"|(duckduckgo|baidu|naver|daum|seznam|ask|sogou)\.(?:com|net|cz))$"
)
"""Hosts GA4 reports under an engine's bare name; others (`mail.google.com`) are plain referrers."""

_COUNTRY_SHOP = r"^(?:[a-z0-9-]+\.)*(amazon|ebay|etsy|aliexpress)\.(?:[a-z]{2}|com?\.[a-z]{2})$"
"""Country sites of shops that Google's list names without a country."""

_COLUMNS = (
    "host",
    "domain",
    "path",
    *_UTM,
    "search_term",
    "click_id",
    "click_source",
    "click_medium",
    "click_kind",
    "site",
)

_CONTROLS = r"[\x00-\x1f\x7f]+"


def parse_urls(urls: pl.Series, roles: Mapping[str, str] = MappingProxyType({})) -> pl.DataFrame:
    """Parse addresses: one row per value of `urls`, in the same order; every column is a nullable string.

    * `url`: the value as it came.
    * `host`: lower-case, in Unicode, without port, user and final dot; null for a relative address (`/a/b`). It
      needs no scheme if it cannot be a file or a name: `www.google.com`, `shop.de/cart` (see `_PLAIN_HOST`).
    * `domain`: what somebody registered (`shop.co.uk` of `www.shop.co.uk`, by the public suffix list), else the host.
    * `path`: without query and fragment, `/` when empty.
    * `utm_source`, `utm_medium`, `utm_campaign`: percent-decoded, trimmed, without invisible characters, in normal form
      C, source and medium in lower case; the first of each name that says something counts.
    * `search_term`: what a visitor searched for, if it is a page with results (see `_SEARCHES`), decoded as these are.
    * `click_id`: name of the ad click parameter that says most; `click_source` and `click_medium`: what its network is
      called as traffic; `click_kind`: `auto`, `paid` or `shared` (see `_Click`).
    * `site`: the source GA4 would name for this host as a referrer: `google` for `www.google.co.uk`, else the
      host without `www.`.
    * `site_category`: `search`, `social`, `shopping`, `video` or null.
    * `role`: what `roles` says of the host, or of the nearest domain above it, else null. `paypal.*` in `roles` stands
      for `paypal` below any public suffix.

    What is no address (`javascript:`, free text, a port of 70000, half an IPv6 host) has nulls in all columns
    but `url`.
    """
    texts = urls.cast(pl.String).alias("url")
    parsed = (
        texts.to_frame()
        .with_row_index("place")
        .with_columns(_plain_address().str.extract_groups(_URL).alias("parts"))
        .unnest("parts")
        .with_columns(pl.coalesce("ipv6", "name").str.to_lowercase().str.strip_suffix(".").alias("host"))
        .with_columns(_is_address().alias("is_address"))
        # Hosts that cannot exist are left out here: looking up a megabyte of labels took minutes.
        .with_columns(_each(pl.when("is_address").then("host"), _in_unicode).alias("host"))
        .with_columns(
            _each(pl.col("host"), _registrable).alias("domain"),
            _site().alias("site"),
            pl.coalesce(
                _each(pl.col("parameters").str.extract(rf"(?i)^\?(?:[^#]*?&)??(?:amp;)?{name}=([^&#]+)", 1), _decoded)
                for name in _SEARCHES
            ).alias("search_term"),
            pl.col("path").replace("", "/"),
            pl.col("parameters")
            .str.replace_all(_OTHER_ADDRESS, "")
            .str.replace_all(_TAG, "&utm_$1=")
            .str.replace_all(_CLICK, "&$1="),
        )
        .with_columns(
            pl.coalesce(pl.col("parameters").str.replace_all(_NO_CLICK, "$1").str.extract(x, 1) for x in _CLICK_IDS)
            .str.to_lowercase()
            .alias("click_id")
        )
    )
    names, facts = dict(source_categories().iter_rows()), ("source", "medium", "kind")
    clicks = {fact: {name: getattr(click, fact) for name, click in _CLICKS.items()} for fact in facts}
    full = parsed.join(_campaigns(parsed), "place", how="left", maintain_order="left").with_columns(
        *(_found(pl.col("click_id"), clicks[fact]).alias(f"click_{fact}") for fact in facts),
        pl.coalesce(
            _found(pl.col("site"), names),
            _nearest(pl.col("site"), {name: category for name, category in names.items() if "." in name}),
            pl.when(pl.col("site").str.contains(_COUNTRY_SHOP)).then(pl.lit("shopping")),
        ).alias("site_category"),
        pl.coalesce(_nearest(host, {_in_unicode(x): role for x, role in roles.items()}) for host in _hosts()).alias(
            "role"
        ),
    )
    columns = (*_COLUMNS, "site_category", "role")
    return full.select("url", *(pl.when("is_address").then(name).alias(name) for name in columns))


def _plain_address() -> pl.Expr:
    """Give the value without blanks around it, with `//` before a bare host; what is encoded as a whole is decoded."""
    text = pl.col("url").str.strip_chars()
    encoded = pl.when(text.str.contains("(?i)^https?%(?:25)*3a%(?:25)*2f")).then(text)
    bare = pl.when(_each(text.str.extract(_BARE_HOST, 1), _as_host).is_not_null()).then("//" + text)
    return pl.coalesce(_each(encoded, lambda address: unquote(unquote(address))), bare, text)


def _is_address() -> pl.Expr:
    """Tell whether the value is an address, absolute or relative, with a host and a port that can exist."""
    port = pl.col("port").str.strip_chars_start("0")
    port_fits = (port.str.len_chars() <= 5) & (port.str.to_integer(strict=False).fill_null(0) <= _MAX_PORT)
    host_fits = pl.col("host").str.len_chars() <= _MAX_HOST
    is_given = pl.col("path").is_not_null() & (pl.col("url").str.strip_chars() != "")
    return is_given & port_fits.fill_null(True) & host_fits.fill_null(True)


def _campaigns(parsed: pl.DataFrame) -> pl.DataFrame:
    """Read the campaign parameters: one row per `place` that has one, a column for each of `_UTM`."""
    name, value = pl.col("written").str.extract(r"(?i)(source|medium|campaign)=", 1), r"(?s)=(.*)$"
    written = (
        parsed.select("place", pl.col("parameters").str.extract_all(_UTM_PARAMETER).alias("written"))
        .explode("written", empty_as_null=False)
        .drop_nulls("written")
        .select(
            "place",
            ("utm_" + name.str.to_lowercase()).alias("name"),
            _each(pl.col("written").str.extract(value, 1), _decoded).alias("value"),
        )
        .drop_nulls("value")
    )
    values = [pl.col("value").filter(pl.col("name") == name).first().alias(name) for name in _UTM]
    lower = (pl.col(name).str.to_lowercase() for name in _UTM[:2])
    return written.group_by("place").agg(values).with_columns(*lower)


def _decoded(text: str) -> str | None:
    """Decode `%XX` and `+`, twice if need be; bytes that are not UTF-8 become U+FFFD, broken escapes stay.

    Control characters and blanks of other widths become spaces, for PostgreSQL stores no NUL. None if the text says
    nothing.
    """
    for _ in range(2 if "%25" in text else 1):
        text = unquote_plus(text)
    text = re.split(r"&\w+=", text)[0]  # the next parameter, where the `&` between them was percent-encoded
    # A zero-width space that came with a pasted link made a second campaign of the same name.
    signs = (" " if category(sign) in ("Cc", "Zs") else sign for sign in text if category(sign) != "Cf")
    text = normalize("NFC", "".join(signs)).strip()
    return None if text.lower() in MISSING or re.fullmatch(_TEMPLATE, text) else text


@cache
def _in_unicode(host: str) -> str:
    """Give a host the one form that people read: `bücher.example` for `xn--bcher-kva.example`."""
    if host.isascii() and "xn--" not in host:
        return host
    try:
        return idna.decode(idna.encode(host, uts46=True))
    except (idna.IDNAError, UnicodeError):
        return normalize("NFC", host)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def _registrable(host: str) -> str:
    if ":" in host or host.rpartition(".")[2].isdigit():  # an IP address
        return host
    return _suffixes().privatesuffix(host) or host


def _as_host(start: str) -> str | None:
    """Give the host with which a text begins; None for what may be anything else, or is below no public suffix."""
    host = re.split("[:/?#]", start.lower())[0].rstrip(".")
    if len(host) > _MAX_HOST or not re.search(_PLAIN_HOST, host):
        return None
    return host if _suffixes().publicsuffix(host, accept_unknown=False) else None


def _nearest(host: pl.Expr, known: Mapping[str, str]) -> pl.Expr:
    """Look up a host, or the nearest domain above it that is known."""
    above = [host]
    for _ in range(4):  # labels; a host with more of them below a known domain is not looked for
        above.append(above[-1].str.extract(r"^[^.]*\.(.+)$", 1))
    return pl.coalesce(_found(name, known) for name in above)


def _hosts() -> tuple[pl.Expr, pl.Expr]:
    """Give the host, and the host with any public suffix: `www.paypal.*` for `www.paypal.co.uk`."""
    host, domain = pl.col("host"), pl.col("domain")
    return host, host.str.strip_suffix(domain) + domain.str.extract(r"^([^.]+)\.") + ".*"


def _site() -> pl.Expr:
    """Give the engine's name for a search host, else the host without `www.`."""
    host = pl.col("host")
    engines = (host.str.extract(_SEARCH_ENGINE, group) for group in (1, 2))
    return pl.coalesce(*engines, host.str.strip_prefix("www.")).replace("", None)


def _each(text: pl.Expr, change: Callable[[str], str | None]) -> pl.Expr:
    """Change every distinct value of a column once."""

    def apply(values: pl.Series) -> pl.Series:
        distinct = values.drop_nulls().unique()
        changed = pl.Series([change(value) for value in distinct], dtype=pl.String)
        return values.replace_strict(distinct, changed, default=None, return_dtype=pl.String)

    return text.map_batches(apply, return_dtype=pl.String)


def _found(value: pl.Expr, known: Mapping[str, str]) -> pl.Expr:
    if not known:
        return pl.lit(None, pl.String)
    return value.replace_strict(known, default=None, return_dtype=pl.String)
