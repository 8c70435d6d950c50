"""Contracts of the star schema about pages and what is promoted there."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Flag, Instant, Text, Whole, column
from analytics_platform.contracts.star import UNKNOWN, dimensions


class DimPage(Contract, table="star.dim_page", key="page_key", write="upsert", narrow="pages"):
    """One row per page that events ever named: which pages does the site have, and since when?

    It has the latest title. A relative address has no host: that page is not the one of the same path on a host.
    """

    page_key: Whole = column("Hash of host and path. " + UNKNOWN)
    host: Text = column("Host, lower case; missing for a relative address.", nullable=True)
    path: Text = column("Path without query and fragment.")
    title: Text = column("Latest title that events name.", nullable=True)
    first_seen_at: Instant = column("First event on it.", nullable=True)
    last_seen_at: Instant = column("Last event on it.", nullable=True)


class DimPromotion(Contract, table="star.dim_promotion", key="promotion_key", write="upsert", narrow="batch"):
    """One row per promotion, creative and slot that events name together: what was promoted, with what, and where?

    A promotion is shown by few creatives in few slots, so one dimension has all combinations. Texts are as the events
    give them: a promotion that was renamed has rows with both names. Group by promotion_id to count it once.
    """

    promotion_key: Whole = column("Hash of the four. " + UNKNOWN)
    promotion_id: Text = column("The promotion's id.", nullable=True)
    promotion_name: Text = column("Its name.", nullable=True)
    creative_name: Text = column("The picture or text that promotes it.", nullable=True)
    creative_slot: Text = column("Where that stands.", nullable=True)


class FactPromotions(
    Contract,
    table="star.fact_promotions",
    key=("event_id", "promotion_index"),
    partition="event_date",
    narrow="people",
    foreign_keys=dimensions("date", "person", "customer", "channel", "device", "page", "promotion"),
):
    """One row per promotion in an event: which banners were seen, and which clicked?"""

    event_id: Text = column("The event (fact_events).")
    promotion_index: Whole = column("Number of the promotion in the event, from 0.", ge=0)
    event_date: Day = column("Day of the event (UTC).")
    date_key: Whole = column("dim_date.")
    event_at: Instant = column("When the event happened.")
    session_id: Text = column("The session (fact_sessions).")
    person_key: Whole = column("dim_person, of the session.")
    customer_key: Whole = column("dim_customer, the version valid at the time.")
    channel_key: Whole = column("dim_channel, of the session.")
    device_key: Whole = column("dim_device.")
    page_key: Whole = column("dim_page.")
    promotion_key: Whole = column("dim_promotion; -1 where the event names no promotion.")
    client_id: Text = column("The browser or device.")
    user_id: Text = column("The signed-in user, if the event names one.", nullable=True)
    event_name: Text = column("view_promotion or select_promotion.", isin=["view_promotion", "select_promotion"])
    is_bot: Flag = column("True if the session is a bot's.")
