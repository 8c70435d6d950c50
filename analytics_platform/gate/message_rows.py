"""From a batch of queue messages to the records that the gate judges.

A batch is one Parquet file as `encode_messages` writes it: readable as it lies by Athena, Spark or DuckDB.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.layout import usual_names
from analytics_platform.gate.messages import MessageError, decode_message
from analytics_platform.gate.records import Records, malformed_frame, no_records, readable

MESSAGE_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("sent_at", pa.timestamp("us", "UTC")),
        pa.field("receive_count", pa.int64()),
        pa.field("attributes", pa.string()),
    ]
)
"""A raw message: its id on the queue, its whole text, when it was sent, how often received, attributes as JSON."""

MESSAGES_AT_A_TIME = 50_000


def encode_messages(rows: Iterable[Mapping[str, object]]) -> bytes:
    """Messages, as rows with the columns of `MESSAGE_SCHEMA`, as the bytes of one Parquet file.

    Half of a surrogate pair, which UTF-8 cannot write, becomes \\xNN: one hostile message must not hold up the others.
    """
    whole = [{**row, "body": _writable(str(row["body"]))} for row in rows]
    table = pa.Table.from_pylist(whole, schema=MESSAGE_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


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


def _writable(body: str) -> str:
    return body.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="backslashreplace")


def _safe(body: str) -> str:
    """The text of a message as a database can store it."""
    return readable(body.encode())
