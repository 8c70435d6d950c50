"""Reads from a user agent the device type, operating system, browser, and whether it is a person or a machine.

Families of system, browser and crawler come from ua-parser and its uap-core rules. It is ten to forty times
faster with a compiled engine (`ua-parser[re2]`, `ua-parser[regex]`), which it finds by itself. uap-core names
devices but not their types; those are found here by the words that makers put into the text.
"""

import re
from functools import lru_cache

import polars as pl
import ua_parser
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

_MAX_TEXT = 1_024
"""Characters read of a user agent; real ones have a tenth, and the rules are not linear in longer ones."""

_APPS = {"okhttp", "Sogou", "Fluid", "Podimo", r"Code\/1\."}
"""Patterns of the package crawler-user-agents that people's browsers and apps have too."""


_MACHINE_WORDS = (
    # says so itself, or gives an address for complaints; a CUBOT is a telephone
    r"(?:^|[^u]|[^c]u)bot\b|crawl|spider|\+https?://|[a-z0-9._-]@[a-z0-9-]+\.[a-z]",
    # browsers driven by programs
    r"headless|lighthouse|phantomjs|selenium|puppeteer|playwright|cypress|synthetic|gtmetrix|ptst/",
    # uptime monitors and health checks
    r"monitor|uptime|statuscake|site24x7|pingdom|health-?check|kube-probe|googlehc|prometheus/|datadog|siteimprove",
    # scripts; libraries that people's apps use too are `_LIBRARIES`
    r"\bcurl\b|\bwget\b|^got\b|httpie|\bzgrab|python-|python/|aiohttp|httpx|scrapy",
    r"go-http-client|\bjava/|apache-httpclient|libwww|axios/|node-fetch|undici|guzzle|powershell|postmanruntime|insomnia/|\bruby\b",
    # tools that say what they are; a browser names no address of a page
    r"https?://|subscribers?\b|\b(?:feed|rss)|link ?(?:preview|check)|checker\b|validator|extractor|scanner|transcoder",
    r"(?:image|email)-?(?:proxy|cache)|\bprobe|benchmark|apachebench|httpmon|collectd|munin|webparser|preview\b",
    r"\bgoogle-[a-z]|google page speed|google search console|duplexweb-google|analy[sz]er\b|lookup\b|loadtime",
    r"externalhit|diagnostics|verification|\bseo|\bserp|buster/|torrent|mnogosearch|fetch(?:er)?\b|archiv|scan\b",
    # Mozilla without a platform, attempts to break in: no browser or app
    r"^mozilla/[0-9.]+ [^(;]*$|[$]\{|<\?|user-?agent|\bprober\b|security",
    # fetchers of large services that do not call themselves bots
    r"apis-google|mediapartners-google|googleother|google-site-verification|google-read-aloud",
    r"amazon cloudfront|facebookexternalhit",
)
"""Words of machines that uap-core does not, or not always, call `Spider`."""

_LIBRARIES = "|".join(
    (
        # JavaScript, apps, Rust, PHP, Go
        r"node(?:\.?js)?|deno|bun|axios|undici|(?:node-)?superagent|node-fetch|okhttp\d?|retrofit|dart(?::io)?",
        r"cfnetwork|darwin|alamofire",
        r"asynchttpclient|reqwest|hyper|ureq|isahc|php|zend_http_client|guzzle(?:http)?|go|go-resty",
        r"symfony httpclient|fasthttp",
        # Java and what runs on it
        r"java|openjdk|java-http-client|http-?client",
        r"(?:jakarta )?commons-httpclient|apache-http(?:async)?client|jersey",
        r"httpurlconnection|feign|unirest-java|ahc|async-http-client|ktor(?:[- ]client)?|rest-assured|resttemplate",
        r"reactornetty|vert\.x-webclient|akka-http|pekko-http|http4s|clj-http|http-kit",
        # Ruby, Perl, Python, C, .NET, Erlang, Lua, R, Julia
        r"ruby|faraday|rest-client|httparty|typhoeus|http\.rb|mechanize|excon|net::http|perl|lwp|lwp::simple|http-tiny",
        r"mojolicious|python|urllib3?|requests|aiohttp|httpx|pycurl|libcurl|openssl|zlib|nghttp2|cpp-httplib|cpprestsdk",
        r"boost\.beast|(?:microsoft )?winhttp|wininet|winhttprequest|restsharp|refit|\.net|dotnet|hackney|httpc|elixir",
        r"erlang|haskell|lua-resty-http|ngx_lua|httr2?|r|http\.jl",
        # load tests
        r"k6|gatling|locust|(?:apache-)?jmeter|vegeta|wrk|siege|artillery",
    )
)
"""HTTP libraries of programs, and what they write beside their name. A user agent of these alone is a bot's; with the
name of an app (`MyShop/3.2 okhttp/4.9`) it is the app's."""

_ONLY_LIBRARIES = rf"^(?:(?:{_LIBRARIES})(?:[/ ]v?[0-9][^ ;,()]*)?(?: ?\([^)]*\))?[ ;,/]*)+$"
_OF_A_DEVICE = r"android|iphone|ipad|\bios\b"

_COMPATIBLE_BROWSERS = r"compatible; ?(?:msie|konqueror|icab|netscape|opera)|msie [0-9]|trident/"
"""Browsers that say `compatible`; all others that do are crawlers."""

_DEVICE_WORDS = {
    "console": r"playstation|xbox|nintendo",
    "tv": r"smart-?tv|apple ?tv|google ?tv|hbbtv|\btv\b|bravia|\baft[a-z0-9]{1,5}\b|crkey|\broku|netcast"
    r"|web0s|viera",
    "tablet": r"ipad|tablet(?:[^ ]|$| [^p])|kindle|playbook|\bkf[a-z]{2,5}\b|\bsm-[tx][0-9]{3}"
    r"|nexus (?:7|9|10)\b",  # a «Tablet PC» runs Windows
    "mobile": r"mobi|iphone|ipod|android|windows phone|blackberry|\bbb10\b|symb(?:ian|os)|kaios|midp"
    r"|opera mini|harmonyos|cfnetwork",
    "desktop": r"windows|macintosh|mac os x|x11|linux|\bcros\b",
}
"""Words of a device type, first match wins: a television is an Android too, and iPads say `Mobile`."""

_TELEPHONE_OR_APP = r"mobi|okhttp|^dalvik"
"""Android browsers say Mobile on telephones only; apps say nothing and are taken for telephones."""


def parse_user_agents(values: pl.Series) -> pl.DataFrame:
    """Parse user agents: one row per value of `values`, in the same order.

    * `user_agent`: the value as it came, nullable.
    * `device_type`: `desktop`, `mobile`, `tablet`, `tv`, `console`, `bot` or `unknown`; never null. An iPad
      that asks for desktop pages calls itself a Macintosh and counts as `desktop`.
    * `os`, `browser`: families without versions (`Windows`, `Chrome Mobile`); null when not recognised.
    * `is_bot`: crawlers, scripts, probes and driven browsers; never null, false for a missing value.
    """
    frame = values.cast(pl.String).alias("user_agent").to_frame()
    text = pl.col("user_agent").fill_null("").str.slice(0, _MAX_TEXT)
    families = pl.DataFrame(
        [_families(text) for text in frame.select(text).to_series()],
        schema={"os": pl.String, "browser": pl.String, "is_spider": pl.Boolean},
        orient="row",
    )
    return (
        frame.hstack(families)
        .with_columns(text.str.to_lowercase().alias("text"))
        .with_columns(
            (
                pl.col("is_spider")
                | _says(*_MACHINE_WORDS)
                | (_says("compatible;") & ~_says(_COMPATIBLE_BROWSERS))
                | (_says(_ONLY_LIBRARIES) & ~_says(_OF_A_DEVICE))
            ).alias("is_bot")
        )
        .select("user_agent", _device_type(), "os", "browser", "is_bot")
    )


@lru_cache(maxsize=1)
def _crawlers() -> re.Pattern[str]:
    """Compile the patterns of crawlers, which takes longer than a short command: when a user agent is first parsed."""
    return re.compile("|".join(each["pattern"] for each in CRAWLER_USER_AGENTS_DATA if each["pattern"] not in _APPS))


@lru_cache(maxsize=20_000)
def _families(text: str) -> tuple[str | None, str | None, bool]:
    """Give what uap-core knows of a user agent: families of system and browser, and whether it is a crawler."""
    found = ua_parser.parse(text)
    is_spider = (found.device is not None and found.device.family == "Spider") or _crawlers().search(text) is not None
    browser = found.user_agent.family if found.user_agent else None
    return found.os.family if found.os else None, browser, is_spider


def _says(*words: str) -> pl.Expr:
    """Tell whether the lower-case `text` matches any of these patterns."""
    return pl.col("text").str.contains("|".join(words))


def _device_type() -> pl.Expr:
    """Give `bot`, or the first device type whose words occur in the lower-case `text`."""
    says = {device_type: _says(words) for device_type, words in _DEVICE_WORDS.items()}
    says["tablet"] |= _says("android") & ~_says(_TELEPHONE_OR_APP)
    rules = [pl.when("is_bot").then(pl.lit("bot"))]
    rules += [pl.when(found).then(pl.lit(device_type)) for device_type, found in says.items()]
    return pl.coalesce(*rules, pl.lit("unknown")).alias("device_type")
