-- Grain: one row per order, its earliest purchase event, with the session it was placed in.
-- Rules: tax, shipping, discount and coupon are those of the event that counts. An order that the shop's database has as
-- cancelled is a refund of what is left of it, so its net revenue is 0. A person's orders are numbered in the order of time. The
-- customer is the version valid at the time; a single version is joined without comparing times.
WITH lines AS (
    SELECT
        event_id,
        count(*) AS items,
        sum(coalesce(quantity, CASE WHEN product_id IS NULL THEN 0 ELSE 1 END)) AS quantity,
        sum(amount) AS amount,
        sum(discount * coalesce(quantity, 1)) AS discount,
        CASE WHEN min(coupon) = max(coupon) THEN min(coupon) END AS coupon
    FROM cleaned.event_items
    GROUP BY event_id
),
earlier AS (
    SELECT
        person_id,
        event_date,
        sum(orders) OVER (
            PARTITION BY person_id ORDER BY event_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS orders
    FROM sessionized.customer_days
),
refunded AS (
    SELECT order_id, sum(coalesce(amount, claimed)) AS amount, count(*) - count(coalesce(amount, claimed)) AS unknown
    FROM sessionized.refunds
    WHERE item_index = -1
    GROUP BY order_id
)
SELECT
    purchases.order_id,
    purchases.event_id,
    purchases.transaction_id,
    purchases.event_date AS order_date,
    date_key(purchases.event_date) AS date_key,
    purchases.ordered_at,
    CAST(purchases.ordered_at AT TIME ZONE $shop_timezone AS DATE) AS shop_date,
    CAST(hour(purchases.ordered_at AT TIME ZONE $shop_timezone) AS BIGINT) AS shop_hour,
    entries.session_id,
    purchases.client_id,
    buyers.user_id,
    client_key(buyers.person_id) AS person_key,
    coalesce(customers.customer_key, client_key(purchases.client_id)) AS customer_key,
    buyers.channel_key,
    buyers.device_key,
    coalesce(lines.items, 0) AS items,
    CAST(coalesce(lines.quantity, 0) AS BIGINT) AS quantity,
    purchases.revenue,
    events.currency,
    purchases.has_other_amounts,
    CAST(purchases.revenue - coalesce(lines.amount, 0) AS DECIMAL(18, 4)) AS not_itemized,
    events.tax,
    events.shipping,
    coalesce(events.discount, money(lines.discount)) AS discount,
    coalesce(events.coupon, lines.coupon) AS coupon,
    CAST(coalesce(refunded.amount, 0) AS DECIMAL(18, 4)) AS refunded,
    CAST(purchases.revenue - coalesce(refunded.amount, 0) AS DECIMAL(18, 4)) AS net_revenue,
    coalesce(refunded.unknown, 0) AS unknown_refunds,
    buyers.shop_order_id,
    buyers.status,
    CAST(coalesce(earlier.orders, 0) + row_number() OVER (
        PARTITION BY buyers.person_id, purchases.event_date ORDER BY purchases.ordered_at, purchases.order_id
    ) AS BIGINT) AS order_number
FROM sessionized.purchases AS purchases
INNER JOIN sessionized.buyers AS buyers ON purchases.order_id = buyers.order_id
INNER JOIN cleaned.events AS events ON purchases.event_id = events.event_id
LEFT JOIN sessionized.session_events AS entries ON purchases.event_id = entries.event_id
LEFT JOIN earlier ON buyers.person_id = earlier.person_id AND buyers.event_date = earlier.event_date
LEFT JOIN lines ON purchases.event_id = lines.event_id
LEFT JOIN refunded ON purchases.order_id = refunded.order_id
LEFT JOIN cleaned.customer_history AS customers
    ON purchases.client_id = customers.client_id
    AND customers.version > 1
    AND purchases.ordered_at >= customers.valid_from
    AND purchases.ordered_at < customers.valid_to
