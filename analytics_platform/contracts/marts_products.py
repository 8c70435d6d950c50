"""Contracts of the marts about products and product lists. Bots are left out."""

from __future__ import annotations

from analytics_platform.contracts.base import (
    Contract,
    Day,
    Instant,
    Money,
    Ratio,
    Text,
    Whole,
    column,
    share,
    without_amount,
)
from analytics_platform.contracts.table import Everything, TouchedKeys


class ProductDaily(
    Contract, table="marts.product_daily", key=("date", "product_id"), partition="date", narrow="products"
):
    """One row per day and product: who looked, what was sold, and was there any of it?

    Bots are left out: a product that only they saw has zeros.

    Only days on which a product was met are here: marts.stock_daily has the stock of all days.
    """

    date: Day = column("Day (UTC).")
    product_id: Text = column("The shop's product id.")
    views: Whole = column("view_item events.", ge=0, sums="semi-additive")
    add_to_carts: Whole = column("add_to_cart events.", ge=0, sums="semi-additive")
    orders: Whole = column("Orders with the product.", ge=0, sums="semi-additive")
    quantity: Whole = column("Pieces ordered.", ge=0, sums="additive")
    revenue: Money = column("Sum of the order lines' amounts (shop currency), without refunds.", sums="additive")
    refunds: Money = column("Sum of the lines of refund events (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    unknown_amounts: Whole = without_amount(sums="semi-additive")
    unknown_refunds: Whole = without_amount("refunds", "semi-additive")
    stock: Whole = column(
        "Pieces in the shop's database at the end of the day (stock_daily); missing where it is not known.",
        nullable=True,
        ge=0,
        sums="semi-additive",
    )
    lowest_stock: Whole = column(
        "Fewest pieces of the day; 0: it was out of stock.", nullable=True, ge=0, sums="not additive"
    )


class StockDaily(
    Contract,
    table="marts.stock_daily",
    key=("date", "product_id"),
    partition="date",
    reads={"cleaned.product_versions": Everything()},
):
    """One row per day and product of the shop's database: how many pieces were there, and was it out of stock?

    A periodic snapshot: days without a change or a view are here too. Name and category are the shop's on that day.

    It begins on the day of the change that the shop's database named when the product was first read: from then on the
    stock is known. What was overwritten between two readings is not known; those days carry on the stock before it. The
    shop's database does not say that a product was deleted, so a deleted one carries on its last stock.
    """

    date: Day = column("Day (UTC).")
    product_id: Text = column("The shop's product.")
    product_name: Text = column("Its name at the end of the day.")
    category: Text = column("Its category at the end of the day.")
    stock: Whole = column(
        "Pieces at the end of the day; 0: out of stock. Sums over the products of a day, not over days.",
        ge=0,
        sums="semi-additive",
    )
    lowest_stock: Whole = column(
        "Fewest pieces of the day; 0: it was out of stock for a while at least.", ge=0, sums="not additive"
    )
    changed_at: Instant = column(
        "When the shop last changed the product up to the end of the day, be it only its stock."
    )


class TopSellers(Contract, table="marts.top_sellers", key="product_id", write="upsert", narrow="products"):
    """One row per product ever seen: what sells best?"""

    product_id: Text = column("The shop's product id.")
    orders: Whole = column("Orders with the product.", ge=0, sums="not additive")
    quantity: Whole = column("Pieces ordered.", ge=0, sums="additive")
    revenue: Money = column("Sum of the order lines' amounts (shop currency), without refunds.", sums="additive")
    refunds: Money = column("Sum of the lines of refund events (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    unknown_amounts: Whole = without_amount(sums="not additive")
    unknown_refunds: Whole = without_amount("refunds", "not additive")


class ListPerformance(
    Contract,
    table="marts.list_performance",
    key="list_id",
    write="upsert",
    narrow="lists",
    # A list may be credited on a day on which no event names it, and have nothing credited on a day of bots only.
    reads={
        "sessionized.product_interactions": TouchedKeys("list_id", also=(("sessionized.list_days", "event_date"),)),
        "sessionized.list_days": TouchedKeys("list_id", also=(("sessionized.product_interactions", "event_date"),)),
    },
):
    """One row per product list that was met: how often are its products shown, clicked and bought?

    Bots are left out: a list that only they met has zeros.

    An interaction that names no list is credited to the list whose click led to it in the same session; without a click
    on the product, to the list whose product was viewed. A click or a view that names no list is of the list that had
    shown the product last before it.
    """

    list_id: Text = column("The list's id, else its name.")
    list_name: Text = column("Latest name.", nullable=True)
    impressions: Whole = column("Products shown in it (items of view_item_list events).", ge=0, sums="additive")
    unique_users: Whole = column("Persons who met it.", ge=0, sums="not additive")
    sessions: Whole = column("Sessions that met it.", ge=0, sums="not additive")
    clicks: Whole = column(
        "Products clicked in it (items of select_item events that are credited to it).", ge=0, sums="additive"
    )
    views: Whole = column("view_item events credited to it, counted per product.", nullable=True, ge=0, sums="additive")
    add_to_carts: Whole = column("add_to_cart events credited to it, counted per product.", ge=0, sums="additive")
    purchases: Whole = column(
        "Orders credited to it, counted per product; repeats of an order do not count.", ge=0, sums="additive"
    )
    unique_products: Whole = column("Distinct products met through it.", ge=0, sums="not additive")
    revenue: Money = column("Sum of the order lines' amounts (shop currency), without refunds.", sums="additive")
    unknown_amounts: Whole = without_amount("purchases", "additive")
    average_revenue_per_user: Ratio = column("revenue / unique_users.", nullable=True, sums="not additive")
    click_through_rate: Ratio = column(
        "clicks, or views if it has no clicks at all, / impressions; missing if it was never shown.",
        nullable=True,
        ge=0.0,
        sums="not additive",
    )
    engagement_rate: Ratio = share(
        "Sessions with a click, a view, a cart or a purchase from it / sessions that met it."
    )
    conversion_rate: Ratio = share("Sessions with a purchase / sessions.")
    bounce_rate: Ratio = share("Sessions in which the list was the only event / sessions.")


class ProductPerformance(
    Contract,
    table="marts.product_performance",
    key="product_id",
    write="upsert",
    narrow="products",
    reads={
        "sessionized.product_interactions": TouchedKeys(
            "product_id", also=(("sessionized.product_days", "event_date"),)
        )
    },
):
    """One row per product that was met: how often is it shown, viewed and bought?

    Bots are left out: a product that only they met has zeros.
    """

    product_id: Text = column("The shop's product id.")
    product_name: Text = column("Latest name.", nullable=True)
    impressions: Whole = column("Times it was shown in a list (items of view_item_list events).", ge=0, sums="additive")
    unique_users: Whole = column("Persons who met it in any way.", ge=0, sums="not additive")
    unique_viewers: Whole = column("Persons with a view_item event of it.", ge=0, sums="not additive")
    views: Whole = column("view_item events.", ge=0, sums="additive")
    clicks: Whole = column("Times it was clicked (items of select_item events).", ge=0, sums="additive")
    add_to_carts: Whole = column("add_to_cart events.", ge=0, sums="additive")
    purchases: Whole = column("Orders with it; repeats of an order do not count.", ge=0, sums="not additive")
    quantity: Whole = column("Pieces ordered; a missing quantity is one.", ge=0, sums="additive")
    revenue: Money = column("Sum of the order lines' amounts (shop currency), without refunds.", sums="additive")
    refunds: Money = column("Sum of the lines of refund events (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    unknown_amounts: Whole = without_amount("purchases", "not additive")
    unknown_refunds: Whole = without_amount("refunds", "not additive")
    click_through_rate: Ratio = column(
        "clicks, or views that a list led to if it has no clicks at all, / impressions; missing if never shown.",
        nullable=True,
        ge=0.0,
        sums="not additive",
    )
    view_to_purchase_rate: Ratio = column(
        "purchases / views; above 1 if bought without one.", nullable=True, ge=0.0, sums="not additive"
    )
    conversion_rate: Ratio = share("Persons who bought it / unique_users.")
    average_price: Ratio = column("Mean of the prices its interactions carry.", nullable=True, sums="not additive")
    first_seen_at: Instant = column("First interaction with it.", nullable=True)


class CategorySellers(Contract, table="marts.category_sellers", key="product_id", write="whole"):
    """One row per product ever seen: what sells best within its category?"""

    product_id: Text = column("The shop's product id.")
    product_name: Text = column("Latest name.", nullable=True)
    category: Text = column("Latest category; '(not set)' without any.")
    rank: Whole = column(
        "Place in the category by revenue; of equals more pieces, then the smaller product id.",
        ge=1,
        sums="not additive",
    )
    orders: Whole = column("Orders with the product.", ge=0, sums="not additive")
    quantity: Whole = column("Pieces ordered.", ge=0, sums="additive")
    revenue: Money = column("Sum of the order lines' amounts (shop currency), without refunds.", sums="additive")
    refunds: Money = column("Sum of the lines of refund events (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    unknown_amounts: Whole = without_amount(sums="not additive")
    unknown_refunds: Whole = without_amount("refunds", "not additive")
    share_of_category: Ratio = column(
        "revenue / revenue of the category; missing if that is 0.", nullable=True, sums="not additive"
    )


class BoughtTogether(
    Contract,
    table="marts.bought_together",
    key=("product_id", "other_product_id"),
    write="upsert",
    narrow="products",
):
    """One row per product and other product that was bought with it: what goes together?

    Both directions are here. Bots are left out.

    Purchases of more than 100 products are left out.
    """

    product_id: Text = column("The shop's product id.")
    other_product_id: Text = column("A product of the same order.")
    rank: Whole = column(
        "Place among the products bought with it by orders; of equals the smaller product id.",
        ge=1,
        sums="not additive",
    )
    orders: Whole = column("Orders with both; 0 where what had both is a repeat after all.", ge=0, sums="not additive")
    product_orders: Whole = column("Orders with product_id.", ge=0, sums="not additive")
    confidence: Ratio = share("orders / product_orders: the confidence of an association rule (Agrawal et al. 1993).")
