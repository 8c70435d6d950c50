"""What Delta's log says of a file is true of its rows, so that no reader leaves out a file that it needs."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.warehouse.delta.statistics import file_statistics

SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("key", pa.int64()),
        ("text", pa.string()),
        ("amount", pa.decimal128(18, 4)),
        ("flag", pa.bool_()),
    ]
)
TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))
KEYS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.fixed_dictionaries(
    {
        "day": st.none() | st.dates(),
        "at": st.none() | TIMES,
        "key": st.none() | KEYS,
        "text": st.none() | st.text(max_size=3),
        "amount": st.none() | st.just(Decimal(1)),
        "flag": st.none() | st.booleans(),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, min_size=1, max_size=8))
def test_bounds_and_nulls_of_a_file_are_those_of_its_rows(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "rows.parquet", row_group_size=2)
    found = json.loads(file_statistics(pq.read_metadata(tmp_path / "rows.parquet")))

    assert found["numRecords"] == len(rows)
    assert found["nullCount"] == {name: sum(row[name] is None for row in rows) for name in SCHEMA.names}
    known = {name: [row[name] for row in rows if row[name] is not None] for name in ("day", "at", "key")}
    for bounds, of in (("minValues", min), ("maxValues", max)):
        expected = {name: of(values) for name, values in known.items() if values}
        parsed = {
            name: value if isinstance(value, int) else type(expected[name]).fromisoformat(value)
            for name, value in found[bounds].items()
        }
        assert parsed == expected
