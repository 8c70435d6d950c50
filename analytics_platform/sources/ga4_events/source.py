"""Rows of GA4's BigQuery export, dropped into the landing folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.contracts.base import ContractType, Text, column
from analytics_platform.gate import Records
from analytics_platform.gate.json_rows import read_object, read_objects
from analytics_platform.gate.layout import usual_names
from analytics_platform.gate.parquet_rows import open_parquet, plain_schema, read_parquet_rows, read_parts
from analytics_platform.gate.records import Positions, no_records, parse_records
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.files import LandingFolder
from analytics_platform.sources.ecommerce_events.decode import COLUMNS, FIELD_RULES, decode_fields
from analytics_platform.sources.ecommerce_events.source import ORDERS, ProductEvents
from analytics_platform.sources.formats import JsonLines, Parquet
from analytics_platform.sources.source import Edits, Format, Source


class Ga4Events(ProductEvents, table="cleaned.ga4_events", source="ga4_events"):
    """One row per distinct row of GA4's BigQuery export that kept every rule: what did it say?

    A row and a message of the queue that says the same give the same event: both are decoded by the same code.
    """

    client_id: Text = column("The browser or app instance.", source="user_pseudo_id", required=True)


class ExportRows(Format):
    """Rows of the export, as JSON lines or in Parquet."""

    suffixes = (*JsonLines.suffixes, *Parquet.suffixes)
    reasons = (*JsonLines.reasons, *Parquet.reasons, *FIELD_RULES)

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Decode the rows."""
        if not Parquet().takes(batch.path.name):
            yield from read_objects(stream, COLUMNS, _values, only)
            return
        for some in read_parquet_rows(stream, contract, only):
            rows = zip(some.positions.tolist(), some.raws(np.arange(len(some.positions))), strict=True)
            yield replace(no_records(), malformed=some.malformed)
            yield from parse_records(rows, COLUMNS, lambda text: _values(read_object(text)), str)

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Leave rows out, or only what is to stay of them. In Parquet that is in event_params, as text."""
        if not Parquet().takes(batch.path.name):
            JsonLines().edit(batch, contract, edits, out)
            return
        first, names = 1, usual_names(contract)
        with batch.open() as packed:
            file, stream, _ = open_parquet(packed, contract)
            with pq.ParquetWriter(out, plain_schema(file), compression="zstd") as writer:
                for part in read_parts(file, stream):
                    rows = [*_rest(part.to_pylist(), first, edits, names)]
                    writer.write_table(pa.Table.from_pylist(rows, schema=part.schema))
                    first += part.num_rows

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` as the format of its name does."""
        (Parquet() if Parquet().takes(path.name) else JsonLines()).check(path, contract)


def _rest(
    rows: Sequence[dict[str, object]], first: int, edits: Edits, names: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    for place, row in enumerate(rows, first):
        if place not in edits:
            yield row
        elif (values := edits[place].values) is not None:
            kept = {"event_timestamp": row["event_timestamp"], "event_name": row["event_name"]}
            kept["user_pseudo_id"] = values["client_id"]
            texts = ((names[column], text) for column, text in values.items() if names[column] not in kept)
            yield {**kept, "event_params": [{"key": x, "value": {"string_value": y}} for x, y in texts]}


def _values(row: dict[str, object]) -> Sequence[str | None]:
    return list(decode_fields(row).values())


SOURCE = Source(Ga4Events, LandingFolder(), ExportRows(), ORDERS)
