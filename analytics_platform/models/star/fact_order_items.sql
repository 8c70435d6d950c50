-- Grain: one row per line of an order.
-- Rules: a zero-revenue order has one line without product.
-- Customer and product are the versions valid at the time; a single version is joined without comparing times.
SELECT
    purchases.order_id,
    purchases.event_id,
    items.item_index,
    purchases.event_date AS order_date,
    date_key(purchases.event_date) AS date_key,
    purchases.ordered_at,
    credited.session_id,
    purchases.client_id,
    client_key(buyers.person_id) AS person_key,
    coalesce(customers.customer_key, client_key(purchases.client_id)) AS customer_key,
    coalesce(products.product_key, surrogate_key(credited.product_id)) AS product_key,
    coalesce(
        variant_key(credited.product_id, items.variant), products.product_key, surrogate_key(credited.product_id)
    ) AS variant_key,
    surrogate_key(credited.list_id) AS credited_list_key,
    buyers.channel_key,
    buyers.device_key,
    credited.product_id,
    items.list_index,
    items.product_name,
    items.variant,
    items.brand,
    items.category,
    items.coupon,
    items.price,
    items.quantity,
    money(items.discount * coalesce(items.quantity, 1)) AS discount,
    items.amount,
    items.amount_basis AS revenue_basis
FROM sessionized.purchases AS purchases
INNER JOIN sessionized.buyers AS buyers ON purchases.order_id = buyers.order_id
INNER JOIN cleaned.event_items AS items ON purchases.event_id = items.event_id
INNER JOIN sessionized.credited_items AS credited
    ON items.event_id = credited.event_id AND items.item_index = credited.item_index
LEFT JOIN cleaned.customer_history AS customers
    ON purchases.client_id = customers.client_id
    AND customers.version > 1
    AND purchases.ordered_at >= customers.valid_from
    AND purchases.ordered_at < customers.valid_to
LEFT JOIN cleaned.product_history AS products
    ON credited.product_id = products.product_id
    AND products.version > 1
    AND purchases.ordered_at >= products.valid_from
    AND purchases.ordered_at < products.valid_to
