"""Processes that buy from one shop at once, and may be killed at any boundary.

A boundary is a statement sent to the database, a commit, or a command to the carts or the cache.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from typing import Any

import psycopg
import pymongo.collection
import redis

from analytics_platform.settings import load_settings
from analytics_platform.shop.domain import Cart, CartLine
from analytics_platform.shop.errors import OutOfStockError
from analytics_platform.shop.service import open_shop
from analytics_platform_tests.reliability.victim import Fuse
from analytics_platform_tests.shop.kit import LAMP

BOUNDARIES = (
    (psycopg.Connection, "execute"),
    (psycopg.Connection, "commit"),
    (pymongo.collection.Collection, "replace_one"),
    (pymongo.collection.Collection, "find_one"),
    (redis.Redis, "delete"),
)


def light(fuse: Fuse) -> None:
    """Put the fuse into this process: for good, since the process is its own."""
    for owner, name in BOUNDARIES:
        setattr(owner, name, _fused(getattr(owner, name), fuse))


def _fused(method: Callable[..., Any], fuse: Fuse) -> Callable[..., Any]:
    def fused(*arguments: Any, **options: Any) -> Any:
        fuse.burn()
        result = method(*arguments, **options)
        fuse.burn()
        return result

    return fused


def buy(settings: dict[str, str], customer: int, keys: Sequence[str], with_cart: bool, fuse: int | None) -> None:
    """Entry point: order one lamp per key. A rejected order is fine; anything else ends the process with an error."""
    burning = Fuse(fuse)
    light(burning)
    with open_shop(load_settings(**settings)) as shop:
        for key in keys:
            cart = Cart((CartLine(LAMP, 1),))
            if with_cart:
                cart = Cart(shop.carts.add(f"customer:{customer}", CartLine(LAMP, 1)).lines[:1], f"customer:{customer}")
            try:
                shop.place_order(cart, customer, key)
            except OutOfStockError:
                continue


def start_buyer(*arguments: object) -> ForkServerProcess:
    """Start a process that buys."""
    context = multiprocessing.get_context("forkserver")
    child = context.Process(target=buy, args=arguments)
    child.start()
    return child
