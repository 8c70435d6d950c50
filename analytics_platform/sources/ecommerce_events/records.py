"""From a batch of queue messages to the records that the gate validates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import BinaryIO

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.records import Positions, Records, no_records, numbered, parse_records
from analytics_platform.gate.types import readable
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.parquet import read_columns
from analytics_platform.sources.ecommerce_events.decode import COLUMNS, RULES, decode_message
from analytics_platform.sources.source import Format


class Messages(Format):
    """Messages of a queue in a Parquet file."""

    reasons = RULES

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the messages."""
        return read_messages(stream, only)


def read_messages(stream: BinaryIO, only: Positions = None) -> Iterator[Records]:
    """Parse the messages of a batch, by their place from 1; with `only`, those at these places."""

    def parse(message: tuple[str, dt.datetime | None]) -> list[str | None]:
        body, sent_at = message
        return [*decode_message(body).values(), sent_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if sent_at else None]

    yield no_records()
    messages = numbered(read_columns(stream, "body", "sent_at"), only)
    yield from parse_records(messages, (*COLUMNS, "sent_at"), parse, lambda message: readable(message[0].encode()))
