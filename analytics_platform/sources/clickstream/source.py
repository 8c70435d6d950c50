"""CSV exports of the web shop's clickstream, dropped into the landing folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import polars as pl

from analytics_platform.contracts.base import ContractType, Instant, SourceRows, Text, column
from analytics_platform.gate import Records
from analytics_platform.gate.records import Positions
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.files import LandingFolder
from analytics_platform.sources.ecommerce_events.trackers import REWRITTEN, plain_data
from analytics_platform.sources.formats import Csv
from analytics_platform.sources.source import OrderRecords, Source


class Clickstream(SourceRows, table="cleaned.clickstream", source="clickstream"):
    """One row per distinct event of the CSV clickstream exports that kept every rule: what did it say?

    Rows that broke a rule are in ops.quarantine. Duplicates are counted in ops.pipeline_logs.
    """

    event_id: Text = column("MD5 of own id, client, name and time; without an own id, of the content.", random=True)
    source_event_id: Text = column("The export's own id, if any.", nullable=True, source="event_id", own_id=True)
    client_id: Text = column("The browser or device.", source=("client_id", "clientId"), required=True, random=True)
    user_id: Text = column("The signed-in user, where the export has it.", nullable=True, source="user_id")
    page_url: Text = column("Address of the page.", nullable=True, source="page_url", required=True)
    referrer: Text = column("Address the visitor came from.", nullable=True, source="referrer", usual=True)
    event_at: Instant = column("When it happened. A time without zone is UTC.", source="timestamp", required=True)
    event_name: Text = column("The name the tracker gave, untouched.", source="event_name", required=True)
    event_data: Text = column(
        "What it carries.",
        nullable=True,
        source="event_data",
        required=True,
        json=True,
        # Not `value`: that of a click or of a video may be a word.
        amounts=("revenue", "items[].price", "items[].item_price", "items[].quantity"),
        orders={},
    )
    user_agent: Text = column("The browser's own description.", nullable=True, source="user_agent", required=True)
    received_at: Instant = column("When the collector got it.", nullable=True, source="received_at", delivery=True)


class ClickstreamCsv(Csv):
    """CSV whose `event_data` may hold the body of a tracker's event, in any spelling: it is read as in messages."""

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the lines behind the header."""
        for some in super().read(batch, stream, contract, only):
            if "event_data" in some.values.columns:
                data = some.values["event_data"]
                rows = data.str.contains(REWRITTEN).arg_true()
                if len(rows):
                    read = pl.Series(map(plain_data, data.gather(rows)), dtype=pl.String)
                    some = replace(some, values=some.values.with_columns(data.scatter(rows, read)))
            yield some


_ORDERS = OrderRecords(("event_at", "event_name", "event_data"), ("purchase", "refund"))
SOURCE = Source(Clickstream, LandingFolder(), ClickstreamCsv(), _ORDERS)
