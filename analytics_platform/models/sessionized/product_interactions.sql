-- Grain: one row per day, session, product and product list (either may be missing), with its interactions.
-- Rules: the list is the credited one. An order counts once, by its first event. Sessions of bots are left out.
WITH interactions AS (
    SELECT
        credited.event_date,
        credited.session_id,
        credited.client_id,
        sessions.person_id,
        credited.product_id,
        credited.list_id,
        credited.event_id,
        events.event_at,
        items.price,
        coalesce(items.quantity, 1) AS quantity,
        sessions.is_bounce,
        items.amount,
        CASE
            WHEN events.event_name = 'purchase' AND purchases.event_id IS NULL THEN 'no order'
            ELSE events.event_name
        END AS event_name
    FROM sessionized.credited_items AS credited
    INNER JOIN cleaned.event_items AS items
        ON credited.event_id = items.event_id AND credited.item_index = items.item_index
    INNER JOIN cleaned.events AS events ON credited.event_id = events.event_id
    INNER JOIN sessionized.sessions AS sessions ON credited.session_id = sessions.session_id
    LEFT JOIN sessionized.purchases AS purchases ON credited.event_id = purchases.event_id
    WHERE NOT sessions.is_bot
),
per_event AS (
    -- Once per event here, so that none is counted twice below: distinct counts would have to hold all ids in memory.
    SELECT
        event_date,
        session_id,
        client_id,
        person_id,
        product_id,
        list_id,
        is_bounce,
        event_id,
        event_name,
        count(*) AS items,
        sum(quantity) AS quantity,
        sum(amount) AS amount,
        count(amount) AS valued,
        sum(price) AS prices,
        count(price) AS priced,
        min(event_at) AS first_at
    FROM interactions
    GROUP BY event_date, session_id, client_id, person_id, product_id, list_id, is_bounce, event_id, event_name
)
SELECT
    md5(
        session_id || '|' || CAST(event_date AS VARCHAR) || '|' || md5(coalesce(product_id, '')) || '|'
        || coalesce(list_id, '')
    ) AS interaction_id,
    event_date,
    session_id,
    client_id,
    person_id,
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
    count(*) FILTER (WHERE event_name = 'purchase' AND valued < items) AS unknown_amounts,
    CAST(coalesce(sum(prices), 0) AS DECIMAL(18, 4)) AS prices,
    CAST(sum(priced) AS BIGINT) AS priced,
    min(first_at) AS first_at
FROM per_event
GROUP BY session_id, event_date, client_id, person_id, product_id, list_id, is_bounce
