"""Interaction logs of the web shop, from a MongoDB collection and from dumps of one."""

from __future__ import annotations

from analytics_platform.contracts.base import DeliveredRows, Instant, Text, column
from analytics_platform.sources.arrivals.collection import MongoCollection
from analytics_platform.sources.source import Source
from analytics_platform.sources.web_logs.data import DATA_NAMES, PLACES
from analytics_platform.sources.web_logs.decode import PRODUCT_NAMES, SPELLINGS
from analytics_platform.sources.web_logs.records import Documents


class WebLogs(DeliveredRows, table="cleaned.web_logs", source="web_logs"):
    """One row per distinct log of the web shop's MongoDB collection that kept every rule: what did it say?

    A document that is read again is a duplicate; one that was changed under the same _id is another row.
    """

    event_id: Text = column("MD5 of the document's _id and content.", random=True)
    document_id: Text = column("The document's _id, as Extended JSON.", source="document_id", random=True)
    user_id: Text = column(
        "The user: a number, a text, an ObjectId or a UUID, as text.", source=("user_id", *SPELLINGS["user_id"])
    )
    action: Text = column(
        "What the user did, as the shop names it; events.sql gives GA4's name.", source=("action", *SPELLINGS["action"])
    )
    item_name: Text = column("Name of the product.", nullable=True, source=PRODUCT_NAMES)
    event_at: Instant = column(
        "When it happened: a date, a Unix time, or text (UTC without zone).",
        source=("timestamp", *SPELLINGS["timestamp"]),
    )
    device: Text = column("Kind of device, as the shop names it.", nullable=True, source="device")
    session_id: Text = column("The shop's own session.", nullable=True, source="session_id")
    event_data: Text = column(
        "Amount, order, list and items of the document or its metadata, as in the data of the clickstream.",
        nullable=True,
        source=DATA_NAMES,
        json=True,
        amounts=("items[].price", "items[].item_price", "items[].quantity"),
        orders={"return": "refund", "returned": "refund"},
        delivery=True,  # read from columns that identify a document already
    )
    page_url: Text = column(
        "Address of the page, from the document or its metadata.",
        nullable=True,
        source=PLACES["page_url"],
        delivery=True,
    )
    referrer: Text = column("Address the visitor came from.", nullable=True, source=PLACES["referrer"], delivery=True)
    user_agent: Text = column(
        "The browser's own description.", nullable=True, source=PLACES["user_agent"], delivery=True
    )
    metadata: Text = column("The document's metadata, as Extended JSON.", nullable=True, source="metadata", json=True)


SOURCE = Source(WebLogs, MongoCollection(), Documents())
