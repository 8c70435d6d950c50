"""From a batch of queue messages to the records that the gate validates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.layout import usual_names
from analytics_platform.gate.records import Records, malformed_frame, no_records, readable
from analytics_platform.lake import Batch
from analytics_platform.sources.ecommerce_events.decode import RULES, decode_message
from analytics_platform.sources.ecommerce_events.envelope import MessageError
from analytics_platform.sources.source import Format

MESSAGES_AT_A_TIME = 50_000


class Messages(Format):
    """Messages of a queue in a Parquet file."""

    reasons = RULES

    def read(
        self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Collection[int] | None
    ) -> Iterator[Records]:
        """Parse the messages."""
        return read_messages(stream, contract, only)


def read_messages(stream: BinaryIO, contract: ContractType, only: Collection[int] | None = None) -> Iterator[Records]:
    """The messages of a batch, by their place from 1; with `only`, those at these places."""
    yield no_records()
    first = 1
    with pq.ParquetFile(stream) as file:
        for part in file.iter_batches(MESSAGES_AT_A_TIME, columns=["body", "sent_at"]):
            places = np.arange(first, first + part.num_rows, dtype=np.int64)
            first += part.num_rows
            bodies, sent = part["body"].to_pylist(), pl.Series(pl.from_arrow(part["sent_at"]))
            wanted = np.arange(len(places)) if only is None else np.flatnonzero(np.isin(places, list(only)))
            yield _decode(bodies, sent, places, wanted.tolist(), list(usual_names(contract)))


def _decode(
    bodies: Sequence[str], sent: pl.Series, places: NDArray[np.int64], wanted: Sequence[int], names: Sequence[str]
) -> Records:
    """The messages at the indices `wanted`, taken apart."""
    good: list[int] = []
    rows: list[tuple[str | None, ...]] = []
    malformed: list[tuple[int, str, str]] = []
    fields = [name for name in names if name != "sent_at"] + ["extra"]
    for index in wanted:
        try:
            message = decode_message(bodies[index])
        except MessageError as error:
            malformed.append((int(places[index]), _safe(bodies[index]), _reason(error)))
        else:
            good.append(index)
            rows.append(tuple(getattr(message, field) for field in fields))
    values = pl.DataFrame(rows, schema=dict.fromkeys(fields, pl.String), orient="row")
    when = sent.gather(good).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias("sent_at")
    return Records(
        values=values.with_columns(when),
        positions=places[good],
        raws=lambda rows: [_safe(bodies[good[row]]) for row in rows],
        malformed=malformed_frame(malformed),
    )


def _reason(error: MessageError) -> str:
    """The rule, and what the parser found: `items: cannot be parsed (position 42: …)`."""
    detail = error.detail.replace(";", ",")
    return f"{error.rule} ({detail})" if detail else error.rule


def _safe(body: str) -> str:
    """The text of a message as a database can store it."""
    return readable(body.encode())
