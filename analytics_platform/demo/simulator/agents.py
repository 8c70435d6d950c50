"""User agents of people and of crawlers; every one has a comma or gets its quotes all the same."""

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS"
_ANDROID = "Mozilla/5.0 (Linux; Android"

_DESKTOP = (
    f"{_WINDOWS} {_BLINK} Chrome/129.0.0.0 Safari/537.36",
    f"{_WINDOWS} {_BLINK} Chrome/130.0.0.0 Safari/537.36",
    f"{_WINDOWS} {_BLINK} Chrome/131.0.0.0 Safari/537.36",
    f"{_WINDOWS} {_BLINK} Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
    f"{_WINDOWS} {_BLINK} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    f"{_WINDOWS} {_BLINK} Chrome/129.0.0.0 Safari/537.36 OPR/115.0.0.0",
    f"{_MAC} {_BLINK} Chrome/130.0.0.0 Safari/537.36",
    f"{_MAC} {_BLINK} Chrome/131.0.0.0 Safari/537.36",
    f"{_MAC} {_WEBKIT} Version/17.6 Safari/605.1.15",
    f"{_MAC} {_WEBKIT} Version/18.1 Safari/605.1.15",
    f"{_LINUX} {_BLINK} Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
)

_MOBILE = (
    f"{_IPHONE} 17_6 like Mac OS X) {_WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} 18_0 like Mac OS X) {_WEBKIT} Version/18.0 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} 18_1 like Mac OS X) {_WEBKIT} Version/18.1 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} 18_1 like Mac OS X) {_WEBKIT} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} 17_5 like Mac OS X) {_WEBKIT} Mobile/15E148 Instagram 353.0.4.18.87",
    f"{_ANDROID} 10; K) {_BLINK} Chrome/130.0.0.0 Mobile Safari/537.36",
    f"{_ANDROID} 10; K) {_BLINK} Chrome/131.0.0.0 Mobile Safari/537.36",
    f"{_ANDROID} 14; SM-S921B) {_BLINK} Chrome/130.0.6723.102 Mobile Safari/537.36",
    f"{_ANDROID} 15; Pixel 8) {_BLINK} Chrome/131.0.6778.39 Mobile Safari/537.36",
    f"{_ANDROID} 14; SM-A546B) {_BLINK} SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
)

_TABLET = (
    f"Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) {_WEBKIT} Version/16.6 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1",
    f"{_ANDROID} 13; SM-X200) {_BLINK} Chrome/130.0.0.0 Safari/537.36",
    f"{_ANDROID} 12; Lenovo TB-X606F) {_BLINK} Chrome/129.0.0.0 Safari/537.36",
)

PEOPLE = _DESKTOP + _MOBILE + _TABLET
"""Browsers of visitors."""

PEOPLE_WEIGHTS = (3,) * len(_DESKTOP) + (6,) * len(_MOBILE) + (2,) * len(_TABLET)
"""How common each of `PEOPLE` is, in the same order."""

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

CRAWLERS = (
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)",
    "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
    f"{_ANDROID} 6.0.1; Nexus 5X Build/MMB29P) {_BLINK} Chrome/130.0.0.0 "
    "Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"Mozilla/5.0 {_BLINK}; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
)
"""Crawlers that come in bursts."""
