"""The address of a MongoDB server as it may be shown; apart from the driver, which takes long to import."""

from __future__ import annotations


def address_of(uri: str) -> str:
    """Return scheme and hosts of a connection string, without the user, the password and the options."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return "the given address"
    hosts = rest.rpartition("@")[2].partition("/")[0].partition("?")[0]
    return f"{scheme}://{hosts}"
