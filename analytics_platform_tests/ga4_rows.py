"""Rows of GA4's BigQuery export for tests."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def ga4_row(client: str, at: str, name: str = "page_view", *, params: Mapping[str, object] = {}, **fields: Any) -> str:
    """One row as BigQuery writes it in JSON: integers are strings, what is null may be left out."""
    micros = int(dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC).timestamp() * 1_000_000)
    listed = [{"key": key, "value": _typed(value)} for key, value in params.items()]
    row = {"event_timestamp": str(micros), "event_name": name, "user_pseudo_id": client, "event_params": listed}
    return json.dumps(row | fields)


def _typed(value: object) -> dict[str, object]:
    if isinstance(value, int):
        return {"int_value": str(value)}
    return {"double_value": value} if isinstance(value, float) else {"string_value": value}


def as_parquet(rows: Sequence[str]) -> bytes:
    """The rows in Parquet as BigQuery writes them: integers are numbers, lists and structs stay."""
    read = [json.loads(row) for row in rows]
    for row in read:
        row["event_timestamp"] = int(row["event_timestamp"])
        for param in row["event_params"]:
            param["value"] |= {"int_value": int(whole)} if (whole := param["value"].get("int_value")) else {}
    out = io.BytesIO()
    pq.write_table(
        pa.table({name: [row.get(name) for row in read] for name in dict.fromkeys(x for row in read for x in row)}), out
    )
    return out.getvalue()
