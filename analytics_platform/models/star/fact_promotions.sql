-- Grain: one row per promotion in an event that says it was seen or clicked.
-- Rules: an item's promotion is its own, else the event's. Items of one promotion make one row. An event that names no
-- promotion has a row without one, so that views and clicks add up to the events.
WITH items AS (
    SELECT
        event_id,
        promotion_id,
        promotion_name,
        creative_name,
        creative_slot,
        unnest(promotions_of(items_json)) AS item
    FROM cleaned.events
    WHERE event_name IN ('view_promotion', 'select_promotion')
),
named AS (
    SELECT DISTINCT
        event_id,
        coalesce(plain_id(struct_extract(item, 'promotion_id')), promotion_id) AS promotion_id,
        coalesce(known(struct_extract(item, 'promotion_name')), promotion_name) AS promotion_name,
        coalesce(known(struct_extract(item, 'creative_name')), creative_name) AS creative_name,
        coalesce(known(struct_extract(item, 'creative_slot')), creative_slot) AS creative_slot
    FROM items
),
numbered AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY event_id) AS promotions,
        row_number() OVER (
            PARTITION BY event_id ORDER BY promotion_id, promotion_name, creative_name, creative_slot
        ) - 1 AS promotion_index
    FROM named
)
SELECT
    facts.event_id,
    numbered.promotion_index,
    facts.event_date,
    facts.date_key,
    facts.event_at,
    facts.session_id,
    facts.person_key,
    facts.customer_key,
    facts.channel_key,
    facts.device_key,
    facts.page_key,
    promotion_key(
        numbered.promotion_id, numbered.promotion_name, numbered.creative_name, numbered.creative_slot
    ) AS promotion_key,
    facts.client_id,
    facts.user_id,
    facts.event_name,
    facts.is_bot
FROM numbered
INNER JOIN star.fact_events AS facts ON numbered.event_id = facts.event_id
WHERE
    promotions = 1
    OR coalesce(
        numbered.promotion_id, numbered.promotion_name, numbered.creative_name, numbered.creative_slot
    ) IS NOT NULL
