"""Reads from a page address or a referrer its host and path, its campaign, and the traffic source it stands for.

One regular expression after RFC 3986 appendix B, with the host rules of the WHATWG URL standard, reads a
whole column at once; it has no errors to raise and its time is linear in the text. Only percent-encoded
campaign values meet Python, once per distinct value.
"""

from collections.abc import Mapping
from urllib.parse import unquote_plus

import polars as pl

from analytics_platform.transform.lookups.source_categories import source_categories

_URL = (
    r"(?s)^(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//"  # a scheme, or none as in //host/path
    r"(?:[^/?#]*@)?"  # user and password
    r"(?:\[(?P<ipv6>(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15})\]"
    r"|(?P<name>[^\x00-\x20\x7f#%/:<>?@\[\\\]^|]+))"  # WHATWG: forbidden domain code points
    r"(?::(?P<port>[0-9]*))?)?"
    r"(?P<path>(?:/[^?#]*)?)(?:\?(?P<query>[^#]*))?(?:#.*)?$"
)

_MAX_HOST = 253
"""Characters in a full domain name (RFC 1035, section 2.3.4)."""

_MAX_PORT = 65_535

_UTM = ("utm_source", "utm_medium", "utm_campaign")

_CLICK_IDS = {
    "gclid": ("google", "cpc"),  # Google Ads
    "gbraid": ("google", "cpc"),  # Google Ads, web to app on iOS
    "wbraid": ("google", "cpc"),  # Google Ads, app to web on iOS
    "dclid": ("dfa", "cpm"),  # Campaign Manager 360; GA4 names its traffic dfa / cpm
    "msclkid": ("bing", "cpc"),  # Microsoft Advertising
    "fbclid": ("facebook", "cpc"),  # Meta; on every outbound link, counted as paid by our channel rules
    "ttclid": ("tiktok", "cpc"),
    "twclid": ("twitter", "cpc"),
    "li_fat_id": ("linkedin", "cpc"),
    "sccid": ("snapchat", "cpc"),
    "rdt_cid": ("reddit", "cpc"),
    "epik": ("pinterest", "cpc"),
    "qclid": ("quora", "cpc"),
    "yclid": ("yandex", "cpc"),
    "tblci": ("taboola", "cpc"),
    "dicbo": ("outbrain", "cpc"),
}
"""Ad click parameters: name, the source and the medium a click of that network gets."""

_CLICK_ID = rf"(?:^|&)((?i-u:{'|'.join(_CLICK_IDS)}))=[^&]"

_SEARCH_ENGINE = (
    r"^(?:(?:www[0-9]?|m|images)\.|(?:[a-z0-9-]+\.)*search\.)?"
    r"(?:(?:[a-z]{2}\.)?(google|bing|yahoo|yandex|aol)\.(?:com|[a-z]{2}|com?\.[a-z]{2})"
    r"|(duckduckgo|baidu|naver|daum|seznam|ask|sogou)\.(?:com|net|cz))\.?$"
)
"""Hosts GA4 reports under an engine's bare name; others (`mail.google.com`) are plain referrers."""

_ALTERNATE_SITE = r"^(?:m|l|lm|mobile|touch|old|new|out|away|[a-z]{2}(?:-[a-z]{2})?)\."
"""First label of a site's mobile, redirecting and language hosts."""

_COLUMNS = ("host", "path", *_UTM, "click_id", "click_source", "click_medium", "site", "site_category")

_CONTROLS = r"[\x00-\x1f\x7f]+"


def parse_urls(urls: pl.Series) -> pl.DataFrame:
    """Parse addresses: one row per value of `urls`, in the same order; every column is a nullable string.

    * `url`: the value as it came.
    * `host`: lower-case, without port and user; null for a relative address (`/a/b?utm_source=x`).
    * `path`: without query and fragment, `/` when empty.
    * `utm_source`, `utm_medium`, `utm_campaign`: percent-decoded, trimmed, in the original case; the first of
      each name counts; null when empty.
    * `click_id`: name of the first ad click parameter with a value; `click_source` and `click_medium`: what
      its network is called as traffic.
    * `site`: the source GA4 would name for this host as a referrer: `google` for `www.google.co.uk`, else the
      host without `www.`.
    * `site_category`: `search`, `social`, `shopping`, `video` or null.

    What is no address (`javascript:`, free text, a port of 70000, half an IPv6 host) has nulls in all columns
    but `url`.
    """
    frame = urls.cast(pl.String).alias("url").to_frame().lazy()
    categories = dict(source_categories().iter_rows())
    sites = (pl.col("site"), pl.col("site").str.replace(_ALTERNATE_SITE, ""))
    parsed = (
        frame.with_columns(pl.col("url").str.strip_chars().str.extract_groups(_URL).alias("parts"))
        .unnest("parts")
        .with_columns(pl.coalesce("ipv6", "name").str.to_lowercase().alias("host"))
        .with_columns(
            _is_address().alias("is_address"),
            _site().alias("site"),
            pl.col("path").replace("", "/"),
            pl.col("query").str.extract(_CLICK_ID, 1).str.to_lowercase().alias("click_id"),
            *(_utm(name).alias(name) for name in _UTM),
        )
        .with_columns(
            _found(pl.col("click_id"), {name: source for name, (source, _) in _CLICK_IDS.items()}).alias(
                "click_source"
            ),
            _found(pl.col("click_id"), {name: medium for name, (_, medium) in _CLICK_IDS.items()}).alias(
                "click_medium"
            ),
            # The category of the site, or of the site that this is a mobile or language host of.
            pl.coalesce(_found(site, categories) for site in sites).alias("site_category"),
        )
    )
    return parsed.select("url", *(pl.when("is_address").then(name).alias(name) for name in _COLUMNS)).collect()


def _is_address() -> pl.Expr:
    """Tell whether the value is an address, absolute or relative, with a host and a port that can exist."""
    port = pl.col("port").str.strip_chars_start("0")
    port_fits = (port.str.len_chars() <= 5) & (port.str.to_integer(strict=False).fill_null(0) <= _MAX_PORT)
    host_fits = pl.col("host").str.len_chars() <= _MAX_HOST
    is_given = pl.col("path").is_not_null() & (pl.col("url").str.strip_chars() != "")
    return is_given & port_fits.fill_null(True) & host_fits.fill_null(True)


def _utm(name: str) -> pl.Expr:
    """Give a campaign parameter, decoded; control characters become spaces, for PostgreSQL stores no NUL."""
    raw = pl.col("query").str.extract(rf"(?:^|&){name}=([^&]*)", 1)
    text = raw.map_batches(_percent_decoded, return_dtype=pl.String).str.replace_all(_CONTROLS, " ")
    return text.str.strip_chars().replace("", None)


def _percent_decoded(raw: pl.Series) -> pl.Series:
    """Decode `%XX` and `+`; bytes that are not UTF-8 become U+FFFD, broken escapes stay."""
    encoded = raw.filter(raw.str.contains(r"[%+]")).unique()
    return raw.replace(encoded, pl.Series([unquote_plus(text) for text in encoded], dtype=pl.String))


def _site() -> pl.Expr:
    """Give the engine's name for a search host, else the host without `www.` and without a final dot."""
    host = pl.col("host")
    plain = host.str.strip_prefix("www.").str.strip_suffix(".")
    engines = (host.str.extract(_SEARCH_ENGINE, group) for group in (1, 2))
    return pl.coalesce(*engines, plain).replace("", None)


def _found(value: pl.Expr, known: Mapping[str, str]) -> pl.Expr:
    return value.replace_strict(known, default=None, return_dtype=pl.String)
