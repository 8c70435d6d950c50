"""From a batch of queue messages to the records that the gate validates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from typing import BinaryIO

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.records import Records, no_records, numbered, parse_records, readable
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.parquet import read_columns
from analytics_platform.sources.ecommerce_events.decode import COLUMNS, RULES, decode_message
from analytics_platform.sources.source import Format


class Messages(Format):
    """Messages of a queue in a Parquet file."""

    reasons = RULES

    def read(
        self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Collection[int] | None
    ) -> Iterator[Records]:
        """Parse the messages."""
        return read_messages(stream, only)


def read_messages(stream: BinaryIO, only: Collection[int] | None = None) -> Iterator[Records]:
    """Parse the messages of a batch, by their place from 1; with `only`, those at these places."""
    messages = numbered(read_columns(stream, "body", "sent_at"), only)
    yield no_records()
    yield from parse_records(messages, (*COLUMNS, "sent_at"), _parse, lambda message: readable(message[0].encode()))


def _parse(message: tuple[str, dt.datetime | None]) -> list[str | None]:
    body, sent_at = message
    return [*decode_message(body).values(), sent_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if sent_at else None]
