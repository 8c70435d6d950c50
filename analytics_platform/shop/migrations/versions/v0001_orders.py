"""Customers, products, orders and their items in third normal form, and the outbox of what follows an order.

Every table has `updated_at`, kept by a trigger, and an index on it with the key: readers ask for what changed since.
"""

from alembic import op

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE shop.customers (
    customer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    name text NOT NULL,
    city text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.products (
    product_id text PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(18, 4) NOT NULL CHECK (price >= 0 AND price <> 'NaN'),
    stock integer NOT NULL CHECK (stock >= 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.orders (
    order_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_key text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES shop.customers,
    status text NOT NULL CHECK (status IN ('placed', 'cancelled')),
    total numeric(18, 4) NOT NULL CHECK (total >= 0 AND total <> 'NaN'),
    ordered_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop.order_items (
    order_id bigint NOT NULL REFERENCES shop.orders,
    line integer NOT NULL CHECK (line >= 1),
    product_id text NOT NULL REFERENCES shop.products,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(18, 4) NOT NULL CHECK (unit_price >= 0 AND unit_price <> 'NaN'),
    updated_at timestamptz NOT NULL DEFAULT now(),
    variant text,
    PRIMARY KEY (order_id, line)
);

CREATE TABLE shop.outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task text NOT NULL CHECK (task IN ('clear_cart', 'count_sales')),
    order_id bigint NOT NULL REFERENCES shop.orders,
    payload jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error text,
    due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (order_id, task)
);
COMMENT ON COLUMN shop.products.metadata IS 'What only some products have: brand, variants with their prices, …';
COMMENT ON COLUMN shop.order_items.variant IS 'The size or colour, as the metadata of the product names it.';
COMMENT ON COLUMN shop.orders.order_key IS 'The name the buyer gives the order: the same key is the same order.';
COMMENT ON TABLE shop.outbox IS 'What is still to be done after an order; a row goes when its task is done.';
"""

_INDEXES = """
CREATE INDEX customers_changed ON shop.customers (updated_at, customer_id);
CREATE INDEX products_changed ON shop.products (updated_at, product_id);
CREATE INDEX orders_changed ON shop.orders (updated_at, order_id);
CREATE INDEX order_items_changed ON shop.order_items (updated_at, order_id, line);
CREATE INDEX products_metadata ON shop.products USING gin (metadata);
CREATE INDEX orders_of_customer ON shop.orders (customer_id, ordered_at);
CREATE INDEX order_items_of_product ON shop.order_items (product_id);
CREATE INDEX outbox_due ON shop.outbox (due_at, outbox_id);
"""

_STAMP = """
CREATE FUNCTION shop.stamp_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$
"""

_TRIGGER = """
CREATE TRIGGER stamp_update BEFORE UPDATE ON shop.{table}
FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION shop.stamp_update()
"""


def upgrade() -> None:
    """Make the tables, their indexes and triggers in the schema `shop`, which exists."""
    triggers = (_TRIGGER.format(table=table) for table in ("customers", "products", "orders", "order_items"))
    for statements in (_TABLES, _INDEXES, _STAMP, *triggers):
        op.execute(statements)


def downgrade() -> None:
    """Remove them, with all they hold."""
    op.execute("DROP TABLE shop.outbox, shop.order_items, shop.orders, shop.products, shop.customers")
    op.execute("DROP FUNCTION shop.stamp_update()")
