"""The shop's data classes. Money is `Decimal` with up to four decimals, times are aware."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from analytics_platform.shop.errors import BadQuantityError

MOST_PIECES = 1_000_000
"""How many pieces a line may have."""

CENT_OF_CENT, MOST_MONEY = Decimal("0.0001"), Decimal(10) ** 14
"""The smallest amount, and the first that is too large for a money column, numeric(18, 4)."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer who may order; the e-mail address is stored in lower case and is unique."""

    email: str
    name: str
    city: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """Something to order. `variants` are sizes or colours with their prices; without a variant it costs `price`.

    `metadata` is what else only some products have. With None the shop keeps what it has, brand and variants too.
    """

    product_id: str
    name: str
    category: str
    price: Decimal
    stock: int
    brand: str | None = None
    variants: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    metadata: Mapping[str, object] | None = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class CartLine:
    """A number of pieces of a product. Raises `BadQuantityError`."""

    product_id: str
    quantity: int
    variant: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.quantity <= MOST_PIECES:
            raise BadQuantityError(self.product_id, self.quantity)

    @property
    def thing(self) -> tuple[str, str | None]:
        """The product of the line, and its variant."""
        return self.product_id, self.variant


@dataclass(frozen=True, slots=True)
class Cart:
    """What a customer wants to order. A cart without an id is not stored."""

    lines: tuple[CartLine, ...] = ()
    cart_id: str | None = None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line of an order, at the price of the moment it was placed."""

    product_id: str
    quantity: int
    unit_price: Decimal
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is stored; `total` is the sum of its lines."""

    order_id: int
    order_key: str
    customer_id: int
    status: str
    total: Decimal
    ordered_at: dt.datetime
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class BestSeller:
    """A product and its sales: orders, pieces and revenue."""

    product_id: str
    name: str
    orders: int
    quantity: int
    revenue: Decimal
