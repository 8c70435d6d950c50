"""Contracts of the marts about customers and their orders. Bots are left out."""

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


class UserMetrics(Contract, table="marts.user_metrics", key="user_id", write="upsert", narrow="people"):
    """One row per known customer: how active are they, what do they like, when were they last seen?

    Customers are the users of the users API and the customers of the shop's database (cleaned.users). Other users that
    events name are no customers (ops.orphans), and are here as soon as one of the two tells of them.
    """

    user_id: Text = column("The customer.")
    name: Text = column("The name as the users API, else the shop's database, gave it.", nullable=True)
    interactions: Whole = column(
        "Events that name the customer, and the purchases of their orders; no identify, group and alias.",
        ge=0,
        sums="additive",
    )
    clicks: Whole = column("Those named select_item (a click on a product) or click.", ge=0, sums="additive")
    favourite_product: Text = column("The product viewed most often; of equals the one viewed last.", nullable=True)
    favourite_views: Whole = column("Its view_item events.", ge=0, sums="not additive")
    first_seen_at: Instant = column("First event.", nullable=True)
    last_active_at: Instant = column("Last event.", nullable=True)
    sessions: Whole = column("Sessions.", ge=0, sums="additive")
    orders: Whole = column("Orders (sessionized.buyers says whose); repeats do not count.", ge=0, sums="additive")
    revenue: Money = column("Their revenue; missing if no order has a known amount.", nullable=True, sums="additive")
    unknown_amounts: Whole = without_amount(sums="additive")


class UserProductAffinity(
    Contract, table="marts.user_product_affinity", key=("user_id", "product"), write="upsert", narrow="people"
):
    """One row per user and product: what does the user like?

    Users who are no customers are here too.
    """

    user_id: Text = column("The user.")
    product: Text = column("Id of the product, or of the one with its unique name; else its name.")
    product_name: Text = column("Its name as the user's last event about it gave it.", nullable=True)
    rank: Whole = column(
        "1 is viewed most often; of equals comes the latest viewed, then the smaller name.", ge=1, sums="not additive"
    )
    interactions: Whole = column(
        "Events of the user about it; what bots did counts nothing.", ge=0, sums="semi-additive"
    )
    views: Whole = column("view_item events.", ge=0, sums="semi-additive")
    add_to_carts: Whole = column("add_to_cart events.", ge=0, sums="semi-additive")
    orders: Whole = column("Orders with it; repeats of an order do not count.", ge=0, sums="semi-additive")
    share_of_views: Ratio = share("views / view_item events of the user about any product.")
    first_seen_at: Instant = column("First event.", nullable=True)
    last_seen_at: Instant = column("Last event.", nullable=True)


class CustomerRevenue(Contract, table="marts.customer_revenue", key="person_id", write="whole"):
    """One row per customer (person) with an order: who brought how much?

    From the best down. Bots are left out.
    """

    person_id: Text = column("The person (dim_person).")
    rank: Whole = column("1 brought most; of equals the smaller person id comes first.", ge=1, sums="not additive")
    orders: Whole = column("Orders; repeats of an order do not count.", ge=1, sums="additive")
    revenue: Money = column(
        "Their revenue (shop currency), without refunds; missing if no order has a known amount.",
        nullable=True,
        sums="additive",
    )
    refunds: Money = column("What was given back to them (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", nullable=True, sums="additive")
    running_total: Money = column(
        "Revenue of this customer and of all with a smaller rank, as far as known.", nullable=True, sums="not additive"
    )
    share: Ratio = column(
        "revenue / revenue of all customers; missing if that is 0, or revenue.", nullable=True, sums="not additive"
    )
    running_share: Ratio = column(
        "running_total / revenue of all customers; missing if that is 0.", nullable=True, sums="not additive"
    )
    first_order_date: Day = column("Day of the first order (UTC).")
    last_order_date: Day = column("Day of the last order (UTC).")
    unknown_amounts: Whole = without_amount(sums="additive")
    unknown_refunds: Whole = without_amount("refunds", "additive")


class MonthlyGrowth(Contract, table="marts.monthly_growth", key="month", write="whole"):
    """One row per month from the first with an order or refund to the last: do customers and revenue grow?

    Months without any are here too, bots are not.

    Growth is (this month - the calendar month before) / the month before. The last month may not be over.
    """

    month: Day = column("First day of the month (UTC).")
    customers: Whole = column("Persons with an order in the month.", ge=0, sums="not additive")
    new_customers: Whole = column("Those of them whose first order is in the month.", ge=0, sums="additive")
    orders: Whole = column("Orders; repeats of an order do not count.", ge=0, sums="additive")
    revenue: Money = column("Their revenue (shop currency), without refunds.", sums="additive")
    refunds: Money = column("What was given back to them (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    customers_growth: Ratio = column(
        "Growth of customers; missing if the month before had none.", nullable=True, sums="not additive"
    )
    orders_growth: Ratio = column(
        "Growth of orders; missing if the month before had none.", nullable=True, sums="not additive"
    )
    revenue_growth: Ratio = column(
        "Growth of revenue; missing if the month before had none, or one of the two has only unknown amounts.",
        nullable=True,
        sums="not additive",
    )
    unknown_amounts: Whole = without_amount(sums="additive")
    unknown_refunds: Whole = without_amount("refunds", "additive")


_QUINTILE = (
    "1 to 5 by quintile (Hughes, Strategic Database Marketing, 1994): 1 + the whole fifths of all customers who are "
    "strictly worse. Equal customers have equal scores. "
)


class CustomerRfm(Contract, table="marts.customer_rfm", key="person_id", write="whole"):
    """One row per customer (person) with an order: how lately, how often and for how much do they buy?

    Each is scored. Bots are left out.
    """

    person_id: Text = column("The person (dim_person).")
    as_of_date: Day = column("Day that recency counts from: the last one with a session of anybody (UTC).")
    last_order_date: Day = column("Day of the last order (UTC).")
    recency_days: Whole = column("Days from the last order to as_of_date.", ge=0, sums="not additive")
    orders: Whole = column("Frequency: orders; repeats of an order do not count.", ge=1, sums="additive")
    revenue: Money = column(
        "Their revenue (shop currency), without refunds; missing if no order has a known amount.",
        nullable=True,
        sums="additive",
    )
    refunds: Money = column("What was given back to them (shop currency).", sums="additive")
    net_revenue: Money = column("Monetary value: revenue - refunds.", nullable=True, sums="additive")
    recency_score: Whole = column(_QUINTILE + "5 ordered most lately.", ge=1, le=5, sums="not additive")
    frequency_score: Whole = column(_QUINTILE + "5 ordered most often.", ge=1, le=5, sums="not additive")
    monetary_score: Whole = column(
        _QUINTILE + "5 brought most; missing if no order has a known amount.",
        nullable=True,
        ge=1,
        le=5,
        sums="not additive",
    )
    rfm: Text = column("The three scores as digits, 555 the best; missing if one is.", nullable=True)
    unknown_amounts: Whole = without_amount(sums="additive")
    unknown_refunds: Whole = without_amount("refunds", "additive")


class CohortRetention(Contract, table="marts.cohort_retention", key=("cohort_month", "month"), write="whole"):
    """One row per cohort of customers (persons) and month with an order or refund: do they come back?

    Bots are left out.

    A cohort is the customers whose first order is in the same month (acquisition cohort: Croll and Yoskovitz, Lean
    Analytics, 2013). A month without orders and refunds of the cohort has no row.
    """

    cohort_month: Day = column("First day of the month of the first order (UTC).")
    month: Day = column("First day of the month looked at (UTC).")
    months_since_first: Whole = column(
        "Calendar months from cohort_month to month; 0 is the cohort's own.", ge=0, sums="not additive"
    )
    cohort_size: Whole = column("Customers in the cohort.", ge=1, sums="semi-additive")
    customers: Whole = column("Those of them with an order in the month.", ge=0, sums="semi-additive")
    retention_rate: Ratio = share("customers / cohort_size; 1 in the cohort's own month.")
    orders: Whole = column("Their orders in the month.", ge=0, sums="additive")
    revenue: Money = column("The revenue of these (shop currency), without refunds.", sums="additive")
    refunds: Money = column("What was given back to them (shop currency).", sums="additive")
    net_revenue: Money = column("revenue - refunds.", sums="additive")
    unknown_amounts: Whole = without_amount(sums="additive")
    unknown_refunds: Whole = without_amount("refunds", "additive")
