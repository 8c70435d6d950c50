"""Names of sources, as their folders have them."""

CLICKSTREAM, ECOMMERCE_EVENTS, WEB_LOGS, USERS = "clickstream", "ecommerce_events", "web_logs", "users"
SHOP = ("customers", "products", "orders", "order_items")
