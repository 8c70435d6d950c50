-- Grain: one row per session, on the day it starts.
-- Rules: the traffic source is that of the first event with one, else direct. A bounce is a session of one event.
-- Orders and revenue come from the deduplicated purchases. A session is a bot's if every event that has a user agent has
-- a bot's, and nothing was bought: one event that a server sends does not turn a person's visit into a bot's. The device
-- of a bot's session is a bot, of all others that of the first event which tells a person's. Country and city are those of
-- the first event that knows one of them. The person is that of the user who signed in, else that of the client.
WITH visits AS (
    SELECT
        entries.session_id,
        entries.client_id,
        entries.session_date,
        entries.started_at,
        entries.split_reason,
        max(entries.event_at) AS ended_at,
        count(*) AS events,
        count(*) FILTER (WHERE events.event_name IN ('page_view', 'screen_view')) AS page_views,
        max_by(events.user_id, entries.event_index) FILTER (WHERE events.user_id IS NOT NULL) AS user_id,
        min_by({'host': events.page_host, 'path': events.page_path}, entries.event_index) FILTER (
            WHERE events.page_path IS NOT NULL
        ) AS entry_page,
        max_by({'host': events.page_host, 'path': events.page_path}, entries.event_index) FILTER (
            WHERE events.page_path IS NOT NULL
        ) AS exit_page,
        min(entries.event_index) FILTER (WHERE events.traffic_source IS NOT NULL) AS traffic_index,
        min_by({'device_type': events.device_type, 'os': events.os, 'browser': events.browser}, entries.event_index) FILTER (
            WHERE events.device_type = 'bot'
        ) AS robot,
        min_by({'device_type': events.device_type, 'os': events.os, 'browser': events.browser}, entries.event_index) FILTER (
            WHERE events.device_type NOT IN ('bot', 'unknown')
        ) AS device,
        min_by({'device_type': events.device_type, 'os': events.os, 'browser': events.browser}, entries.event_index) FILTER (
            WHERE events.device_type = 'unknown'
        ) AS other_device,
        min_by({'country': events.country, 'city': events.city}, entries.event_index) FILTER (
            WHERE coalesce(events.country, events.city) IS NOT NULL
        ) AS place,
        min_by(events.source_session_id, entries.event_index) FILTER (
            WHERE events.source_session_id IS NOT NULL
        ) AS source_session_id,
        coalesce(bool_and(events.is_bot), FALSE) AS has_bots_only,
        bool_or(events.event_name IN ('page_view', 'screen_view', 'view_item', 'view_item_list')) AS viewed,
        bool_or(events.event_name = 'view_item') AS viewed_product,
        bool_or(events.event_name = 'add_to_cart') AS added_to_cart,
        bool_or(events.event_name = 'begin_checkout') AS began_checkout,
        bool_or(events.event_name = 'purchase' AND NOT events.is_refund) AS purchased
    FROM sessionized.session_events AS entries
    INNER JOIN cleaned.events AS events ON entries.event_id = events.event_id
    GROUP BY
        entries.session_id, entries.client_id, entries.session_date, entries.started_at, entries.split_reason
),
touches AS (
    SELECT
        entries.session_id,
        entries.event_index,
        events.traffic_source,
        events.traffic_medium,
        events.traffic_campaign
    FROM cleaned.events AS events
    INNER JOIN sessionized.session_events AS entries ON events.event_id = entries.event_id
    WHERE events.traffic_source IS NOT NULL
),
sold AS (
    SELECT
        entries.session_id,
        count(*) AS orders,
        sum(purchases.revenue) AS revenue,
        count(*) - count(purchases.revenue) AS unknown_amounts
    FROM sessionized.purchases AS purchases
    INNER JOIN sessionized.session_events AS entries ON purchases.event_id = entries.event_id
    GROUP BY entries.session_id
),
sourced AS (
    SELECT
        visits.session_id,
        visits.client_id,
        visits.user_id,
        visits.session_date,
        visits.started_at,
        visits.ended_at,
        visits.events,
        visits.page_views,
        visits.entry_page,
        visits.exit_page,
        CASE WHEN visits.has_bots_only AND sold.orders IS NULL THEN robot ELSE coalesce(device, other_device) END AS device,
        visits.place,
        visits.source_session_id,
        visits.has_bots_only AND sold.orders IS NULL AS is_bot,
        visits.split_reason,
        visits.viewed,
        visits.viewed_product,
        visits.added_to_cart,
        visits.began_checkout,
        visits.purchased,
        coalesce(sold.orders, 0) AS orders,
        CAST(coalesce(sold.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
        coalesce(sold.unknown_amounts, 0) AS unknown_amounts,
        coalesce(touches.traffic_source, '(direct)') AS source,
        coalesce(touches.traffic_medium, '(none)') AS medium,
        coalesce(touches.traffic_campaign, '(not set)') AS campaign
    FROM visits
    LEFT JOIN touches
        ON visits.session_id = touches.session_id AND visits.traffic_index = touches.event_index
    LEFT JOIN sold ON visits.session_id = sold.session_id
),
origins AS (
    SELECT DISTINCT
        source,
        medium,
        campaign
    FROM sourced
),
known AS (
    -- A host under a listed site has its category; of several sites above it the nearest.
    SELECT
        origins.source,
        max_by(listed.category, length(listed.source)) AS category
    FROM (SELECT DISTINCT source FROM origins) AS origins
    INNER JOIN cleaned.source_categories AS listed
        ON lower(origins.source) = listed.source
        OR (
            listed.source LIKE '%.%'
            AND right(lower(origins.source), length(listed.source) + 1) = '.' || listed.source
        )
    GROUP BY origins.source
),
channels AS (
    SELECT
        origins.source,
        origins.medium,
        origins.campaign,
        channel(origins.source, origins.medium, origins.campaign, known.category) AS channel
    FROM origins
    LEFT JOIN known ON origins.source = known.source
)
SELECT
    sourced.session_id,
    sourced.client_id,
    sourced.user_id,
    coalesce(
        of_user.person_id, 'user:' || sourced.user_id, of_client.person_id, sourced.client_id
    ) AS person_id,
    sourced.session_date,
    sourced.started_at,
    sourced.ended_at,
    CAST(micros(sourced.ended_at) - micros(sourced.started_at) AS DOUBLE) / 1000000 AS duration_s,
    sourced.events,
    sourced.page_views,
    sourced.events = 1 AS is_bounce,
    struct_extract(sourced.entry_page, 'path') AS entry_page,
    struct_extract(sourced.entry_page, 'host') AS entry_host,
    struct_extract(sourced.exit_page, 'path') AS exit_page,
    struct_extract(sourced.exit_page, 'host') AS exit_host,
    sourced.source,
    sourced.medium,
    sourced.campaign,
    channels.channel,
    coalesce(struct_extract(sourced.device, 'device_type'), 'unknown') AS device_type,
    struct_extract(sourced.device, 'os') AS os,
    struct_extract(sourced.device, 'browser') AS browser,
    struct_extract(sourced.place, 'country') AS country,
    struct_extract(sourced.place, 'city') AS city,
    sourced.source_session_id,
    sourced.is_bot,
    sourced.split_reason,
    sourced.viewed,
    sourced.viewed_product,
    sourced.added_to_cart,
    sourced.began_checkout,
    sourced.purchased,
    sourced.orders,
    sourced.revenue,
    sourced.unknown_amounts
FROM sourced
INNER JOIN channels
    ON sourced.source = channels.source
    AND sourced.medium = channels.medium
    AND sourced.campaign = channels.campaign
LEFT JOIN cleaned.person_members AS of_user ON sourced.user_id = of_user.user_id
LEFT JOIN cleaned.person_members AS of_client ON sourced.client_id = of_client.client_id
