"""Contracts of the star schema about pages."""

from __future__ import annotations

from analytics_platform.contracts.base import Contract, Instant, Text, Whole, column
from analytics_platform.contracts.star import UNKNOWN


class DimPage(Contract, table="star.dim_page", key="page_key", write="upsert"):
    """One row per page that events ever named: host and path, with its latest title.

    A relative address has no host: its page is another one than that of the same path on a host.
    """

    page_key: Whole = column("Hash of host and path. " + UNKNOWN)
    host: Text = column("Host, lower case; missing for a relative address.", nullable=True)
    path: Text = column("Path without query and fragment.")
    title: Text = column("Latest title that events name.", nullable=True)
    first_seen_at: Instant = column("First event on it.", nullable=True)
    last_seen_at: Instant = column("Last event on it.", nullable=True)
