"""User agents: the kinds of device and program, and that arbitrary text raises no error."""

import polars as pl
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform.lookups import parse_user_agents

SCHEMA = {
    "user_agent": pl.String,
    "device_type": pl.String,
    "os": pl.String,
    "browser": pl.String,
    "is_bot": pl.Boolean,
}
DEVICE_TYPES = {"desktop", "mobile", "tablet", "tv", "console", "bot", "unknown"}

BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1"


def parse(user_agent: str | None) -> dict[str, object]:
    return parse_user_agents(pl.Series([user_agent], dtype=pl.String)).row(0, named=True)


@pytest.mark.parametrize(
    ("user_agent", "device_type", "os", "browser"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} Safari/537.36", "desktop", "Windows", "Chrome"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK} Safari/537.36", "desktop", "Chrome OS", "Chrome"),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
            "desktop",
            "Ubuntu",
            "Firefox",
        ),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) {IOS}", "mobile", "iOS", "Mobile Safari"),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {BLINK} Mobile Safari/537.36",
            "mobile",
            "Android",
            "Chrome Mobile",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 9; CUBOT_P30) {BLINK} Mobile Safari/537.36",
            "mobile",
            "Android",
            "Chrome Mobile",
        ),
        (
            "Dalvik/2.1.0 (Linux; U; Android 12; SM-G991B Build/SP1A.210812.016)",
            "mobile",
            "Android",
            "Android",
        ),
        (f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {IOS}", "tablet", "iOS", "Mobile Safari"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X200) {BLINK} Safari/537.36", "tablet", "Android", "Chrome"),
        (
            "Mozilla/5.0 (Android 13; Tablet; rv:109.0) Gecko/115.0 Firefox/115.0",
            "tablet",
            "Android",
            "Firefox Mobile",
        ),
        (f"Mozilla/5.0 (Web0S; Linux/SmartTV) {BLINK} Safari/537.36", "tv", "Web0S", "Chrome"),
        (f"Mozilla/5.0 (Linux; Android 9; AFTMM) {BLINK} Safari/537.36", "tv", "Android", "Chrome"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {BLINK} Safari/537.36",
            "console",
            "Windows",
            "Chrome",
        ),
        ("Mozilla/5.0", "unknown", None, None),
        ("", "unknown", None, None),
        (None, "unknown", None, None),
    ],
)
def test_people(user_agent: str | None, device_type: str, os: str | None, browser: str | None) -> None:
    parsed = parse(user_agent)
    assert (parsed["device_type"], parsed["os"], parsed["browser"]) == (device_type, os, browser)
    assert parsed["is_bot"] is False


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        f"Mozilla/5.0 (Linux; Android 6.0.1) {BLINK} Mobile Safari/537.36 (compatible; Googlebot/2.1)",
        "Mozilla/5.0 (compatible; ShopWatch/3.1; +https://watch.example/)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0",
        f"Mozilla/5.0 (Linux; Android 11; moto g power) {BLINK} Mobile Safari/537.36 Chrome-Lighthouse",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "python-requests/2.31.0",
        "Python-urllib/3.11",
        "curl/8.4.0",
        "Wget/1.21.3",
        "Go-http-client/2.0",
        "ELB-HealthChecker/2.0",
        "kube-probe/1.26",
        "facebookexternalhit/1.1",
    ],
)
def test_machines(user_agent: str) -> None:
    parsed = parse(user_agent)
    assert (parsed["device_type"], parsed["is_bot"]) == ("bot", True)


ONLY_LIBRARIES = [
    *(
        "node",
        "node.js",
        "Deno/1.40.0",
        "Bun/1.0.25",
        "okhttp/4.9.3",
        "reqwest/0.11.22",
        "PHP/8.1.2",
        "PHP",
        "axios/1.6.0",
    ),
    *("undici", "Go", "Java/17.0.1", "Java-http-client/17.0.2", "Ruby", "GuzzleHttp/7", "libwww-perl/6.43", "got"),
    *("RestSharp/106.11.7.0", "ktor-client", "hackney/1.18", "ReactorNetty/1.0.24", "http.rb/5.1.1", "PowerShell/7.3"),
    *("node-superagent/5.1", "unirest-java/3.1.00", "AHC/2.1", "cpp-httplib/0.11", "Alamofire/5.6"),
    *("Dart/3.1 (dart:io)", "Symfony HttpClient/Curl", "rest-client/2.1.0 (linux x86_64) ruby/3.2.2p53"),
    *("CFNetwork/1408.0.4 Darwin/22.5.0", "Apache-HttpClient/4.5.13 (Java/11.0.11)", "Python/3.11 aiohttp/3.8"),
    *("Jersey/2.33 (HttpUrlConnection 11.0.9)", "Faraday v2.7.4", "libcurl/7.8 OpenSSL/1.1 zlib/1.2"),
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682",
]
APPS = [
    *("MyShop/3.2 okhttp/4.9.3", "MyShop/42 CFNetwork/1408.0.4 Darwin/22.5.0", "MyShop/3.2 (Android 13) Dart/3.0"),
    *("shop-app/1.0 Dart/2.18 (dart:io)", "MyShop/1.0 reqwest/0.11", "MyShop 3.2 (iPhone; iOS 17.1; en_US)"),
    *("com.shop.app/3.2.1 (Android 13; Pixel 7) okhttp/4.9", "okhttp/4.9.3 (Android 13; Pixel 7)"),
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} MyShop/1.2.3 Electron/25.8.4 Safari/537.36",
]


def test_a_library_alone_is_a_machine_and_with_the_name_of_an_app_it_is_a_person() -> None:
    assert parse_user_agents(pl.Series(ONLY_LIBRARIES)).filter(~pl.col("is_bot")).is_empty()
    assert parse_user_agents(pl.Series(APPS)).filter("is_bot").is_empty()


UA_PIECES = st.lists(
    st.sampled_from(["Mozilla/5.0", " (", ")", "; ", "Android", "Mobile", "bot", "+http://", "Windows NT", "\n", "é"])
).map("".join)


@given(st.lists(st.none() | st.text() | UA_PIECES, max_size=5))
def test_any_text_keeps_its_row(values: list[str | None]) -> None:
    parsed = parse_user_agents(pl.Series(values, dtype=pl.String))
    assert parsed.schema == SCHEMA
    assert parsed["user_agent"].to_list() == values
    assert set(parsed["device_type"]) <= DEVICE_TYPES
    assert ((parsed["device_type"] == "bot") == parsed["is_bot"]).all()


@pytest.mark.parametrize("filler", ["a", " ; ", "Android 1;", "Mozilla/5.0 (", "/1.0", "é"])
def test_a_megabyte_of_anything_is_read(filler: str) -> None:
    text = filler * (1_000_000 // len(filler))
    assert parse(text)["user_agent"] == text


def test_an_untyped_empty_column() -> None:
    assert parse_user_agents(pl.Series([])).schema == SCHEMA


@pytest.mark.parametrize(
    "user_agent",
    [
        *("Claude-User/1.0", "anthropic-ai", "cohere-ai", "meta-externalagent/1.1", "Google-Agent", "Manus-User/1.0"),
        *("Google-AdWords-Express", "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)"),
        *("Checkly/1.0", "Mozilla/5.0 (X11) ThousandEyes", "Mozilla/5.0 (compatible; Siteimprove.com)", "Zabbix"),
        *("curl", "got/12", "got (https://github.com/sindresorhus/got)", "HTTPie/3.2.1", "Mozilla/5.0 zgrab/0.x"),
        *("Siteimprove", "Catalogue reader (team@example.com)", "Mozilla/5.0 (compatible; Unheard-Of/1.0)"),
    ],
)
def test_fetchers_monitors_and_scripts_are_machines(user_agent: str) -> None:
    assert parse(user_agent)["is_bot"]


def test_nearly_all_of_a_public_list_of_crawlers_are_machines() -> None:
    listed = [text for each in CRAWLER_USER_AGENTS_DATA for text in each["instances"]]
    share = parse_user_agents(pl.Series(listed))["is_bot"].mean()
    assert isinstance(share, float)
    assert share >= 0.92
    print(f"{share:.1%} of {len(listed):,} crawlers")
