"""Names of sources, as their folders have them."""

CLICKSTREAM, ECOMMERCE_EVENTS, WEB_LOGS, USERS = "clickstream", "ecommerce_events", "web_logs", "users"
GA4_EVENTS, EXCHANGE_RATES = "ga4_events", "exchange_rates"
SHOP = ("customers", "products", "orders", "order_items")
