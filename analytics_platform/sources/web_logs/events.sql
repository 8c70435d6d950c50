-- Grain: one row per interaction log.
-- Rules: a log knows its user, not the browser: the client is user:<user_id>. The words of logs become GA4's names here;
-- what they mean depends on whether the log names a product. Other actions are read as in contracts/event_names.py.
SELECT
    event_id,
    'user:' || user_id AS client_id,
    user_id,
    CASE
        WHEN plain_name(action) IN (
            'view', 'views', 'viewed', 'viewing', 'see', 'seen', 'open', 'opened', 'visit', 'visits', 'visited'
        )
            THEN CASE WHEN item_name IS NULL THEN 'page_view' ELSE 'view_item' END
        WHEN plain_name(action) IN (
            'click', 'clicks', 'clicked', 'clicking', 'select', 'selects', 'selected', 'tap', 'taps', 'tapped'
        )
            THEN CASE WHEN item_name IS NULL THEN 'click' ELSE 'select_item' END
        WHEN plain_name(action) IN ('cart', 'basket', 'bag')
            THEN CASE WHEN item_name IS NULL THEN 'view_cart' ELSE 'add_to_cart' END
        WHEN plain_name(action) IN ('add', 'adds', 'added', 'adding') THEN 'add_to_cart'
        WHEN plain_name(action) IN ('remove', 'removes', 'removed', 'delete', 'deletes', 'deleted') THEN 'remove_from_cart'
        WHEN plain_name(action) IN ('wish', 'wishlist', 'favorite', 'favourite', 'like', 'liked') THEN 'add_to_wishlist'
        WHEN plain_name(action) = 'checkout' THEN 'begin_checkout'
        WHEN plain_name(action) IN ('pay', 'payment') THEN 'add_payment_info'
        WHEN plain_name(action) IN ('buy', 'buys', 'bought', 'buying', 'order', 'orders', 'ordered') THEN 'purchase'
        WHEN plain_name(action) IN ('return', 'returned') THEN 'refund'
        ELSE action
    END AS event_name,
    action AS raw_event_name,
    event_at,
    event_date,
    arrived_at AS received_at,
    'WEB' AS platform,
    session_id AS source_session_id,
    device AS device_type,
    named_item(item_name) AS items_json,
    position,
    batch_id
FROM cleaned.web_logs
