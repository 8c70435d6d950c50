"""Addresses: what is read from valid ones, and that invalid ones raise no error."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform.lookups import parse_urls
from analytics_platform.transform.lookups.source_categories import payment_providers

COLUMNS = [
    *("url", "host", "domain", "path", "utm_source", "utm_medium", "utm_campaign"),
    *("search_term", "click_id", "click_source", "click_medium", "click_kind", "site", "site_category", "role"),
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
        ("https%3A%2F%2Fshop.example%2Fa%3Fb%3D1", "shop.example", "/a"),
        ("HTTPS%253a%252F%252Fshop.example%252Fa", "shop.example", "/a"),
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
        # files, names and sentences, which begin as a host may
        *("index.html", "cart.html?x=1", "cart.php", "index.php/cart", "products/red.shirt", "red.shirt", "file.pdf"),
        *("archive.zip", "install.sh", "setup.py?x", "cart.pl", "cart.do?x=1", "readme.md#top", "my.app", "libc.so"),
        *("products.show", "home.page", "checkout.review?x", "(direct)", "1.2.3", "v1.2/x", "10.0.0.1", "e.g.", "a.m"),
        *("see shop.com", "shop.com now", "shop.com, shop.de", "ada@shop.com", "shop.com@a.com/", "shop.com:pw@a.com"),
        *("a..com/", ".com/x", "www.", "com", "a.qqqq/x", "shop.com:x/", "shop.com:99999/", f"{'a.' * 200}com/"),
        *(f"{'a.' * MEGABYTE}com/", "a.com" * MEGABYTE),
    ],
)
def test_what_is_not_an_address_has_nulls(url: str | None) -> None:
    assert parse(url) == dict.fromkeys(COLUMNS) | {"url": url}


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("utm_source=Google", "google"),
        ("a=1&utm_source=g", "g"),
        ("utm_source=caf%C3%A9+au%20lait", "café au lait"),
        ("utm_source=%20g%20", "g"),
        ("utm_source=", None),
        ("utm_source=+", None),
        ("utm_source", None),
        ("utm_source=first&utm_source=second", "first"),
        ("utm_source=&utm_source=(not%20set)&utm_source=NULL&utm_source=second", "second"),
        ("utm_source=a=b", "a=b"),
        ("xutm_source=a", None),
        ("utm_source=100%", "100%"),
        ("utm_source=%ZZ", "%zz"),
        ("utm_source=%FF", "\ufffd"),
        ("utm_source=a%00b%0A", "a b"),
        ("UTM_SOURCE=news", "news"),
        ("Utm_Source=news", "news"),
        ("a=1&amp;utm_source=news", "news"),
        ("a=1&AMP;utm_source=news", "news"),
        ("a=1?utm_source=news", "news"),
        ("utm%5Fsource=news", "news"),
        ("utm%5fsource=news", "news"),
        ("utm_source=may%2520sale", "may sale"),
        ("utm_source=undefined", None),
        ("utm_source={{site_source_name}}&utm_source=x", "x"),
        ("utm_source=%5Bobject%20Object%5D", None),
        ("utm_source=Cafe%CC%81", "caf\u00e9"),
        ("utm_source=%E2%80%8Bspring%EF%BB%BF", "spring"),
        ("utm_source=sp\u00adring\u200b", "spring"),
        ("utm_source=%C2%A0may%C2%A0sale%E2%80%89", "may sale"),
        ("utm_source=%E2%80%8B&utm_source=second", "second"),
        ("x=1#utm_source=news", "news"),
        ("x=1#/route?utm_source=news", "news"),
        ("a=1&amp;amp;utm_source=news", "news"),
        ("a=1&#38;utm_source=news", "news"),
        ("a=1&%20utm_source=news", "news"),
        ("a=1;utm_source=news;b=2", "news;b=2"),
        ("utm_medium=a;utm_source=news", "news"),
        ("utm_source%3Dnews%26utm_medium%3Demail", "news"),
        ("utm%255Fsource%253Dnews%2526utm_medium%253Demail", "news"),
        ("id=5%26utm_source%3Dnews%26page%3D2", "news"),
        ("a=1%26amp%3Butm_source%3Dnews", "news"),
        ("utm_source=R%26D", "r&d"),
        ("return=%2Fcart%3Futm_source%3Dnews%26utm_medium%3Demail", None),
        ("return=https%253A%252F%252Fa.example%253Futm_source%253Dnews", None),
    ],
)
def test_utm_values(query: str, source: str | None) -> None:
    assert parse(f"https://shop.example/?{query}")["utm_source"] == source
    assert parse(f"/?{query}")["utm_source"] == source


def test_a_tag_in_the_query_wins_over_one_behind_the_number_sign() -> None:
    assert parse("/?utm_source=query#utm_source=fragment")["utm_source"] == "query"


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
        ("gclid=abc", ("gclid", "google", "cpc", "auto")),
        ("a=1&wbraid=abc", ("wbraid", "google", "cpc", "auto")),
        ("msclkid=abc", ("msclkid", "bing", "cpc", "auto")),
        ("ttclid=abc", ("ttclid", "tiktok", "cpc", "paid")),
        ("fbclid=abc", ("fbclid", "facebook", "referral", "shared")),
        ("ScCid=abc", ("sccid", "snapchat", "cpc", "paid")),
        ("dclid=abc", ("dclid", "dfa", "cpm", "auto")),
        ("gad_source=1", ("gad_source", "google", "cpc", "auto")),
        ("fbclid=1&gclid=abc", ("gclid", "google", "cpc", "auto")),
        ("fbclid=1&ttclid=abc", ("ttclid", "tiktok", "cpc", "paid")),
        ("a=1#gclid=abc", ("gclid", "google", "cpc", "auto")),
        ("a=1&amp;gclid=abc", ("gclid", "google", "cpc", "auto")),
        ("fbclid=&gclid=abc", ("gclid", "google", "cpc", "auto")),
        ("gclid=", (None, None, None, None)),
        ("notgclid=abc", (None, None, None, None)),
        *(
            (f"gclid={value}", ("gclid", "google", "cpc", "auto"))
            for value in ("0abc", "10", "Cj0%2B", "%41", "null1", "n%2Fa1", "%7Ba%7Db", "(not%20set)x")
        ),
        ("_gclid=abc", (None, None, None, None)),
        ("gclid%3Dabc", ("gclid", "google", "cpc", "auto")),
        ("a=1%26gclid%3Dabc", ("gclid", "google", "cpc", "auto")),
        ("return=%2F%3Fgclid%3Dabc", (None, None, None, None)),
        ("", (None, None, None, None)),
    ],
)
def test_click_ids(query: str, click: tuple[str | None, ...]) -> None:
    parsed = parse(f"https://shop.example/?{query}")
    assert tuple(parsed[name] for name in ("click_id", "click_source", "click_medium", "click_kind")) == click


@pytest.mark.parametrize(
    ("referrer", "site", "category"),
    [
        ("https://www.google.co.uk/", "google", "search"),
        ("https://google.com.br/search?q=x", "google", "search"),
        ("https://uk.search.yahoo.com/", "yahoo", "search"),
        ("https://cn.bing.com/", "bing", "search"),
        ("https://duckduckgo.com/", "duckduckgo", "search"),
        ("https://www.ecosia.org/", "ecosia.org", "search"),
        ("https://suche.t-online.de/?q=x", "suche.t-online.de", "search"),
        ("https://www.t-online.de/", "t-online.de", None),
        ("https://email.t-online.de/", "email.t-online.de", None),
        ("https://suche.web.de/", "suche.web.de", "search"),
        ("https://web.de/", "web.de", None),
        ("https://suche.aol.de/", "suche.aol.de", "search"),
        ("https://ask.fm/", "ask.fm", None),
        ("https://mail.google.com/", "mail.google.com", None),
        ("https://google.shop.example/", "google.shop.example", None),
        ("https://www.instagram.com/", "instagram.com", "social"),
        ("https://l.instagram.com/", "l.instagram.com", "social"),
        ("https://fr.linkedin.com/", "fr.linkedin.com", "social"),
        ("https://t.co/x", "t.co", "social"),
        ("https://www.amazon.fr/", "amazon.fr", "shopping"),
        ("https://m.youtube.com/", "m.youtube.com", "video"),
        ("https://www.shop.example./", "shop.example", None),
        ("https://lm.instagram.com/", "lm.instagram.com", "social"),
        ("https://old.new.reddit.com/", "old.new.reddit.com", "social"),
        ("https://notfacebook.com/", "notfacebook.com", None),
        ("https://xn--bcher-kva.example/", "bücher.example", None),
    ],
)
def test_site_as_ga4_names_it(referrer: str, site: str, category: str | None) -> None:
    parsed = parse(referrer)
    assert (parsed["site"], parsed["site_category"]) == (site, category)


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://www.shop.co.uk/", "shop.co.uk"),
        ("https://checkout.shop.example/", "shop.example"),
        ("https://ada.myshopify.com/", "ada.myshopify.com"),
        ("https://xn--bcher-kva.example/", "bücher.example"),
        ("https://BÜCHER.example/", "bücher.example"),
        ("http://127.0.0.1:3000/", "127.0.0.1"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("http://localhost/", "localhost"),
        ("/relative", None),
    ],
)
def test_what_somebody_registered(url: str, domain: str | None) -> None:
    assert parse(url)["domain"] == domain


def test_the_nearest_domain_says_the_role_of_a_host() -> None:
    urls = ["https://pay.example/", "https://a.pay.example/", "https://own.pay.example/", "https://xpay.example/", "/a"]
    parsed = parse_urls(pl.Series(urls), {"pay.example": "ignored", "own.pay.example": "own"})
    assert parsed["role"].to_list() == ["ignored", "ignored", "own", None, None]


@pytest.mark.parametrize(
    ("host", "role"),
    [
        *((f"{name}.{suffix}", "ignored") for name in ("paypal", "www.paypal") for suffix in ("com", "de", "co.uk")),
        *((host, "ignored") for host in ("app.klarna.com", "klarna.de", "www.sofort.com", "checkout.stripe.com")),
        *((host, "ignored") for host in ("pay.google.com", "pay.amazon.de", "secure.adyen.com", "live.adyen.com")),
        *((host, "ignored") for host in ("secure5.arcot.com", "acs2.3dsecure.io", "sis.redsys.es", "www.mollie.com")),
        *((host, None) for host in ("google.com", "www.amazon.de", "notpaypal.com", "paypal.shop.example", "paypal")),
        *((host, None) for host in ("paypal.com.evil.example", "checkout.shop", "10.0.0.1")),
    ],
)
def test_payment_providers_are_known_below_any_public_suffix(host: str, role: str | None) -> None:
    assert parse_urls(pl.Series([f"https://{host}/return"]), payment_providers())["role"].to_list() == [role]


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


@pytest.mark.parametrize(
    "value",
    [
        *("undefined", "null", "N/A", "NaN", "{gclid}", "{{click_id}}", "[object Object]", "0", "+", "%20", "%20null+"),
        *("(not set)", "(not%20set)", "%28not+set%29", "%2528not%2520set%2529", "N%2FA", "%5Bobject%20Object%5D"),
        *("%7Bgclid%7D", "%7B%7Bgclid%7D%7D", "%7b%7b+gclid+%7d%7d", "%257Bgclid%257D", "n%2fa"),
    ],
)
def test_a_click_id_that_says_nothing_is_no_click(value: str) -> None:
    address = f"https://shop.example/?gclid={value}&utm_source=news#top"
    (row,) = parse_urls(pl.Series([address])).to_dicts()
    assert (row["click_id"], row["utm_source"]) == (None, "news")
    (row,) = parse_urls(pl.Series([f"https://shop.example/?a={value}&msclkid=x1"])).to_dicts()
    assert row["click_id"] == "msclkid"


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("shop.de/?utm_source=google", "shop.de", "/"),
        ("Shop.DE:8443/cart#top", "shop.de", "/cart"),
        ("www.google.com", "www.google.com", "/"),
        ("l.facebook.com/l.php?u=https://a.example", "l.facebook.com", "/l.php"),
        ("google.co.uk?q=x", "google.co.uk", "/"),
        ("example.com:8080", "example.com", "/"),
        ("t.co.", "t.co", "/"),
        ("bücher.de#a", "bücher.de", "/"),
        ("perplexity.ai", "perplexity.ai", "/"),
        ("www.allegro.pl", "www.allegro.pl", "/"),
        ("toko.co.id/cart.pl", "toko.co.id", "/cart.pl"),
    ],
)
def test_a_host_needs_no_scheme(url: str, host: str, path: str) -> None:
    parsed = parse(url)
    assert (parsed["url"], parsed["host"], parsed["path"]) == (url, host, path)


@pytest.mark.parametrize(
    "url",
    [
        *("cart.pl/checkout", "main.py/x", "README.md/x", "install.sh/", "file.zip/x", "index.cc:80", "order.id/5"),
        *("products.show/1", "settings.page/1", "user.name/page", "com.shop.app/home", "und.so/weiter", "cart.pl?x=1"),
    ],
)
def test_a_file_or_the_name_of_a_screen_is_no_host(url: str) -> None:
    assert parse(url)["host"] is None


def test_a_campaign_and_a_source_are_read_from_addresses_without_a_scheme() -> None:
    page, referrer = parse("shop.de/?utm_source=google&utm_medium=cpc"), parse("www.google.com")
    assert (page["utm_source"], page["utm_medium"]) == ("google", "cpc")
    assert (referrer["site"], referrer["site_category"]) == ("google", "search")


@pytest.mark.parametrize(
    ("url", "term"),
    [
        ("/search?q=red+shoes", "red shoes"),
        ("/search?page=2&amp;Q=%C3%A9clair", "éclair"),
        ("/search?s=&keyword=b&query=a", "a"),
        ("/search?q=(not set)&s=hat", "hat"),
        ("/search?q=one&q=two", "one"),
        ("/?freq=5&faq=q&qs=1", None),
        ("/#/search?q=behind", None),
        ("/login?return=%2Fsearch%3Fq%3Dother", None),
        ("q=free text", None),
    ],
)
def test_a_search_term_is_read_as_ga4_does(url: str, term: str | None) -> None:
    assert parse(url)["search_term"] == term
