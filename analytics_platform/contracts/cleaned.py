"""Contracts of the cleaned layer: each source typed and judged, then one shape of events for all of them."""

from __future__ import annotations

from types import MappingProxyType

from analytics_platform.contracts.base import (
    Contract,
    Day,
    Everything,
    Flag,
    Instant,
    Json,
    Money,
    Ratio,
    Text,
    Whole,
    column,
)
from analytics_platform.contracts.rules import RowRule

EMAIL_PATTERN = (
    r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+"
    r"@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$"
)
"""What browsers take for an e-mail address (HTML standard, "valid e-mail address"), in lower case and with a dot in the
domain, for no customer of a shop has a mailbox on a host without one. Comments, quoted names and letters beyond ASCII,
which RFC 5322 and 6531 allow, are refused. Holds in Python, Polars and DuckDB alike."""

DEVICE_TYPES = ("desktop", "mobile", "tablet", "tv", "console", "bot", "unknown")


class Clickstream(
    Contract,
    table="cleaned.clickstream",
    source="clickstream",
    key=("event_id",),
    write="batches",
    partition="event_date",
    identity=("client_id", "user_id", "event_at", "event_name", "page_url", "referrer", "event_data"),
):
    """One row per distinct event of the CSV clickstream exports that kept every rule.

    Rows that broke a rule are in ops.quarantine. Duplicates are counted in ops.pipeline_logs.
    """

    event_id: Text = column(
        "The export's own id, else the MD5 of the event's content (client, time, name, page, data …).",
        source=("event_id",),
        random=True,
    )
    client_id: Text = column(
        "The browser or device, as the shop's tracker names it.",
        source=("client_id", "clientId"),
        required=True,
        random=True,
    )
    user_id: Text = column("The signed-in user, where the export has it.", nullable=True, source=("user_id",))
    page_url: Text = column("Address of the page.", nullable=True, source=("page_url",), required=True)
    referrer: Text = column("Address the visitor came from.", nullable=True, source=("referrer",), usual=True)
    event_at: Instant = column(
        "When the event happened. A time without zone is UTC. Not before PARTITION_START, not later than "
        "arrival + 1 day.",
        source=("timestamp",),
        required=True,
    )
    event_date: Day = column("Day of event_at (UTC).")
    event_name: Text = column("The name the tracker gave, untouched.", source=("event_name",), required=True)
    event_data: Json = column(
        "What the event carries, as JSON text.", nullable=True, source=("event_data",), required=True, json=True
    )
    user_agent: Text = column("The browser's own description.", nullable=True, source=("user_agent",), required=True)
    extra: Json = column("Columns of the export that the contract does not know, as one JSON object.", nullable=True)
    received_at: Instant = column(
        "When the collector got the event, where the export has it.", nullable=True, source=("received_at",)
    )
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the row came in (ops.pipeline_logs).")
    position: Whole = column("Line of the file on which the record starts; the header is line 1.", ge=1)


class EcommerceEvents(
    Contract,
    table="cleaned.ecommerce_events",
    source="ecommerce_events",
    key=("event_id",),
    write="batches",
    partition="event_date",
    identity=(
        "client_id",
        "user_id",
        "event_at",
        "event_name",
        "platform",
        "items",
        "transaction_id",
        "revenue",
        "list_id",
        "list_name",
        "page_url",
        "referrer",
        "extra",
    ),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per distinct product event of the mobile shop's queue that kept every rule.

    The queue delivers at least once: a message that says the same as an earlier one, whatever its id and form, is a
    duplicate and only counted. What broke a rule is in ops.quarantine.
    """

    event_id: Text = column(
        "The message's own id of the event, else the MD5 of its content (who, when, what, items, order …).",
        source=("event_id",),
        random=True,
    )
    client_id: Text = column("The device, where the message names it, else user:<user_id>.", source=("user_id",))
    user_id: Text = column("The signed-in user.", nullable=True, source=("user_id",))
    event_at: Instant = column(
        "When the event happened: Unix time in seconds, milliseconds or microseconds (told apart by magnitude), or ISO "
        "8601. Not before PARTITION_START, not later than arrival + 1 day.",
        source=("event_timestamp",),
    )
    event_date: Day = column("Day of event_at (UTC).")
    event_name: Text = column("The name the app gave, untouched.", source=("event_name",))
    platform: Text = column("IOS, ANDROID or what the message says.", nullable=True, source=("platform",))
    items: Json = column(
        "The event's items as a JSON array, in one form whatever form they came in.",
        nullable=True,
        source=("items",),
        json=True,
    )
    transaction_id: Text = column("The shop's order number, on purchases.", nullable=True, source=("transaction_id",))
    revenue: Money = column("Value of the order, where the message has it.", nullable=True, source=("revenue",))
    list_id: Text = column("The product list the event is about.", nullable=True, source=("item_list_id",))
    list_name: Text = column("Its name.", nullable=True, source=("item_list_name",))
    page_url: Text = column("Address of the page, where the message has it.", nullable=True, source=("page_location",))
    referrer: Text = column("Address the visitor came from.", nullable=True, source=("page_referrer",))
    extra: Json = column("Fields of the message that the contract does not know, as one JSON object.", nullable=True)
    sent_at: Instant = column("When the message was put on the queue.", nullable=True, source=("sent_at",))
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the message came in (ops.pipeline_logs).")
    position: Whole = column("Place of the message in its batch, from 1.", ge=1)


class WebLogs(
    Contract,
    table="cleaned.web_logs",
    source="web_logs",
    key=("event_id",),
    write="batches",
    partition="event_date",
    identity=(
        "document_id",
        "user_id",
        "action",
        "item_name",
        "event_at",
        "device",
        "session_id",
        "metadata",
        "extra",
    ),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per distinct interaction log of the web shop's MongoDB collection that kept every rule.

    A document that is read again is a duplicate; one that was changed under the same _id is another row.
    """

    event_id: Text = column("MD5 of the document's _id and content.", random=True)
    document_id: Text = column("The document's _id, as Extended JSON.", source=("document_id",), random=True)
    user_id: Whole = column("The user.", source=("user_id",), ge=0)
    action: Text = column("What the user did, as the shop names it.", source=("action",))
    item_name: Text = column("Name of the product.", nullable=True, source=("item_name",))
    event_at: Instant = column(
        "When it happened: a date, or text in ISO 8601 (UTC without zone). Not before PARTITION_START, not later than "
        "arrival + 1 day.",
        source=("timestamp",),
    )
    event_date: Day = column("Day of event_at (UTC).")
    device: Text = column("Kind of device, as the shop names it.", nullable=True, source=("device",))
    session_id: Text = column("The shop's own session.", nullable=True, source=("session_id",))
    metadata: Json = column(
        "The document's metadata, as Extended JSON.", nullable=True, source=("metadata",), json=True
    )
    extra: Json = column("Fields that the contract does not know, as Extended JSON.", nullable=True)
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the document came in (ops.pipeline_logs).")
    position: Whole = column("Place of the document in its batch, from 1.", ge=1)


class UserVersions(
    Contract,
    table="cleaned.user_versions",
    source="users",
    key=("version_id",),
    write="batches",
    partition="event_date",
    identity=(
        "user_id",
        "name",
        "username",
        "email",
        "phone",
        "website",
        "street",
        "suite",
        "city",
        "zipcode",
        "latitude",
        "longitude",
        "company_name",
        "company_catch_phrase",
        "company_bs",
        "extra",
    ),
    redelivers=True,
    least_judged_rows=100,
):
    """One row per user, day and content in which the users API told of the user."""

    version_id: Text = column("MD5 of the content.", random=True)
    user_id: Whole = column("The user.", source=("id",))
    name: Text = column("The name as it came.", nullable=True, source=("name",))
    honorific: Text = column("In front of the name: Mrs., Prof. …", nullable=True, source=("name: honorific",))
    first_name: Text = column("First name.", nullable=True, source=("name: first",))
    last_name: Text = column("Last name.", nullable=True, source=("name: last",))
    suffix: Text = column("Behind the name: Jr., V …", nullable=True, source=("name: suffix",))
    username: Text = column("Login name.", nullable=True, source=("username",))
    email: Text = column(
        "Address in lower case; one that no mail can be sent to is refused.",
        nullable=True,
        source=("email",),
        str_matches=EMAIL_PATTERN,
    )
    phone: Text = column("As it came.", nullable=True, source=("phone",))
    website: Text = column("As it came.", nullable=True, source=("website",))
    street: Text = column("Street.", nullable=True, source=("address.street",))
    suite: Text = column("Apartment or suite.", nullable=True, source=("address.suite",))
    city: Text = column("City.", nullable=True, source=("address.city",))
    zipcode: Text = column("Postal code.", nullable=True, source=("address.zipcode",))
    latitude: Ratio = column(
        "Degrees north.", nullable=True, source=("address.geo.lat",), in_range={"min_value": -90.0, "max_value": 90.0}
    )
    longitude: Ratio = column(
        "Degrees east.", nullable=True, source=("address.geo.lng",), in_range={"min_value": -180.0, "max_value": 180.0}
    )
    company_name: Text = column("Company.", nullable=True, source=("company.name",))
    company_catch_phrase: Text = column("Its slogan.", nullable=True, source=("company.catchPhrase",))
    company_bs: Text = column("What it says it does.", nullable=True, source=("company.bs",))
    extra: Json = column("Fields that the contract does not know, as one JSON object.", nullable=True)
    event_date: Day = column("Day (UTC) the answer arrived.")
    arrived_at: Instant = column("When the answer was put into the lake.")
    batch_id: Text = column("The answer the user came in (ops.pipeline_logs).")
    position: Whole = column("Place of the user in the answer, from 1.", ge=1)


class Users(
    Contract,
    table="cleaned.users",
    key=("user_id",),
    write="whole",
    reads=MappingProxyType({"cleaned.user_versions": Everything()}),
):
    """One row per user: what the latest answer of the users API that kept every rule says."""

    user_id: Text = column("The user.")
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
    arrived_at: Instant = column("When that answer was put into the lake.")


class Urls(
    Contract,
    table="cleaned.urls",
    key=("event_date", "url"),
    write="days",
    partition="event_date",
):
    """One row per day and distinct address (page or referrer) seen that day, taken apart."""

    event_date: Day = column("Day (UTC) on which the address was seen.")
    url: Text = column("The address as it came.")
    host: Text = column("Host, lower case, without port; missing for a relative address.", nullable=True)
    path: Text = column("Path without query and fragment.", nullable=True)
    utm_source: Text = column("Campaign parameter utm_source.", nullable=True)
    utm_medium: Text = column("Campaign parameter utm_medium.", nullable=True)
    utm_campaign: Text = column("Campaign parameter utm_campaign.", nullable=True)
    click_id: Text = column("Name of the ad click parameter (gclid, fbclid …), if any.", nullable=True)
    click_source: Text = column("Source the click parameter stands for.", nullable=True)
    click_medium: Text = column("Medium the click parameter stands for.", nullable=True)
    site: Text = column("Name of the site as a traffic source, e.g. google for www.google.de.", nullable=True)
    site_category: Text = column("Kind of the site.", nullable=True, isin=["search", "social", "shopping", "video"])


class UserAgents(
    Contract,
    table="cleaned.user_agents",
    key=("event_date", "user_agent"),
    write="days",
    partition="event_date",
):
    """One row per day and distinct user agent seen that day, taken apart with ua-parser."""

    event_date: Day = column("Day (UTC) on which the user agent was seen.")
    user_agent: Text = column("The user agent as it came.")
    device_type: Text = column("Kind of device.", isin=list(DEVICE_TYPES))
    os: Text = column("Family of the operating system.", nullable=True)
    browser: Text = column("Family of the browser.", nullable=True)
    is_bot: Flag = column("True for crawlers, monitors and scripts.")


class SourceCategories(
    Contract,
    table="cleaned.source_categories",
    key=("source",),
    write="whole",
):
    """One row per known traffic source: what kind of site it is. Our own list, shipped with the platform."""

    source: Text = column("Name or host of the source, lower case.")
    category: Text = column("Kind of the site.", isin=["search", "social", "shopping", "video"])


class Events(
    Contract,
    table="cleaned.events",
    key=("event_id",),
    write="days",
    partition="event_date",
    rules=(
        RowRule(
            "event_date_of_event_at",
            "CAST(event_at AS DATE) = event_date",
            "event_date is the day of event_at in UTC.",
        ),
        RowRule(
            "purchase_has_transaction_id",
            "event_name <> 'purchase' OR transaction_id IS NOT NULL",
            "A purchase names its order. Without it, every such event counts as an order of its own.",
            "warn",
        ),
        RowRule(
            "purchase_has_revenue",
            "event_name <> 'purchase' OR revenue IS NOT NULL",
            "A purchase carries a revenue that is a number. Without it the order counts as 0.",
            "warn",
        ),
        RowRule(
            "event_name_known",
            "is_known_event",
            "The event name is one the platform gives a meaning to. Others are kept and flagged.",
            "warn",
        ),
    ),
):
    """One row per event of any source, in one shape with GA4 event names."""

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
    page_path: Text = column("Its path, without query and fragment.", nullable=True)
    referrer: Text = column("Address the visitor came from.", nullable=True)
    utm_source: Text = column("Campaign parameter of the page's address.", nullable=True)
    utm_medium: Text = column("Campaign parameter of the page's address.", nullable=True)
    utm_campaign: Text = column("Campaign parameter of the page's address.", nullable=True)
    traffic_source: Text = column(
        "Where this event's visitor came from: utm_source, else the ad click's source, else the site of a "
        "foreign referrer; missing inside a visit. Own-domain referrers are not referrals.",
        nullable=True,
    )
    traffic_medium: Text = column(
        "utm_medium, else the ad click's medium, else organic for a search engine, else referral.", nullable=True
    )
    traffic_campaign: Text = column("utm_campaign.", nullable=True)
    device_type: Text = column("Kind of device, from the user agent.", isin=list(DEVICE_TYPES))
    os: Text = column("Family of the operating system.", nullable=True)
    browser: Text = column("Family of the browser.", nullable=True)
    is_bot: Flag = column("True for crawlers, monitors and scripts. Flagged, not deleted; marts leave them out.")
    transaction_id: Text = column("The shop's order number, on purchases.", nullable=True)
    revenue: Money = column("Value of the order, on purchases (shop currency).", nullable=True)
    list_id: Text = column("The product list the event is about.", nullable=True)
    list_name: Text = column("Its name.", nullable=True)
    items_json: Json = column("The event's items as a JSON array, where it carries any.", nullable=True)
    batch_id: Text = column("The batch the event came in (ops.pipeline_logs).")


class EventItems(
    Contract,
    table="cleaned.event_items",
    key=("event_id", "item_index"),
    write="days",
    partition="event_date",
):
    """One row per item of an event, in the order the event lists them."""

    event_id: Text = column("The event (cleaned.events).")
    item_index: Whole = column("Place of the item in the event, from 0.", ge=0)
    event_date: Day = column("Day of the event (UTC).")
    product_id: Text = column("The shop's product id.", nullable=True)
    product_name: Text = column("Name as the event gave it.", nullable=True)
    brand: Text = column("Brand as the event gave it.", nullable=True)
    category: Text = column("Category as the event gave it.", nullable=True)
    variant: Text = column("Size, colour or other variant.", nullable=True)
    price: Money = column("Price of one piece (shop currency).", nullable=True)
    quantity: Whole = column("Pieces; a fraction is not a quantity and is left empty.", nullable=True)
    coupon: Text = column("Coupon on the item.", nullable=True)
    list_id: Text = column("The list the item was shown in: the item's own, else the event's.", nullable=True)
    list_name: Text = column("Its name.", nullable=True)
    list_index: Whole = column("Place of the item in that list.", nullable=True)
