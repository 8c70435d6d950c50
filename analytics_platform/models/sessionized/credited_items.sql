-- Grain: one row per item of an event, with the product list that is credited for it.
-- Rules: an item belongs to its own list, else the event's, else to the list of the last click (select_item) on the
-- product up to it in the same session: a click on a list credits that list. Many trackers send no clicks: without one
-- on the product, it belongs to the list of the last view of it (view_item). A click or a view that names no list is of
-- the list that had shown the product last before it. Many trackers write whole seconds, so of the same second lists
-- count as earlier than clicks, and both as earlier than other events. An item without a product is never credited so.
WITH interactions AS (
    SELECT
        items.event_id,
        items.item_index,
        items.event_date,
        coalesce(items.product_id, names.product_id) AS product_id,
        coalesce(items.list_id, items.list_name) AS list_id,
        events.event_name,
        events.event_at,
        events.client_id,
        entries.session_id,
        entries.event_index
    FROM cleaned.event_items AS items
    INNER JOIN cleaned.events AS events ON items.event_id = events.event_id
    INNER JOIN sessionized.session_events AS entries ON items.event_id = entries.event_id
    LEFT JOIN cleaned.product_names AS names ON items.product_id IS NULL AND items.product_name = names.product_name
),
placed AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY session_id, product_id
            ORDER BY
                event_at,
                CASE event_name WHEN 'view_item_list' THEN 0 WHEN 'select_item' THEN 1 ELSE 2 END,
                event_index,
                item_index
        ) AS place
    FROM interactions
),
led AS (
    SELECT
        *,
        CASE
            WHEN event_name IN ('select_item', 'view_item')
                THEN coalesce(
                    list_id,
                    last_value(CASE WHEN event_name = 'view_item_list' THEN list_id END IGNORE NULLS) OVER (
                        PARTITION BY session_id, product_id
                        ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                    )
                )
        END AS leading_list_id
    FROM placed
),
followed AS (
    SELECT
        *,
        last_value(CASE WHEN event_name = 'select_item' THEN leading_list_id END IGNORE NULLS) OVER so_far
            AS clicked_list_id,
        last_value(CASE WHEN event_name = 'view_item' THEN leading_list_id END IGNORE NULLS) OVER so_far
            AS viewed_list_id
    FROM led
    WINDOW so_far AS (
        PARTITION BY session_id, product_id ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
SELECT
    event_id,
    item_index,
    event_date,
    session_id,
    client_id,
    product_id,
    coalesce(
        list_id,
        CASE
            WHEN product_id IS NOT NULL AND event_name <> 'view_item_list'
                THEN coalesce(clicked_list_id, viewed_list_id)
        END
    ) AS list_id
FROM followed
