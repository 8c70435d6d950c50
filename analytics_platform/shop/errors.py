"""What can go wrong in the shop, as types: each message is one sentence that says what to do."""

from __future__ import annotations

from analytics_platform.errors import UserError


class ShopError(UserError):
    """Something the shop cannot do; the message says why."""


class ShopUnavailableError(ShopError):
    """The shop's database, its carts or its cache cannot be reached, or lost the connection."""


class CartBusyError(ShopError):
    """The cart is changed by too many requests at once."""


class BadCatalogueError(ShopError):
    """Products or customers that the shop rejects."""


class OrderRejectedError(ShopError):
    """The shop rejects an order or a change of a cart. Nothing was changed."""


class BadOrderError(OrderRejectedError):
    """Something else is wrong: the key or time of an order, an amount beyond money columns, carts to merge."""


class EmptyCartError(OrderRejectedError):
    """There is nothing to order."""

    def __init__(self, order_key: str) -> None:
        super().__init__(f"The cart of order {order_key!r} is empty: put something into it first.")


class BadQuantityError(OrderRejectedError):
    """The number of pieces of a line is not positive or too large."""

    def __init__(self, product_id: str, quantity: int) -> None:
        words = f"{quantity} pieces of product {product_id!r} cannot be ordered"
        super().__init__(f"{words}: order between 1 and 1,000,000.")


class UnknownProductError(OrderRejectedError):
    """The shop does not have this product."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"The shop has no product {product_id!r}: take it out of the cart.")


class UnknownVariantError(OrderRejectedError):
    """The product does not have this variant."""

    def __init__(self, product_id: str, variant: str) -> None:
        super().__init__(f"Product {product_id!r} does not come as {variant!r}: choose another variant.")


class UnknownCustomerError(OrderRejectedError):
    """The shop does not know this customer."""

    def __init__(self, customer_id: int) -> None:
        super().__init__(f"The shop has no customer {customer_id}: register the customer first.")


class UnknownOrderError(OrderRejectedError):
    """The shop does not know this order."""

    def __init__(self, order_key: str) -> None:
        super().__init__(f"The shop has no order {order_key!r}: give the key that `shop order` named.")


class OutOfStockError(OrderRejectedError):
    """More pieces of a product are wanted than are left."""

    def __init__(self, product_id: str, wanted: int, left: int) -> None:
        super().__init__(f"Product {product_id!r} has {left} pieces left, {wanted} are wanted: order fewer.")
        self.product_id = product_id
        self.wanted = wanted
        self.left = left


class OrderKeyTakenError(OrderRejectedError):
    """The key names another customer's order."""

    def __init__(self, order_key: str) -> None:
        super().__init__(f"The order key {order_key!r} is another customer's: choose a new one.")


class NotInCartError(OrderRejectedError):
    """The product to change is not in the cart."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"Product {product_id!r} is not in the cart: add it first.")
