"""Rows of the shop's database for tests, and their way into a platform without the database."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from analytics_platform.sources.arrivals.tables import SUFFIX
from analytics_platform.sources.registry import SOURCES
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import Platform

ShopRow: TypeAlias = Mapping[str, object]


def customer(number: object, updated_at: dt.datetime, name: str = "Ada", **columns: object) -> ShopRow:
    row = {"customer_id": number, "email": f"c{number}@mail.example", "name": name, "city": "Köln"}
    return row | {"created_at": updated_at, "updated_at": updated_at} | columns


def product(name: str, updated_at: dt.datetime, price: str = "5", **columns: object) -> ShopRow:
    row = {"product_id": name, "name": f"Shop's {name}", "category": "Food", "price": Decimal(price), "stock": 3}
    return row | {"metadata": {"brand": "B"}, "created_at": updated_at, "updated_at": updated_at} | columns


def order(number: int, key: str, customer_id: int, at: dt.datetime, total: str = "5", **columns: object) -> ShopRow:
    row = {"order_id": number, "order_key": key, "customer_id": customer_id, "status": "placed"}
    return row | {"total": Decimal(total), "ordered_at": at, "updated_at": at} | columns


def line(number: int, place: int, product_id: str, at: dt.datetime, price: str = "5", **columns: object) -> ShopRow:
    row = {"order_id": number, "line": place, "product_id": product_id, "quantity": 1, "unit_price": Decimal(price)}
    return row | {"updated_at": at, "variant": None, "ordered_at": at} | columns


def _as_json(row: ShopRow) -> str:
    """The row as PostgreSQL writes it: amounts are numbers with four decimals."""
    plain = {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in row.items()}
    parts = (
        f"{json.dumps(name)}:{value:.4f}" if isinstance(value, Decimal) else f"{json.dumps(name)}:{json.dumps(value)}"
        for name, value in plain.items()
    )
    return "{" + ",".join(parts) + "}"


def load_shop(platform: Platform, session: Session, source: str, rows: Sequence[ShopRow]) -> list[str]:
    """Put rows into the lake as one batch, as reading the table does, and load it: the ids of the new batches."""
    content = "".join(f"{_as_json(row)}\n" for row in rows).encode()
    platform.lake.put_bytes(source, f"shop.{source}", SUFFIX, content)
    loaded = load_new_batches(SOURCES[source], session, platform.settings, platform.lake, run_id="test")
    return [batch.batch_id for batch, _ in loaded]
