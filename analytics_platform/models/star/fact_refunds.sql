-- Grain: one row per refund.
-- Rules: channel and device are those of the order. The customer is the version valid at the time; a single version is joined without comparing times.
SELECT
    refunds.event_id,
    refunds.order_id,
    refunds.transaction_id,
    refunds.event_date AS refund_date,
    date_key(refunds.event_date) AS date_key,
    refunds.refunded_at,
    refunds.client_id,
    client_key(coalesce(buyers.person_id, of_client.person_id, refunds.client_id)) AS person_key,
    coalesce(customers.customer_key, client_key(refunds.client_id)) AS customer_key,
    coalesce(buyers.channel_key, -1) AS channel_key,
    coalesce(buyers.device_key, -1) AS device_key,
    refunds.basis,
    refunds.amount,
    refunds.excess
FROM sessionized.refunds AS refunds
LEFT JOIN sessionized.buyers AS buyers ON refunds.order_id = buyers.order_id
LEFT JOIN cleaned.person_members AS of_client ON refunds.client_id = of_client.client_id
LEFT JOIN cleaned.customer_history AS customers
    ON refunds.client_id = customers.client_id
    AND customers.version > 1
    AND refunds.refunded_at >= customers.valid_from
    AND refunds.refunded_at < customers.valid_to
WHERE refunds.item_index = -1
