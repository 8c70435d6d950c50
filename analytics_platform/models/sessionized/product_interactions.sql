-- Grain: one row per day, session, product and product list (either may be missing), with its interactions.
-- Rules: an interaction belongs to the item's own list, else the event's, else to the list of the last click
-- (select_item) on the product before it in the same session: a click on a list credits that list. Many trackers send no
-- clicks: without one on the product, it belongs to the list that a view of it (view_item) named, or that had shown it
-- last before that view. Many trackers write whole seconds, so lists and clicks count as earlier than other events of the
-- same second. An item without a product is never credited so. An order counts once, by its first event. Sessions of bots
-- are left out.
WITH interactions AS (
    SELECT
        items.event_id,
        items.item_index,
        items.event_date,
        coalesce(items.product_id, names.product_id) AS product_id,
        coalesce(items.list_id, items.list_name) AS list_id,
        items.price,
        coalesce(items.quantity, 1) AS quantity,
        items.amount,
        events.event_name,
        events.event_at,
        events.client_id,
        entries.session_id,
        entries.event_index,
        sessions.person_id,
        sessions.is_bounce
    FROM cleaned.event_items AS items
    INNER JOIN cleaned.events AS events ON items.event_id = events.event_id
    INNER JOIN sessionized.session_events AS entries ON items.event_id = entries.event_id
    INNER JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
    LEFT JOIN cleaned.product_names AS names ON items.product_id IS NULL AND items.product_name = names.product_name
    WHERE NOT sessions.is_bot
),
placed AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY session_id, product_id
            ORDER BY
                event_at,
                CASE WHEN event_name IN ('view_item_list', 'select_item') THEN 0 ELSE 1 END,
                event_index,
                item_index
        ) AS place
    FROM interactions
),
clicked AS (
    SELECT
        *,
        last_value(CASE WHEN event_name = 'select_item' THEN list_id END IGNORE NULLS) OVER so_far AS clicked_list_id,
        CASE
            WHEN event_name = 'view_item'
                THEN coalesce(
                    list_id,
                    last_value(CASE WHEN event_name = 'view_item_list' THEN list_id END IGNORE NULLS) OVER so_far
                )
        END AS viewed_list_id
    FROM placed
    WINDOW so_far AS (
        PARTITION BY session_id, product_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),
followed AS (
    SELECT
        *,
        last_value(viewed_list_id IGNORE NULLS) OVER (
            PARTITION BY session_id, product_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS last_viewed_list_id
    FROM clicked
),
credited AS (
    SELECT
        followed.event_date,
        followed.session_id,
        followed.client_id,
        followed.person_id,
        followed.product_id,
        coalesce(
            followed.list_id,
            CASE
                WHEN followed.product_id IS NOT NULL AND followed.event_name <> 'view_item_list'
                    THEN coalesce(followed.clicked_list_id, followed.last_viewed_list_id)
            END
        ) AS list_id,
        followed.event_id,
        followed.event_at,
        followed.price,
        followed.quantity,
        followed.is_bounce,
        followed.amount,
        CASE
            WHEN followed.event_name = 'purchase' AND purchases.event_id IS NULL THEN 'no order'
            ELSE followed.event_name
        END AS event_name
    FROM followed
    LEFT JOIN sessionized.purchases AS purchases ON followed.event_id = purchases.event_id
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
        sum(price) AS prices,
        count(price) AS priced,
        min(event_at) AS first_at
    FROM credited
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
    CAST(coalesce(sum(prices), 0) AS DECIMAL(18, 4)) AS prices,
    CAST(sum(priced) AS BIGINT) AS priced,
    min(first_at) AS first_at
FROM per_event
GROUP BY session_id, event_date, client_id, person_id, product_id, list_id, is_bounce
