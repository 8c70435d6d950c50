"""Addresses: what is read from valid ones, and that invalid ones raise no error."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform.lookups import parse_urls

COLUMNS = [
    *("url", "host", "path", "utm_source", "utm_medium", "utm_campaign"),
    *("click_id", "click_source", "click_medium", "site", "site_category"),
]

MEGABYTE = 1_000_000


def parse(url: str | None) -> dict[str, str | None]:
    return parse_urls(pl.Series([url], dtype=pl.String)).row(0, named=True)


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://www.Shop.Example/a/B?x=1#y", "www.shop.example", "/a/B"),
        ("https://shop.example:8443", "shop.example", "/"),
        ("https://user:pass@shop.example/", "shop.example", "/"),
        ("  https://shop.example/a  ", "shop.example", "/a"),
        ("//cdn.example/x", "cdn.example", "/x"),
        ("https://shop.example?utm_source=x", "shop.example", "/"),
        ("https://shop.example#/a?b", "shop.example", "/"),
        ("http://[2001:DB8::1]:8080/p", "2001:db8::1", "/p"),
        ("http://127.0.0.1:3000/p", "127.0.0.1", "/p"),
        ("https://bücher.example/ä", "bücher.example", "/ä"),
        ("android-app://com.google.android.gm/", "com.google.android.gm", "/"),
        ("/a/b?utm_source=x", None, "/a/b"),
        ("?utm_source=x", None, "/"),
    ],
)
def test_host_and_path(url: str, host: str | None, path: str) -> None:
    parsed = parse(url)
    assert (parsed["host"], parsed["path"]) == (host, path)


@pytest.mark.parametrize(
    "url",
    [
        *(
            None,
            "",
            " ",
            "free text",
            "shop.example",
            "javascript:alert('?utm_source=x')",
            "mailto:a@b.example",
        ),
        *(
            "data:text/html,/x",
            "http://",
            "http:///path",
            "http://[::1/",
            "http://[zz]/",
            "http://]/",
            "http://::1/",
        ),
        *("http://a:70000/", "http://a:-1/", "http://a:port/", f"http://a:{'9' * MEGABYTE}/", "http://a b/"),
        *("http://a%zz/", f"http://{'a' * MEGABYTE}/", "a" * MEGABYTE, "\x00"),
    ],
)
def test_what_is_not_an_address_has_nulls(url: str | None) -> None:
    assert parse(url) == dict.fromkeys(COLUMNS) | {"url": url}


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("utm_source=Google", "Google"),
        ("a=1&utm_source=g", "g"),
        ("utm_source=caf%C3%A9+au%20lait", "café au lait"),
        ("utm_source=%20g%20", "g"),
        ("utm_source=", None),
        ("utm_source=+", None),
        ("utm_source", None),
        ("utm_source=first&utm_source=second", "first"),
        ("utm_source=a=b", "a=b"),
        ("xutm_source=a", None),
        ("utm_source=100%", "100%"),
        ("utm_source=%ZZ", "%ZZ"),
        ("utm_source=%FF", "\ufffd"),
        ("utm_source=a%00b%0A", "a b"),
    ],
)
def test_utm_values(query: str, source: str | None) -> None:
    assert parse(f"https://shop.example/?{query}#utm_source=fragment")["utm_source"] == source
    assert parse(f"/?{query}")["utm_source"] == source


def test_utm_medium_and_campaign() -> None:
    parsed = parse("/p?utm_campaign=Spring%20Sale&utm_medium=cpc&utm_term=x")
    assert (parsed["utm_source"], parsed["utm_medium"], parsed["utm_campaign"]) == (
        None,
        "cpc",
        "Spring Sale",
    )


@pytest.mark.parametrize(
    ("query", "click"),
    [
        ("gclid=abc", ("gclid", "google", "cpc")),
        ("a=1&wbraid=abc", ("wbraid", "google", "cpc")),
        ("msclkid=abc", ("msclkid", "bing", "cpc")),
        ("ttclid=abc", ("ttclid", "tiktok", "cpc")),
        ("fbclid=abc", ("fbclid", "facebook", "cpc")),
        ("ScCid=abc", ("sccid", "snapchat", "cpc")),
        ("dclid=abc", ("dclid", "dfa", "cpm")),
        ("fbclid=&gclid=abc", ("gclid", "google", "cpc")),
        ("gclid=", (None, None, None)),
        ("notgclid=abc", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_click_ids(query: str, click: tuple[str | None, ...]) -> None:
    parsed = parse(f"https://shop.example/?{query}")
    assert (parsed["click_id"], parsed["click_source"], parsed["click_medium"]) == click


@pytest.mark.parametrize(
    ("referrer", "site", "category"),
    [
        ("https://www.google.co.uk/", "google", "search"),
        ("https://google.com.br/search?q=x", "google", "search"),
        ("https://uk.search.yahoo.com/", "yahoo", "search"),
        ("https://cn.bing.com/", "bing", "search"),
        ("https://duckduckgo.com/", "duckduckgo", "search"),
        ("https://www.ecosia.org/", "ecosia.org", "search"),
        ("https://ask.fm/", "ask.fm", "social"),
        ("https://mail.google.com/", "mail.google.com", None),
        ("https://google.shop.example/", "google.shop.example", None),
        ("https://www.instagram.com/", "instagram.com", "social"),
        ("https://l.instagram.com/", "l.instagram.com", "social"),
        ("https://fr.linkedin.com/", "fr.linkedin.com", "social"),
        ("https://t.co/x", "t.co", "social"),
        ("https://www.amazon.fr/", "amazon.fr", "shopping"),
        ("https://m.youtube.com/", "m.youtube.com", "video"),
        ("https://www.shop.example./", "shop.example", None),
    ],
)
def test_site_as_ga4_names_it(referrer: str, site: str, category: str | None) -> None:
    parsed = parse(referrer)
    assert (parsed["site"], parsed["site_category"]) == (site, category)


PIECES = (
    *(
        "http://",
        "//",
        "[",
        "]",
        "::",
        "@",
        ":80",
        "/",
        "?",
        "&",
        "=",
        "#",
        "%",
        "%C3",
        "\x00",
        "\n",
        " ",
        "é",
    ),
    *("utm_source", "gclid", "www.", "google", ".", "com"),
)
URL_PIECES = st.lists(st.sampled_from(PIECES)).map("".join)


@given(st.lists(st.none() | st.text() | URL_PIECES | st.text().map("https://shop.example/?".__add__), max_size=5))
def test_any_text_keeps_its_row(urls: list[str | None]) -> None:
    parsed = parse_urls(pl.Series(urls, dtype=pl.String))
    assert parsed.columns == COLUMNS
    assert set(parsed.dtypes) == {pl.String}
    assert parsed["url"].to_list() == urls
    assert parsed.rows() == [tuple(parse(url).values()) for url in urls]


@pytest.mark.parametrize("filler", ["@", ":", "/?", "%41", "&utm_source=%41", "a.search.", "[:"])
@pytest.mark.parametrize("start", ["", "//", "https://shop.example/?utm_source="])
def test_a_megabyte_of_anything_is_read(start: str, filler: str) -> None:
    url = start + filler * (MEGABYTE // len(filler))
    assert parse(url)["url"] == url


def test_an_untyped_empty_column() -> None:
    assert parse_urls(pl.Series([])).shape == (0, len(COLUMNS))
