"""The same records in every form of file that a source may declare."""

from __future__ import annotations

import base64
import codecs
import datetime as dt
import gzip
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.contracts.base import Instant, Money, SourceRows, Text, Whole, column
from analytics_platform.lake import Batch
from analytics_platform.sources.arrivals.files import LandingFolder, find_unreadable, land_files
from analytics_platform.sources.formats import Csv, JsonLines, Parquet
from analytics_platform.sources.source import Format, Source
from analytics_platform_tests.kit import Platform, open_platform


class Visits(
    SourceRows,
    table="cleaned.visits",
    source="visits",
    key=("visit_id",),
    write="batches",
    partition="event_date",
):
    """One row per visit."""

    visit_id: Text = column("MD5 of the content.", random=True)
    event_at: Instant = column("When.", source=("time", "at"), required=True)
    name: Text = column("Who.", nullable=True, source=("name",), required=True)
    amount: Money = column("How much.", nullable=True, source=("amount",))
    pieces: Whole = column("How many.", nullable=True, source=("pieces",))
    tags: Text = column("Which.", nullable=True, source=("tags",), json=True)


HEADER = ("time", "name", "amount", "pieces", "tags", "other")
ROWS = [
    ("2026-03-01T10:00:00Z", "Zoë", "1.50", "2", '["a","b"]', "x"),
    ("2026-03-01T11:00:00Z", "Öl; Essig, Salz", None, None, None, None),
    ("not a time", "late", "3", "1", None, None),
]


def _csv(delimiter: str, encoding: str) -> bytes:
    quoted = lambda value: "" if value is None else '"' + value.replace('"', '""') + '"'  # noqa: E731
    lines = [delimiter.join(map(quoted, row)) for row in (HEADER, *ROWS)]
    return "".join(f"{line}\r\n" for line in lines).encode(encoding)


def _json_lines() -> bytes:
    rows = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    for row in rows:
        row["tags"] = row["tags"] and json.loads(row["tags"])
        row["pieces"] = row["pieces"] and int(row["pieces"])
    return "".join(f"{json.dumps({k: v for k, v in row.items() if v is not None})}\n\n" for row in rows).encode()


def _parquet() -> bytes:
    frame = pl.DataFrame(ROWS, schema=list(HEADER), orient="row").with_columns(
        pl.col("amount").cast(pl.Float64),
        pl.col("pieces").cast(pl.Float64),
        pl.col("tags").str.json_decode(pl.List(pl.String)),
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


BATCH = Batch("b", "visits", "a.csv", "0", Path("a.csv"), dt.datetime(2026, 3, 2, tzinfo=dt.UTC), 0)

FORMS: list[tuple[str, Format, bytes]] = [
    ("a.csv", Csv(), _csv(",", "utf-8")),
    ("a.CSV.gz", Csv(), gzip.compress(_csv(",", "utf-8-sig"))),
    ("b.csv", Csv(delimiter=";", encoding="cp1252"), _csv(";", "cp1252")),
    ("c.csv", Csv(delimiter="\t", encoding="utf-16"), _csv("\t", "utf-16")),
    ("d.csv", Csv(delimiter="|"), _csv("|", "utf-8")),
    ("e.jsonl", JsonLines(), _json_lines()),
    ("e2.jsonl", JsonLines(), _json_lines().replace(b'"time"', b'"Time"').replace(b'"amount"', b'"A-mount"')),
    ("e.ndjson.gz", JsonLines(), gzip.compress(_json_lines())),
    ("f.parquet", Parquet(), _parquet()),
    ("f.parquet.gz", Parquet(), gzip.compress(_parquet())),
]


def _land(folder: Path, name: str, form: Format, content: bytes) -> tuple[Platform, Source]:
    platform, source = open_platform(folder), Source(Visits, LandingFolder(), form)
    (platform.settings.landing_dir / "visits").mkdir(parents=True)
    (platform.settings.landing_dir / "visits" / name).write_bytes(content)
    return platform, source


@pytest.mark.parametrize(("name", "form", "content"), FORMS, ids=[name for name, _, _ in FORMS])
def test_the_same_records_are_read_from_every_form(tmp_path: Path, name: str, form: Format, content: bytes) -> None:
    platform, source = _land(tmp_path, name, form, content)

    (batch,) = land_files(source, platform.settings, platform.lake).batches
    verdicts = list(source.validate(batch, platform.settings))

    accepted = pl.concat([verdict.accepted for verdict in verdicts])
    assert accepted.select("name", pl.col("amount").cast(pl.String), "pieces").rows() == [
        ("Zoë", "1.5000", 2),
        ("Öl; Essig, Salz", None, None),
    ]
    assert json.loads(accepted["tags"][0]) == ["a", "b"] and json.loads(accepted["extra"][0]) == {"other": "x"}
    rejected = pl.concat([verdict.rejected for verdict in verdicts])
    assert rejected["error_reason"].to_list() == ["time: not a time"]
    assert "not a time" in rejected["raw"][0]
    again = [verdict.rejected for verdict in source.validate(batch, platform.settings, rejected["position"].to_list())]
    assert pl.concat(again)["raw"].to_list() == rejected["raw"].to_list()


def _table(**columns: pa.Array) -> bytes:
    """A Parquet file with these columns, and the required ones of `Visits` that are not among them."""
    rows = len(next(iter(columns.values())))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"time": ["2026-03-01T10:00:00Z"] * rows, "name": ["n"] * rows} | columns), buffer)
    return buffer.getvalue()


def test_a_field_of_a_nested_column_that_is_always_null_is_null(tmp_path: Path) -> None:
    kind = pa.list_(
        pa.struct([("key", pa.string()), ("value", pa.struct([("text", pa.string()), ("null", pa.null())]))])
    )
    params = [{"key": f"k{place}", "value": {"text": "t", "null": None}} for place in range(7)]
    content = _table(params=pa.array([params[:5], params[5:]], kind))
    platform, source = _land(tmp_path, "a.parquet", Parquet(), content)
    (batch,) = land_files(source, platform.settings, platform.lake).batches
    extra = pl.concat([verdict.accepted for verdict in source.validate(batch, platform.settings)])["extra"]
    assert [json.loads(text)["params"] for text in extra] == [params[:5], params[5:]]


def _nested(levels: int) -> pa.Array:
    column: pa.Array = pa.array([1])
    for _ in range(levels):
        column = pa.StructArray.from_arrays([column], ["inner"])
    return column


class _NoKms(encryption.KmsClient):
    """Wraps keys by writing them down."""

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)


def _encrypted(*, whole: bool) -> bytes:
    """A file with an encrypted column, of which the footer is encrypted too if it is to be `whole`."""
    factory = encryption.CryptoFactory(lambda config: _NoKms())
    wanted = encryption.EncryptionConfiguration("key", column_keys={"key": ["name"]}, plaintext_footer=not whole)
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), wanted)
    stream = io.BytesIO()
    table = pa.table({"time": ["2026-03-01T10:00:00Z"], "name": ["Zoe"]})
    pq.write_table(table, stream, encryption_properties=properties)
    return stream.getvalue()


def _damaged(content: bytes) -> bytes:
    """The file with a stretch of its pages overwritten; its footer is whole."""
    return content[:200] + bytes(60) + content[260:]


UTF8 = "amount;time;name\n1;2026-03-01T10:00:00Z;Zoë €\n"
MARKED = "amount,time,name\n1,2026-03-01T10:00:00Z,Zoe\n".encode("utf-8-sig")
LINES = [{"time": "2026-03-01T10:00:00Z", "name": name} for name in "abc"]

OTHER_FORMS: list[tuple[str, Format, bytes, str]] = [
    ("a.csv", Csv(), _csv(";", "utf-8"), "separated by ';', not ',': declare Csv(delimiter=';')"),
    ("a.csv", Csv(delimiter=";"), _csv(",", "utf-8"), "declare Csv()"),
    ("a.csv", Csv(), _csv(",", "utf-16"), "encoded as UTF-16: declare Csv(encoding='utf-16')"),
    ("a.csv", Csv(), _csv(";", "utf-16"), "declare Csv(delimiter=';', encoding='utf-16')"),
    ("a.csv", Csv(), _csv(",", "utf-16-le"), "declare Csv(encoding='utf-16-le')"),
    ("a.csv", Csv(delimiter=";", encoding="cp1252"), UTF8.encode(), "encoded as UTF-8: declare Csv(delimiter=';')"),
    ("a.csv.gz", Csv(encoding="latin-1"), gzip.compress(UTF8.encode()), "encoded as UTF-8 and its columns are"),
    ("a.csv", Csv(encoding="cp1252"), MARKED, "encoded as UTF-8: declare Csv()"),
    ("a.csv", Csv(encoding="gbk"), MARKED, "encoded as UTF-8: declare Csv()"),
    ("a.csv", Csv(encoding="utf-16"), _csv(",", "utf-8"), "encoded as UTF-8: declare Csv()"),
    ("a.csv", Csv(encoding="utf-16"), _csv(",", "utf-16") + b"x", "not encoded as utf-16"),
    ("a.csv", Csv(), b"time,who\n", "required column name missing"),
    ("a.csv", Csv(), "time,naïve\n".encode("cp1252"), "not UTF-8"),
    ("a.csv", Csv(encoding="cp1252"), b"time,na\x81ve\n", "not cp1252"),
    ("a.csv", Csv(), b"time,name\r2026-03-01,Zoe\r", "a CR without LF"),
    ("a.csv", Csv(encoding="utf-16"), "time,name\r2026-03-01,Zoe\r".encode("utf-16"), "a CR without LF"),
    ("a.json", JsonLines(), json.dumps(LINES).encode("utf-8-sig"), "one JSON array: write a line per object with `jq"),
    ("a.json", JsonLines(), json.dumps(LINES, indent=1).encode(), "one JSON array"),
    ("a.json", JsonLines(), b"null", "it holds JSON and no object: export it as a JSON object per line"),
    ("a.json", JsonLines(), b'3\n"a \\" b"\n true\n', "it holds JSON and no object"),
    ("a.json", JsonLines(), b"nothing", "it holds no JSON: export it as a JSON object per line"),
    ("a.json", JsonLines(), b"[" + b",\n".join(json.dumps(line).encode() for line in LINES) + b"]", "one JSON array"),
    ("a.json", JsonLines(), json.dumps(LINES[0], indent=1).encode(), "objects go over several lines"),
    ("a.json", JsonLines(), "\r".join(map(json.dumps, LINES)).encode(), "end with CR only"),
    ("a.json", JsonLines(), _json_lines().decode().encode("utf-16"), "encoded as UTF-16"),
    ("a.json", JsonLines(), _json_lines().decode().encode("utf-32"), "encoded as UTF-32"),
    ("a.parquet", Parquet(), b"PAR1 and no more", "not a Parquet file"),
    ("a.parquet", Parquet(), _damaged(_table(name=pa.array(map(str, range(5000))))), "it is damaged"),
    ("a.parquet.gz", Parquet(), gzip.compress(_damaged(_table(name=pa.array(map(str, range(5000)))))), "it is damaged"),
    ("a.parquet.gz", Parquet(), gzip.compress(_parquet())[:-9], "cannot be decompressed"),
    ("a.parquet", Parquet(), _table(name=pa.array([b"\xff"])), "column name has the type binary"),
    ("a.parquet", Parquet(), _table(tags=pa.array([[b"a"]])), "column tags has the type list"),
    ("a.parquet", Parquet(), _table(half=pa.array([1.5], pa.float16())), "column half has the type halffloat"),
    ("a.parquet", Parquet(), _table(Name=pa.array(["a"])), "more than one column 'name'"),
    ("a.parquet", Parquet(), _table(**{"a\0b": pa.array(["a"])}), "a column with a NUL byte in its name"),
    ("a.parquet", Parquet(), _table(**{"": pa.array(["a"])}), "or without a name; export it with others"),
    ("a.parquet", Parquet(), _table(odd=pa.array([1])).replace(b"odd", b"\xff\xff\xff"), "whose name is not UTF-8"),
    ("a.parquet", Parquet(), _table(deep=_nested(120)), "nested in more than 100 levels"),
    ("a.parquet", Parquet(), _encrypted(whole=True), "it is encrypted; export it without encryption"),
    # Arrow ends the process when it is asked for the size of such a column.
    ("a.parquet", Parquet(), _encrypted(whole=False), "it is encrypted"),
]


@pytest.mark.parametrize(("name", "form", "content", "words"), OTHER_FORMS, ids=[case[3] for case in OTHER_FORMS])
def test_a_file_in_another_form_is_rejected_with_what_to_declare(
    tmp_path: Path, name: str, form: Format, content: bytes, words: str
) -> None:
    platform, source = _land(tmp_path, name, form, content)
    (reason,) = find_unreadable(source, platform.settings, platform.lake).values()
    assert words in reason and "\n" not in reason
    assert not land_files(source, platform.settings, platform.lake).batches
    if declared := re.search(r"declare Csv\((.*?)\) in", reason):
        other = replace(source, format=Csv(**dict(re.findall(r"(\w+)='(.*?)'", declared[1]))))
        (batch,) = land_files(other, platform.settings, platform.lake).batches
        assert sum(verdict.accepted.height for verdict in other.validate(batch, platform.settings))


NOT_AMOUNTS = ["1.2.3", "1,2,3", "12,34,56", "free", "--5", "0x10", "٣", "Infinity", "99999999999", "10 EUR", "$5"]
ROWS_OF_LINES = b"".join(
    b'{"time": "2026-03-01T10:00:00Z", "name": "%s"}%s' % row
    for row in ((b"a", b"\r\n"), (b"b", b" [\n"), (b"c" * (17 << 20), b"\n"), (b"d", b"\n"), (b"e\0", b""))
)
VALUES: list[tuple[str, Format, bytes, list[object], list[object]]] = [
    ("a.csv", Csv(encoding="cp1252"), b"time,name\n2026-03-01,\x80\n2026-03-01,\x81\n", ["€"], ["record: not cp1252"]),
    ("a.csv", Csv(encoding="gbk"), "time,name\n2026-03-01,联通\n".encode("gbk"), ["联通"], []),
    ("a.csv", Csv(encoding="utf-8-sig"), MARKED, ["Zoe"], []),
    ("a.csv", Csv(encoding="cp1252"), b"time,name\n2026-03-01,Zoe\n", ["Zoe"], []),
    (
        "a.csv",
        Csv(delimiter=";"),
        "\n".join(["time;name;amount", *(f"2026-03-01;n;{text}" for text in NOT_AMOUNTS)]).encode(),
        [],
        ["amount: not an amount"] * len(NOT_AMOUNTS),
    ),
    (
        "a.json",
        JsonLines(),
        codecs.BOM_UTF8 + ROWS_OF_LINES,
        ["a", "d"],
        ["record: not JSON", "record: too large", "record: not JSON"],
    ),
    ("a.json", JsonLines(), b'[1]\n{"time": "2026-03-01", "name": "a"}\n', ["a"], ["record: not an object"]),
    ("a.parquet", Parquet(), _table(name=pa.array([1.0, 1.5, math.nan, None])), ["1", "1.5", None, None], []),
    ("a.parquet", Parquet(), _table(amount=pa.array([math.nan, math.inf])), ["n"], ["amount: not an amount"]),
    (
        "a.parquet",
        Parquet(),
        _table(name=pa.array([{"a": [math.nan, -math.inf], "b": 'NaN "NaN'}, None])),
        ['{"a":[null,"-Infinity"],"b":"NaN \\"NaN"}', None],
        [],
    ),
    ("a.parquet", Parquet(), _table(name=pa.array(["a\0b", "c"])), ["c"], ["record: NUL byte"]),
    ("a.parquet", Parquet(), _table(other=pa.array([b"\xff"])), ["n"], []),
]


@pytest.mark.parametrize(("name", "form", "content", "names", "reasons"), VALUES, ids=map(str, range(len(VALUES))))
def test_what_is_no_value_is_missing_or_rejected_and_never_becomes_text(
    tmp_path: Path, name: str, form: Format, content: bytes, names: list[object], reasons: list[object]
) -> None:
    platform, source = _land(tmp_path, name, form, content)
    (batch,) = land_files(source, platform.settings, platform.lake).batches
    verdicts = list(source.validate(batch, platform.settings))
    assert pl.concat([verdict.accepted for verdict in verdicts])["name"].to_list() == names
    assert pl.concat([verdict.rejected for verdict in verdicts])["error_reason"].to_list() == reasons
    assert set(reasons) <= set(source.reasons)


@pytest.mark.parametrize("wrong", [{"delimiter": ""}, {"delimiter": '"'}, {"delimiter": "é"}, {"encoding": "klingon"}])
def test_a_declaration_that_cannot_be_used_is_an_error_where_it_stands(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Csv(**wrong)


def test_of_the_names_of_a_column_the_first_with_a_value_is_read(tmp_path: Path) -> None:
    lines = b'{"at": "2026-03-01T10:00:00Z", "name": "a"}\n{"time": null, "at": "2026-03-01T11:00:00Z", "name": "b"}\n'
    platform, source = _land(tmp_path, "a.json", JsonLines(), lines)
    (batch,) = land_files(source, platform.settings, platform.lake).batches
    accepted = pl.concat([verdict.accepted for verdict in source.validate(batch, platform.settings)])
    assert accepted["event_at"].dt.hour().to_list() == [10, 11]


@given(
    st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\0\r\n")), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-8-sig"]),
)
def test_every_text_is_read_as_it_was_written(texts: list[str], delimiter: str, encoding: str) -> None:
    lines = [f'2026-03-01{delimiter}"{text.replace(chr(34), chr(34) * 2)}"\n' for text in texts]
    content = "".join([f"time{delimiter}name\n", *lines]).encode(encoding)
    form = Csv(delimiter=delimiter, encoding=encoding)
    records = form.read(BATCH, io.BytesIO(content), Visits, None)
    found = [name for some in records if len(some.positions) for name in some.values["name"]]
    assert found == [text or None for text in texts]


def test_a_time_in_a_parquet_file_is_the_same_instant_whatever_its_zone_and_unit(tmp_path: Path) -> None:
    at = dt.datetime(2026, 3, 1, 10, 30, 0, 123_000)
    frames = [
        pl.DataFrame({"time": [at], "name": ["naive"]}, schema_overrides={"time": pl.Datetime("ms")}),
        pl.DataFrame({"time": [at], "name": ["zoned"]}).with_columns(
            pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns")
        ),
    ]
    for frame in frames:
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        platform, source = _land(tmp_path / frame["name"][0], "a.parquet", Parquet(), buffer.getvalue())
        (batch,) = land_files(source, platform.settings, platform.lake).batches
        accepted = pl.concat([verdict.accepted for verdict in source.validate(batch, platform.settings)])
        assert accepted["event_at"].to_list() == [at.replace(tzinfo=dt.UTC)]
