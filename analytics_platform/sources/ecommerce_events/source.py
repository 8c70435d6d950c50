"""Product events of the mobile shop, from a queue."""

from __future__ import annotations

from analytics_platform.contracts.base import Instant, Money, SourceRows, Text, column
from analytics_platform.sources.arrivals.queue import SqsQueue
from analytics_platform.sources.ecommerce_events.records import Messages
from analytics_platform.sources.source import OrderRecords, Source


class ProductEvents(SourceRows):
    """Base of the contracts of sources whose records are decoded as messages (decode.py)."""

    event_id: Text = column("MD5 of own id, client, name and time; without an own id, of the content.", random=True)
    source_event_id: Text = column("The message's own id, if any.", nullable=True, source="event_id", own_id=True)
    user_id: Text = column("The signed-in user.", nullable=True, source="user_id")
    event_at: Instant = column(
        "Unix time in s, ms, µs or ns, told apart by size, or a date and time as text.",
        source="event_timestamp",
        required=True,
    )
    event_name: Text = column("The name the app or tracker gave, untouched.", source="event_name", required=True)
    platform: Text = column("IOS, ANDROID or what the message says.", nullable=True, source="platform")
    items: Text = column(
        "The items as a JSON array, in one form.",
        nullable=True,
        source="items",
        json=True,
        amounts=("[].price", "[].item_price", "[].quantity"),
    )
    transaction_id: Text = column("The shop's order number, on purchases.", nullable=True, source="transaction_id")
    revenue: Money = column("Value of the order, where the message has it.", nullable=True, source="revenue")
    revenue_usd: Money = column(
        "Its value in US dollars, as GA4 converted it.", nullable=True, source="ecommerce.purchase_revenue_in_usd"
    )
    currency: Text = column("Its currency, where the message names it.", nullable=True, source="currency")
    list_id: Text = column("The product list the event is about.", nullable=True, source="item_list_id")
    list_name: Text = column("Its name.", nullable=True, source="item_list_name")
    page_url: Text = column("Address of the page, where the message has it.", nullable=True, source="page_location")
    referrer: Text = column("Address the visitor came from.", nullable=True, source="page_referrer")
    user_agent: Text = column("The browser's own description.", nullable=True, source="user_agent")
    source_session_id: Text = column("The session as GA4 counts it.", nullable=True, source="ga_session_id")
    campaign_tags: Text = column(
        "What GA4 collected of utm_* and click ids: ?utm_source=…&gclid=…", nullable=True, source="campaign_tags"
    )
    first_source: Text = column("Source of the user's first visit.", nullable=True, source="traffic_source.source")
    first_medium: Text = column("Its medium.", nullable=True, source="traffic_source.medium")
    first_campaign: Text = column("Its campaign.", nullable=True, source="traffic_source.name")
    country: Text = column("Country the visitor is in.", nullable=True, source="country")
    city: Text = column("City the visitor is in.", nullable=True, source="city")
    device_type: Text = column("Kind of device.", nullable=True, source="device.category")
    os: Text = column("Operating system.", nullable=True, source="device.operating_system")
    browser: Text = column("Browser.", nullable=True, source="device.web_info.browser")


class EcommerceEvents(
    ProductEvents, table="cleaned.ecommerce_events", source="ecommerce_events", redelivers=True, least_checked_rows=100
):
    """One row per distinct product event of the mobile shop's queue that kept every rule: what did it say?

    The queue delivers at least once: a message that says the same as an earlier one, whatever its form, is a duplicate
    and only counted. What broke a rule is in ops.quarantine.
    """

    client_id: Text = column("The device, where the message names it, else user:<user_id>.", source="user_id")
    sent_at: Instant = column("When it was put on the queue.", nullable=True, source="sent_at", delivery=True)


ORDERS = OrderRecords(
    (
        *("event_at", "event_name", "platform", "items", "transaction_id", "revenue", "revenue_usd", "currency"),
        *("list_id", "list_name"),
    ),
    ("purchase", "refund"),
)
SOURCE = Source(EcommerceEvents, SqsQueue(), Messages(), ORDERS)
