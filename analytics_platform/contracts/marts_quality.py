"""Contracts of the marts about the data itself: rejected records, and orders that two sources tell of."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Day, Money, Ratio, Text, Whole, column, share
from analytics_platform.contracts.cleaned import UNKNOWN_REASONS
from analytics_platform.contracts.rules import Rule
from analytics_platform.contracts.shop import ORDER_STATES
from analytics_platform.contracts.table import Days

RECONCILED = [
    *("equal", "amounts differ", "only in events", "only in shop"),
    *("not tracked", "nothing bought", "no shop orders that day"),
]

COUNTED_REASONS = [
    *("no order with a known amount", "items of unknown amount", "more than the order", "order of unknown amount"),
    "another amount in a repeat",
]


class DataQualityDaily(
    Contract,
    table="marts.data_quality_daily",
    key=("date", "source"),
    partition="date",
    rules=Rule(
        "has_rows",
        "rows_accepted + rows_duplicate + rows_quarantined > 0",
        "A day is listed because records arrived for it.",
    ),
):
    """One row per day of events and source: what was accepted, what was rejected?"""

    date: Day = column("Day (UTC) of the events.")
    source: Text = column("The source.")
    batches: Whole = column("Batches that brought events of the day.", ge=1, sums="semi-additive")
    rows_accepted: Whole = column("Records accepted.", ge=0, sums="additive")
    rows_duplicate: Whole = column("Records that were there already.", ge=0, sums="additive")
    rows_quarantined: Whole = column("Records rejected.", ge=0, sums="additive")
    error_rate: Ratio = share("rows_quarantined / all records of the day.")
    empty_columns: Text = column(
        "What no accepted event of the day has, of page_url, referrer, user_agent, items, lists, user_id, client_id, "
        "items and transaction_id of purchases, currency of amounts, and the events page_view, view_item_list, "
        "select_item, view_item, add_to_cart, begin_checkout and purchase; missing without events.",
        nullable=True,
    )
    unknown_events: Text = column(
        "The first ten names of accepted events that the platform gives no meaning to; missing without any.",
        nullable=True,
    )


class UnknownAmounts(Contract, table="marts.unknown_amounts", key=("date", "kind", "reason"), partition="date"):
    """One row per day, kind and reason: which amounts are unknown, or count in part only, and why?"""

    date: Day = column("Day (UTC) of the order or refund.")
    kind: Text = column("What the amount is of.", isin=["order", "refund"])
    reason: Text = column(
        "Why it is unknown. `more than the order`: refunds of an order together count up to its revenue. `order of "
        "unknown amount`: they do not count. `another amount in a repeat`, as of an exchange: an order's first counts.",
        isin=[*UNKNOWN_REASONS, *COUNTED_REASONS],
    )
    events: Whole = column("Orders or refunds.", ge=1, sums="additive")
    excess: Money = column("What of refunds does not count (shop currency): in no sum.", ge=0, sums="additive")


class OrderReconciliation(
    Contract,
    table="marts.order_reconciliation",
    key="pair_id",
    partition="order_date",
    reads={"cleaned.orders": Days(before=1, after=1), "star.fact_orders": Days(before=2, after=2)},
    rules=(
        Rule(
            "orders_reconcile",
            "outcome NOT IN ('amounts differ', 'only in events', 'only in shop')",
            "Orders that events tell of are the shop's, with the same value. Events may be lost or sent twice.",
            "warn",
        ),
        Rule(
            "lines_make_the_total",
            "shop_lines = shop_total",
            "The lines of an order in the shop sum to its total.",
            "warn",
        ),
    ),
):
    """One row per order of events, of the shop's database, or of both: do they agree?

    Bots are in.

    They are the same order if the shop's order_key names the client and the transaction id, and their days are the same
    or neighbours. `outcome` is `not tracked` for an order of the shop whose key names no client, so that no event is
    expected; `nothing bought` for one of events that is worth nothing, which the shop rejects; `no shop orders that
    day` where the shop's database has none at all, as before it was there.
    """

    pair_id: Text = column("Hash of both orders' ids.")
    order_date: Day = column("Day (UTC) of the order: the shop's, if it has the order.")
    order_key: Text = column("<client_id>/<transaction_id>, or the shop's own key.")
    shop_order_id: Whole = column("The shop's order (cleaned.orders).", nullable=True)
    order_id: Text = column("The order as events tell of it (star.fact_orders).", nullable=True)
    status: Text = column("placed or cancelled, in the shop.", nullable=True, isin=ORDER_STATES)
    shop_total: Money = column("Value of the order in the shop, cancelled or not.", nullable=True, sums="additive")
    shop_lines: Money = column("Sum of its lines in the shop.", nullable=True, sums="additive")
    revenue: Money = column("Value of the order as events tell it.", nullable=True, sums="additive")
    outcome: Text = column("How they compare.", isin=RECONCILED)
