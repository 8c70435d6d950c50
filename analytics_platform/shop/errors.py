"""What can go wrong in the shop, as types: each message is one sentence that says what to do."""

from __future__ import annotations


class ShopError(Exception):
    """Something the shop cannot do; the message says why."""


class ShopUnavailableError(ShopError):
    """The shop's database, carts or cache cannot be reached."""
