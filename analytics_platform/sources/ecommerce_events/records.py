"""From a batch of queue messages to the records that the gate validates."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.layout import usual_names
from analytics_platform.gate.records import Positions, Records, no_records, numbered, parse_records
from analytics_platform.gate.types import readable
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.parquet import encode_table, read_columns
from analytics_platform.sources.ecommerce_events.decode import COLUMNS, RULES, decode_message
from analytics_platform.sources.source import Edits, Format


class Messages(Format):
    """Messages of a queue in a Parquet file."""

    reasons = RULES

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the messages."""
        return read_messages(stream, only)

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Leave messages out, or only what is to stay of their body."""
        names, rows = {**usual_names(contract), "client_id": "client_id"}, []
        with batch.open() as stream:
            table = pq.ParquetFile(stream).read()
        for place, row in enumerate(table.to_pylist(), 1):
            if place not in edits:
                rows.append(row)
            elif (values := edits[place].values) is not None:
                kept = {names[column]: text for column, text in values.items()}
                kept |= {"items": json.loads(kept["items"])} if "items" in kept else {}
                rows.append(row | {"message_id": "", "body": json.dumps(kept), "attributes": "{}"})
        out.write(encode_table(pa.Table.from_pylist(rows, schema=table.schema)))


def read_messages(stream: BinaryIO, only: Positions = None) -> Iterator[Records]:
    """Parse the messages of a batch, by their place from 1; with `only`, those at these places."""

    def parse(message: tuple[str, dt.datetime | None]) -> list[str | None]:
        body, sent_at = message
        return [*decode_message(body).values(), sent_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if sent_at else None]

    yield no_records()
    messages = numbered(read_columns(stream, "body", "sent_at"), only)
    yield from parse_records(messages, (*COLUMNS, "sent_at"), parse, lambda message: readable(message[0].encode()))
