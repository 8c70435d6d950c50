-- Grain: one row per day, session, product and product list (either may be missing), with its interactions.
-- Rules: an interaction belongs to the item's own list, else the event's, else to the list of the last click
-- (select_item) on the product before it in the same session: a click on a list credits that list. Many trackers write
-- whole seconds, so a click counts as earlier than other events of the same second. An item without a product is never
-- credited to a click. An order counts once, by its first event. Sessions of bots are left out.
WITH interactions AS (
    SELECT
        items.event_id,
        items.item_index,
        items.event_date,
        items.product_id,
        coalesce(items.list_id, items.list_name) AS list_id,
        items.price,
        coalesce(items.quantity, 1) AS quantity,
        items.amount,
        events.event_name,
        events.event_at,
        events.client_id,
        entries.session_id,
        entries.event_index,
        sessions.is_bounce
    FROM cleaned.event_items AS items
    INNER JOIN cleaned.events AS events ON items.event_id = events.event_id
    INNER JOIN sessionized.session_events AS entries ON items.event_id = entries.event_id
    INNER JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
    WHERE NOT sessions.is_bot
),
clicked AS (
    SELECT
        event_id,
        event_date,
        product_id,
        list_id,
        price,
        quantity,
        amount,
        event_name,
        event_at,
        client_id,
        session_id,
        is_bounce,
        last_value(
            CASE WHEN event_name = 'select_item' AND product_id IS NOT NULL THEN list_id END IGNORE NULLS
        ) OVER (
            PARTITION BY session_id, product_id
            ORDER BY event_at, CASE WHEN event_name = 'select_item' THEN 0 ELSE 1 END, event_index, item_index
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS clicked_list_id
    FROM interactions
),
credited AS (
    SELECT
        clicked.event_date,
        clicked.session_id,
        clicked.client_id,
        clicked.product_id,
        coalesce(clicked.list_id, clicked.clicked_list_id) AS list_id,
        clicked.event_id,
        clicked.event_at,
        clicked.price,
        clicked.quantity,
        clicked.is_bounce,
        clicked.amount,
        CASE
            WHEN clicked.event_name = 'purchase' AND purchases.event_id IS NULL THEN 'no order'
            ELSE clicked.event_name
        END AS event_name
    FROM clicked
    LEFT JOIN sessionized.purchases AS purchases ON clicked.event_id = purchases.event_id
),
per_event AS (
    -- Once per event here, so that none is counted twice below: distinct counts would have to hold all ids in memory.
    SELECT
        event_date,
        session_id,
        client_id,
        product_id,
        list_id,
        is_bounce,
        event_id,
        event_name,
        count(*) AS items,
        sum(quantity) AS quantity,
        sum(amount) AS amount,
        sum(price) AS prices,
        count(price) AS priced,
        min(event_at) AS first_at
    FROM credited
    GROUP BY event_date, session_id, client_id, product_id, list_id, is_bounce, event_id, event_name
)
SELECT
    md5(
        session_id || '|' || CAST(event_date AS VARCHAR) || '|' || md5(coalesce(product_id, '')) || '|'
        || coalesce(list_id, '')
    ) AS interaction_id,
    event_date,
    session_id,
    client_id,
    product_id,
    list_id,
    is_bounce,
    CAST(coalesce(sum(items) FILTER (WHERE event_name = 'view_item_list'), 0) AS BIGINT) AS impressions,
    CAST(coalesce(sum(items) FILTER (WHERE event_name = 'select_item'), 0) AS BIGINT) AS clicks,
    count(*) FILTER (WHERE event_name = 'view_item') AS views,
    count(*) FILTER (WHERE event_name = 'add_to_cart') AS add_to_carts,
    count(*) FILTER (WHERE event_name = 'purchase') AS purchases,
    CAST(coalesce(sum(quantity) FILTER (WHERE event_name = 'purchase'), 0) AS BIGINT) AS quantity,
    CAST(coalesce(sum(amount) FILTER (WHERE event_name = 'purchase'), 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(sum(prices), 0) AS DECIMAL(18, 4)) AS prices,
    CAST(sum(priced) AS BIGINT) AS priced,
    min(first_at) AS first_at
FROM per_event
GROUP BY session_id, event_date, client_id, product_id, list_id, is_bounce
