"""The names of events that the platform gives a meaning to, of an order's id, and how other trackers spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from analytics_platform.contracts.sql import literal

_CANCELLATIONS = ("order cancelled", "order canceled", "cancelled order", "canceled order")
"""Refunds of the orders that they name. One without an order keeps its name: what it takes back is not known."""

_SPELLINGS = {
    "page_view": "page viewed, viewed page, view page, $pageview",
    "screen_view": "screen viewed, viewed screen, $screen",
    "view_item": "product viewed, viewed product, view product, product view, product details viewed, item viewed,"
    "viewed item, item view, pdp view, detail view, view detail, product detail,"
    "product detail view, product details view, view details, view content",
    "view_item_list": "product list viewed, collection viewed, viewed collection, category viewed, viewed category,"
    "list view, view list,"
    "view category, product list view, item list viewed, viewed product list",
    "select_item": "product clicked, clicked product, product click, item clicked, item selected, click product,"
    "item click, click item, select product, product selected",
    "add_to_cart": "product added to cart, product added, added product, added to cart, add product to cart, cart add,"
    "add cart, basket add,"
    "add to basket, added to basket, add to bag, item added to cart, item added, add item, add2cart,"
    "wishlist product added to cart",
    "remove_from_cart": "product removed from cart, product removed, removed product, removed from cart, cart remove,"
    "remove from basket, removed from basket, item removed from cart, item removed, remove item",
    "view_cart": "cart viewed, viewed cart, cart view, basket viewed, view basket",
    "begin_checkout": "checkout started, started checkout, checkout begun, start checkout, initiate checkout,"
    "initiated checkout, checkout start",
    "add_shipping_info": "checkout shipping info submitted, shipping info submitted, shipping info entered",
    "add_payment_info": "payment info submitted, payment info entered, payment info added",
    "purchase": "checkout completed, completed checkout, checkout complete, order completed, completed order,"
    "order complete, order placed, placed order, place order, place an order, order success, purchased,"
    "purchase completed, completed purchase, purchase complete, complete payment, payment success, checkout success,"
    "new order, checked out, paid, ecommerce purchase, transaction",
    "refund": "order refunded, refunded order, order refund, refunded, refund issued, purchase refunded,"
    f"{', '.join(_CANCELLATIONS)}",
    "search": "search submitted, submitted search, products searched, searched, searched products, site search,"
    "searched site",
    "view_search_results": "search results viewed, viewed search results",
    "view_promotion": "promotion viewed, viewed promotion, promotion view",
    "select_promotion": "promotion clicked, clicked promotion, promotion click",
    "add_to_wishlist": "product added to wishlist, added to wishlist, wishlist add, add to favorites,add to favourites",
    "generate_lead": "email filled on popup, lead, lead generated, lead captured",
    "login": "signed in, sign in, signin, logged in, log in, user logged in, user signed in",
    "sign_up": "signed up, complete registration, account created, registered, register, user signed up",
    "share": "product shared, cart shared, shared",
    "apply_coupon": "coupon applied, applied coupon",
    "session_start": "session started",
}
"""GA4's name → how Shopify (standard events), Segment (e-commerce spec), Meta, Klaviyo and others write it."""

_WORDS = {
    "page_view": "view, views, viewed, viewing, see, seen, open, opened, visit, visits, visited",
    "click": "click, clicks, clicked, clicking, select, selects, selected, tap, taps, tapped",
    "view_cart": "cart, basket, bag",
    "add_to_cart": "add, adds, added, adding",
    "remove_from_cart": "remove, removes, removed, delete, deletes, deleted",
    "add_to_wishlist": "wish, wishlist, favorite, favourite, like, liked",
    "begin_checkout": "checkout",
    "add_payment_info": "pay, payment",
    "purchase": "buy, buys, bought, buying, order, orders, ordered",
}
"""GA4's name → the single words that logs and apps use. As part of a name they say nothing: `customer.added`."""
_OF_PRODUCTS = {"page_view": "view_item", "click": "select_item", "view_cart": "add_to_cart"}
"""What the words for some names mean in an event that names products."""

_OTHERS = """
click_review close_convert_lead disqualify_lead file_download first_visit form_start form_submit qualify_lead
scroll select_content user_engagement video_complete video_progress video_start working_lead
"""
"""GA4's automatic, enhanced and recommended events that nobody spells otherwise."""

CALLS_ABOUT_PEOPLE = ("identify", "group", "alias")
"""Segment's calls that tell who somebody is: kept as events without a meaning, and nothing that was done in a shop."""

ORDER_IDS = ("transactionid", "orderid", "ordernumber", "orderno", "orderref", "orderreference", "purchaseid")
"""How the id of an order is spelled, as `plain_name` writes it; of several the first."""

ORDER_AMOUNTS = (
    *("amount", "total_amount", "total_price", "order_total", "order_value", "order_amount", "grand_total"),
    *("transaction_total", "$value", "$revenue"),
)
REFUND_AMOUNTS = (
    *("refund_value", "refund_amount", "refund_total"),
    *("amount_refunded", "refunded_amount", "refunded_value", "total_refunded"),
)
"""What else than `revenue`, `value` and `total` the amounts of orders, and of refunds alone, are called."""

AMOUNTS_OF = {
    "purchase": ("revenue", "value", "total", *ORDER_AMOUNTS),
    "refund": (*REFUND_AMOUNTS, "revenue", "value", "total", *ORDER_AMOUNTS),
}
"""GA4's name of an event → what its amount is called; of several the first that says something."""

CURRENCIES = ("currency_code", "$currency", "order_currency", "transaction_currency")
"""What else than `currency` the currency of an event is called."""

_SEPARATORS = " _.:/-"
_NO_SEPARATORS = str.maketrans("", "", _SEPARATORS)


def plain_name(name: str) -> str:
    """Write a name as it is compared: in lower case and without separators, `orderid` for `Order ID` or `order_id`."""
    return name.lower().translate(_NO_SEPARATORS)


def usually_named(fields: Mapping[str, object], usual: Mapping[str, str]) -> dict[str, object]:
    """Give fields in another case or with other separators their usual names, unless something has that name.

    `usual` has the names as `plain_name` writes them, and as they are usually written.
    """
    found = dict(fields)
    for name in fields:
        if (other := usual.get(plain_name(name), name)) not in found:
            found[other] = found.pop(name)
    return found


@lru_cache(maxsize=1)
def _spelled() -> dict[str, str]:
    """Map each spelling, as `plain_name` writes it, to GA4's name."""
    spelled = {name: (name, *words.split(",")) for name, words in _SPELLINGS.items()}
    every = {**spelled, **{name: (name,) for name in _OTHERS.split()}}
    return {plain_name(spelling): name for name, spellings in every.items() for spelling in spellings}


@lru_cache(maxsize=1)
def _by_plain_name() -> dict[str, str]:
    return {**_by_word(), **_spelled()}


@lru_cache(maxsize=1)
def _by_word() -> dict[str, str]:
    return {plain_name(word): name for name, words in _WORDS.items() for word in words.split(",")}


def ga4_name(name: str) -> str:
    """Return GA4's name of an event without products; a name without one comes back as it is."""
    return _by_plain_name().get(plain_name(name), name)


def is_spelled(name: str) -> bool:
    """Tell whether this is GA4's name of an event or another spelling of it, not one of the single words."""
    return plain_name(name) in _spelled()


def is_purchase(name: str) -> bool:
    """Tell whether events of this name are purchases."""
    return ga4_name(name) == "purchase"


def event_macros() -> str:
    """Write the same as SQL: `plain_name`, `ga4_name`, which names are GA4's or need an order, and what orders have.

    `ga4_name_of_products` is GA4's name of an event that names products. `told_amount` is the text of the amount in the
    JSON object of an event, whose `fields_of` are given too: of its names the first that says something (`AMOUNTS_OF`).
    """
    names = _by_plain_name()
    words = {word: _OF_PRODUCTS[name] for word, name in _by_word().items() if name in _OF_PRODUCTS}
    known = ", ".join(map(literal, sorted(set(names.values()))))
    cancelled = ", ".join(literal(plain_name(name)) for name in _CANCELLATIONS)
    people = ", ".join(map(literal, CALLS_ABOUT_PEOPLE))
    return f"""
        CREATE OR REPLACE TEMP MACRO plain_name(name) AS translate(lower(name), {literal(_SEPARATORS)}, '');
        CREATE OR REPLACE TEMP MACRO ga4_name(name) AS coalesce({_sql_map(names)}[plain_name(name)], name);
        CREATE OR REPLACE TEMP MACRO ga4_name_of_products(name) AS
            coalesce({_sql_map({**names, **words})}[plain_name(name)], name);
        CREATE OR REPLACE TEMP MACRO is_known_event(event_name) AS event_name IN ({known});
        CREATE OR REPLACE TEMP MACRO is_about_people(name) AS name IN ({people});
        CREATE OR REPLACE TEMP MACRO needs_order(name) AS plain_name(name) IN ({cancelled});
        CREATE OR REPLACE TEMP MACRO order_id(document) AS
            coalesce(
                known_id(json_extract_string(document, '$.transaction_id')),  -- the usual spelling is found at once
                list_filter(
                    list_transform(spelled(document, {_sql_list(ORDER_IDS)}), lambda text: known_id(text)),
                    lambda id: id IS NOT NULL
                )[1]
            );
        CREATE OR REPLACE TEMP MACRO told_amount(ga4_event_name, document, fields) AS
            -- Not of others: a total of `12 results` or a value of `42 cm` was an amount in an unknown currency.
            CASE WHEN ga4_event_name IN ('purchase', 'refund') THEN coalesce(
                CASE WHEN ga4_event_name = 'refund' THEN {_first_known(REFUND_AMOUNTS)} END,
                known(struct_extract(fields, 'revenue')),
                known(struct_extract(fields, 'value')),
                known(struct_extract(fields, 'total')),
                {_first_known(ORDER_AMOUNTS)}
            ) END;
        CREATE OR REPLACE TEMP MACRO other_currency(document) AS {_first_known(CURRENCIES)};
    """


def spelled_pattern(names: Iterable[str]) -> str:
    """Write the pattern of these names in JSON, up to the closing quote, in any case and with any separators."""
    letters = f"[{_SEPARATORS}]*"
    spelled = "|".join(letters.join(map(re.escape, plain_name(name))) for name in names)
    return f'(?i)"{letters}(?:{spelled}){letters}'


def _first_known(names: Iterable[str]) -> str:
    """Write the first text of a JSON object under these names, however they are spelled, that says something."""
    # What works within a list is made ready anew for every 2,048 rows: 1.5 ms, of which most rows have no use.
    has_one = literal(rf'{spelled_pattern(names)}"|\\u')  # \u0061: letters as numbers
    found = (
        f"list_filter(spelled(document, {_sql_list(map(plain_name, names))}), lambda text: known(text) IS NOT NULL)[1]"
    )
    return f"CASE WHEN regexp_matches(document, {has_one}) THEN {found} END"


def _sql_list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, names))}]"


def _sql_map(values: Mapping[str, str]) -> str:
    return f"MAP {{{', '.join(f'{literal(key)}: {literal(value)}' for key, value in values.items())}}}"
