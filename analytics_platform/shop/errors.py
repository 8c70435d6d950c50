"""What can go wrong in the shop, as types: each message is one sentence that says what to do."""

from __future__ import annotations

from analytics_platform.errors import UserError


class ShopError(UserError):
    """Something the shop cannot do; the message says why."""


class ShopUnavailableError(ShopError):
    """The shop's database, its carts or its cache cannot be reached, or lost the connection."""


class OrderRefusedError(ShopError):
    """An order, or a change of a cart, that the shop does not take. Nothing was changed."""


class EmptyCartError(OrderRefusedError):
    """There is nothing to order."""

    def __init__(self, order_key: str) -> None:
        super().__init__(f"The cart of order {order_key!r} is empty: put something into it first.")


class BadQuantityError(OrderRefusedError):
    """A line of nothing, of less than nothing, or of more than a line holds."""

    def __init__(self, product_id: str, quantity: int) -> None:
        super().__init__(
            f"{quantity} pieces of product {product_id!r} cannot be ordered: order between 1 and 1,000,000."
        )
        self.product_id = product_id
        self.quantity = quantity


class UnknownProductError(OrderRefusedError):
    """A product the shop does not have."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"The shop has no product {product_id!r}: take it out of the cart.")
        self.product_id = product_id


class UnknownVariantError(OrderRefusedError):
    """A size or colour that a product does not come in."""

    def __init__(self, product_id: str, variant: str) -> None:
        super().__init__(f"Product {product_id!r} does not come as {variant!r}: choose another variant.")
        self.product_id = product_id
        self.variant = variant


class UnknownCustomerError(OrderRefusedError):
    """A customer the shop does not know."""

    def __init__(self, customer_id: int) -> None:
        super().__init__(f"The shop has no customer {customer_id}: register the customer first.")
        self.customer_id = customer_id


class OutOfStockError(OrderRefusedError):
    """More pieces of a product are wanted than are left."""

    def __init__(self, product_id: str, wanted: int, left: int) -> None:
        super().__init__(f"Of product {product_id!r} {wanted} are wanted and {left} are left: order fewer.")
        self.product_id = product_id
        self.wanted = wanted
        self.left = left


class OrderKeyTakenError(OrderRefusedError):
    """The key names an order of somebody else."""

    def __init__(self, order_key: str) -> None:
        super().__init__(f"The order key {order_key!r} is another customer's: choose a new one.")
        self.order_key = order_key


class BadOrderError(OrderRefusedError):
    """Something else is wrong about the order: its key, its time, or an amount beyond what money columns hold."""


class NotInCartError(OrderRefusedError):
    """What is to be changed is not in the cart."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"Product {product_id!r} is not in the cart: add it first.")
        self.product_id = product_id


class BadCartError(OrderRefusedError):
    """Carts that cannot be merged."""


class CartBusyError(ShopError):
    """So many others change the cart that this change found no gap."""


class BadCatalogueError(ShopError):
    """Products or customers the shop does not take."""
