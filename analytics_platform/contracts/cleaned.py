"""Contracts of the cleaned layer: each source typed and checked, then one shape of events for all of them."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Money, Rate, Ratio, Text, Whole, column
from analytics_platform.contracts.rules import Rule
from analytics_platform.contracts.table import Everything, TouchedKeys

UNKNOWN_REASONS = ["no value", "no exchange rate", "no SHOP_CURRENCY", "items in several currencies"]
DEVICE_TYPES = ("desktop", "mobile", "tablet", "tv", "console", "bot", "unknown")


class Users(
    Contract,
    table="cleaned.users",
    key="user_id",
    write="whole",
    reads=dict.fromkeys(("cleaned.user_versions", "cleaned.customer_versions"), Everything()),
):
    """One row per known customer: what did the users API, or else the shop's database, say of them last?

    The ids of both are compared as text: user 42 of the API and customer 42 of the shop are one person.
    """

    user_id: Text = column("The id in the users API, and customer_id in the shop's database.")
    name: Text = column("The name as it came.", nullable=True)
    honorific: Text = column("In front of the name: Mrs., Prof. …", nullable=True)
    first_name: Text = column("First name.", nullable=True)
    last_name: Text = column("Last name.", nullable=True)
    suffix: Text = column("Behind the name: Jr., V …", nullable=True)
    username: Text = column("Login name.", nullable=True)
    email: Text = column("Address in lower case.", nullable=True)
    phone: Text = column("As it came.", nullable=True)
    website: Text = column("As it came.", nullable=True)
    street: Text = column("Street.", nullable=True)
    suite: Text = column("Apartment or suite.", nullable=True)
    city: Text = column("City.", nullable=True)
    zipcode: Text = column("Postal code.", nullable=True)
    latitude: Ratio = column("Degrees north.", nullable=True)
    longitude: Ratio = column("Degrees east.", nullable=True)
    company_name: Text = column("Company.", nullable=True)
    arrived_at: Instant = column("When that was put into the lake.")


class PersonMembers(
    Contract,
    table="cleaned.person_members",
    key=("client_id", "user_id"),
    write="whole",
    reads={"ops.person_links": Everything()},
):
    """One row per client and per user that some event, order or e-mail address links: which person are they?

    A person is all clients and users that are linked, directly or through others. A client or an e-mail address with
    more than SHARED_DEVICE_USERS users links nobody: it is a shared device. A client that is not listed is a person by
    itself, called as the client; a user who is not listed is the person user:<user_id>.
    """

    client_id: Text = column("The browser or device; empty for a user.")
    user_id: Text = column("The user or the shop's customer; empty for a client.")
    person_id: Text = column("The person: user: and the smallest id of its users.")


class ItemNames(
    Contract,
    table="cleaned.item_names",
    key=("event_date", "product_name", "product_id"),
    partition="event_date",
    narrow="names",
):
    """One row per day, name of a product in items and id that stands with it: which ids does a name have?"""

    event_date: Day = column("Day of the events (UTC).")
    product_name: Text = column("Name as events gave it.")
    product_id: Text = column("The shop's product id; empty for items that give none.")


class ProductNames(
    Contract,
    table="cleaned.product_names",
    key="product_name",
    write="whole",
    narrow="names",
    reads={"cleaned.item_names": TouchedKeys("product_name"), "cleaned.product_versions": TouchedKeys("name")},
):
    """One row per name that only one product has: which product is an item that gives a name and no id?

    A name that two ids share is not here: an item with such a name and no id has no product.
    """

    product_name: Text = column("Name, on any day or in any version.")
    product_id: Text = column("The shop's product id.")


class Urls(Contract, table="cleaned.urls", key=("event_date", "url"), partition="event_date"):
    """One row per day and address (page, referrer or campaign tags) seen that day: what are its parts?"""

    event_date: Day = column("Day (UTC) on which the address was seen.")
    url: Text = column("The address as it came.")
    host: Text = column("Host, lower case, without port; missing for a relative address.", nullable=True)
    domain: Text = column("What was registered: shop.co.uk of www.shop.co.uk (public suffix list).", nullable=True)
    path: Text = column("Path without query and fragment.", nullable=True)
    utm_source: Text = column("Campaign parameter utm_source.", nullable=True)
    utm_medium: Text = column("Campaign parameter utm_medium.", nullable=True)
    utm_campaign: Text = column("Campaign parameter utm_campaign.", nullable=True)
    search_term: Text = column("Parameter q, s, search, query or keyword, as GA4 reads a search.", nullable=True)
    click_id: Text = column("Name of the ad click parameter (gclid, fbclid …), if any.", nullable=True)
    click_source: Text = column("Source the click parameter stands for.", nullable=True)
    click_medium: Text = column("Medium the click parameter stands for.", nullable=True)
    click_kind: Text = column(
        "auto: the network tags its ads itself, which wins over utm_*. paid: ads have it. shared: posts have it too.",
        nullable=True,
        isin=["auto", "paid", "shared"],
    )
    site: Text = column("Name of the site as a traffic source, e.g. google for www.google.de.", nullable=True)
    site_category: Text = column("Kind of the site.", nullable=True, isin=["search", "social", "shopping", "video"])
    role: Text = column(
        "own: a host of OWN_DOMAINS. ignored: one of IGNORED_REFERRERS or a payment provider. As a referrer neither is "
        "a traffic source. page: a domain that pages of the day have; no traffic source where the page has no host.",
        nullable=True,
        isin=["own", "ignored", "page"],
    )


class UserAgents(Contract, table="cleaned.user_agents", key=("event_date", "user_agent"), partition="event_date"):
    """One row per day and user agent seen that day: which device, system and browser does ua-parser see in it?"""

    event_date: Day = column("Day (UTC) on which the user agent was seen.")
    user_agent: Text = column("The user agent as it came.")
    device_type: Text = column("Kind of device.", isin=list(DEVICE_TYPES))
    os: Text = column("Family of the operating system.", nullable=True)
    browser: Text = column("Family of the browser.", nullable=True)
    is_bot: Flag = column("True for crawlers, monitors and scripts.")


class SourceCategories(Contract, table="cleaned.source_categories", key="source", write="whole"):
    """One row per known traffic source: what kind of site is it?

    They are Google's list for GA4's default channel groups.
    """

    source: Text = column("Name or host of the source, lower case.")
    category: Text = column("Kind of the site.", isin=["search", "social", "shopping", "video"])


class ExchangeRates(
    Contract,
    table="cleaned.exchange_rates",
    key=("date", "base", "currency"),
    write="whole",
    reads={"cleaned.exchange_rate_versions": Everything()},
    rules=Rule(
        "base_is_worth_one",
        "base <> currency OR rate = 1",
        "A unit of the base is worth one of it. Else the rates are per unit of another currency: add the column base.",
        "warn",
    ),
):
    """One row per day, base and currency: which exchange rate holds?"""

    date: Day = column("Day from which the rate holds.")
    base: Text = column("The currency of which one unit is priced (ISO 4217).")
    currency: Text = column("ISO 4217.")
    rate: Rate = column("Units of the currency for one unit of the base.", gt=0)


class DailyRates(
    Contract,
    table="cleaned.daily_rates",
    key=("event_date", "currency"),
    partition="event_date",
    reads={"cleaned.exchange_rates": Everything()},
):
    """One row per day and currency that its events name: what is one unit worth in the shop's currency?

    The shop's currency is SHOP_CURRENCY, else the only one that events have named up to the day. With two of them, and
    where no rate of the last 7 days is known, amounts in the currency are unknown.
    """

    event_date: Day = column("Day of the events (UTC).")
    currency: Text = column(
        "ISO 4217, or a sign of several ($); empty: amounts without, while the shop's is not known."
    )
    shop_currency: Text = column("The shop's currency.", nullable=True)
    rate: Rate = column("Units of the shop's currency for one unit; missing where unknown.", nullable=True)
    rate_date: Day = column("Day from which the rate holds; missing for the shop's own currency.", nullable=True)


class Events(
    Contract,
    table="cleaned.events",
    key="event_id",
    partition="event_date",
    narrow="batch",
    rules=(
        Rule(
            "event_date_of_event_at", "CAST(event_at AS DATE) = event_date", "event_date is the day of event_at in UTC."
        ),
        Rule(
            "purchase_has_transaction_id",
            "event_name <> 'purchase' OR transaction_id IS NOT NULL",
            "A purchase names its order. Without it, every such event counts as one order.",
            "warn",
        ),
        Rule(
            "purchase_has_revenue",
            "event_name <> 'purchase' OR is_refund OR revenue IS NOT NULL",
            "A purchase has an amount or priced items, in a currency with a known rate. Else its revenue is unknown.",
            "warn",
        ),
        Rule(
            "event_name_known",
            "is_known_event",
            "The event name is one the platform gives a meaning to. Others are kept and flagged.",
            "warn",
        ),
    ),
):
    """One row per event of any source, in one shape with GA4's event names: what happened, when and where?"""

    event_id: Text = column("Identity of the event (see the source's cleaned table).")
    source: Text = column("The source the event came from, e.g. clickstream.")
    client_id: Text = column("The browser or device; user:<user_id> for a source that only knows users.")
    user_id: Text = column("The signed-in user, if known.", nullable=True)
    event_name: Text = column("GA4 name of the event; an unknown name is kept as it came.")
    raw_event_name: Text = column("The name the source gave.")
    is_known_event: Flag = column("False when event_name is not one the platform gives a meaning to.")
    event_at: Instant = column("When the event happened (UTC).")
    event_date: Day = column("Day of event_at (UTC).")
    received_at: Instant = column("When the collector got it, else when its batch arrived.")
    platform: Text = column("WEB, IOS or ANDROID.", nullable=True)
    page_url: Text = column("Address of the page.", nullable=True)
    page_host: Text = column("Its host; missing for a relative address.", nullable=True)
    page_path: Text = column("Its path, without query and fragment.", nullable=True)
    page_title: Text = column("Its title, where the event names it.", nullable=True)
    referrer: Text = column("Address the visitor came from.", nullable=True)
    utm_source: Text = column("Campaign parameter of the page's address, else read by the tracker.", nullable=True)
    utm_medium: Text = column("Campaign parameter of the page's address, else read by the tracker.", nullable=True)
    utm_campaign: Text = column("Campaign parameter of the page's address, else read by the tracker.", nullable=True)
    traffic_source: Text = column(
        "The click's if its network tags itself, else utm_source, another click's, the foreign site's.", nullable=True
    )
    traffic_medium: Text = column("Like traffic_source; of a foreign site organic (search) or referral.", nullable=True)
    traffic_campaign: Text = column("utm_campaign.", nullable=True)
    source_session_id: Text = column("The session as the source counts it; unique for a client.", nullable=True)
    country: Text = column("Country the visitor is in, where the source knows it.", nullable=True)
    city: Text = column("City the visitor is in, where the source knows it.", nullable=True)
    device_type: Text = column("Kind of device, of the user agent, else of the source.", isin=list(DEVICE_TYPES))
    os: Text = column("Family of the operating system.", nullable=True)
    browser: Text = column("Family of the browser.", nullable=True)
    is_bot: Flag = column("True for user agents of crawlers, monitors and scripts; missing without one.", nullable=True)
    transaction_id: Text = column("The shop's order number, on purchases and refunds.", nullable=True)
    amount: Money = column("Value of a purchase or refund, in `currency`; else the sum of its items.", nullable=True)
    amount_basis: Text = column(
        "Where amount is from: the event's value, or its items.", nullable=True, isin=["value", "items"]
    )
    currency: Text = column("Currency of amount; missing: the shop's.", nullable=True)
    price_currency: Text = column("Currency of item prices that name none; missing: the shop's.", nullable=True)
    exchange_rate: Rate = column("Units of the shop's currency for one of `currency`, if known.", nullable=True)
    revenue: Money = column("Value of a purchase in the shop's currency; missing where unknown.", nullable=True)
    tax: Money = column("Tax that a purchase or refund names (shop currency).", nullable=True)
    shipping: Money = column("Shipping that it names (shop currency).", nullable=True)
    discount: Money = column("Discount on it as a whole that it names (shop currency).", nullable=True)
    coupon: Text = column("Coupon on it as a whole.", nullable=True)
    is_refund: Flag = column("True for a refund, and for a purchase with a negative value or negative quantities.")
    unknown_reason: Text = column(
        "Why the amount of a purchase or refund in the shop's currency is unknown.", nullable=True, isin=UNKNOWN_REASONS
    )
    search_term: Text = column(
        "What was searched for, of a search or the view of a page of the shop with results.", nullable=True
    )
    list_id: Text = column("The product list the event is about.", nullable=True)
    list_name: Text = column("Its name.", nullable=True)
    promotion_id: Text = column("The promotion the event is about, where its items name none.", nullable=True)
    promotion_name: Text = column("Its name.", nullable=True)
    creative_name: Text = column("The picture or text that promotes it.", nullable=True)
    creative_slot: Text = column("Where that stands.", nullable=True)
    items_json: Text = column("The event's items as a JSON array, where it carries any.", nullable=True, json=True)
    batch_id: Text = column("The batch the event came in (ops.pipeline_logs).")
    position: Whole = column("Its place in the batch; the order of events received at the same time.", nullable=True)


class EventItems(
    Contract, table="cleaned.event_items", key=("event_id", "item_index"), partition="event_date", narrow="batch"
):
    """One row per item of an event, in the order the event lists them: which products is it about?"""

    event_id: Text = column("The event (cleaned.events).")
    item_index: Whole = column("Place of the item in the event, from 0.", ge=0)
    event_date: Day = column("Day of the event (UTC).")
    product_id: Text = column("The shop's product id.", nullable=True)
    product_name: Text = column("Name as the event gave it.", nullable=True)
    brand: Text = column("Brand as the event gave it.", nullable=True)
    category: Text = column("Category as the event gave it.", nullable=True)
    variant: Text = column("Size, colour or other variant.", nullable=True)
    price: Money = column("Price of one piece (shop currency).", nullable=True)
    discount: Money = column("Discount on one piece (shop currency).", nullable=True)
    quantity: Whole = column("Pieces; empty for a fraction, 0 for what a purchase gives back.", nullable=True)
    coupon: Text = column("Coupon on the item.", nullable=True)
    list_id: Text = column("The list the item was shown in: the item's own, else the event's.", nullable=True)
    list_name: Text = column("Its name.", nullable=True)
    list_index: Whole = column("Place of the item in that list.", nullable=True)
    amount: Money = column("Value of the line of a purchase or refund (shop currency), if known.", nullable=True)
    amount_basis: Text = column(
        "What it is: unit price × quantity, the price as the line's total, or a share of what other lines leave.",
        nullable=True,
        isin=["unit price", "line total", "shared"],
    )
