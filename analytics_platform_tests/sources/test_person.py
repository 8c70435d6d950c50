"""The records that name a person are found in every form of raw data, and taken out of it."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import bson
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.connectors.mongo.dumps import read_dump
from analytics_platform.contracts.base import Instant, SourceRows, Text, column
from analytics_platform.lake import FolderLake
from analytics_platform.sources.arrivals.files import LandingFolder
from analytics_platform.sources.formats import Csv, JsonLines, Parquet
from analytics_platform.sources.person import Person, find_edits
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Format, Source
from analytics_platform.transform.lookups.tables import decoded_addresses

ADA = "client-1001"
MAIL = "ada@example.com"


class Things(SourceRows, table="cleaned.things", source="some"):
    """One row per thing."""

    event_id: Text = column("The id.", source="event_id")
    client_id: Text = column("The browser.", source="client_id", required=True)
    event_at: Instant = column("When it happened.", source="event_at", nullable=True)
    note: Text = column("A text.", source="note", nullable=True)


def edited(lake: FolderLake, format_: Format, suffix: str, content: bytes) -> bytes:
    """The content of a batch after a person was erased from it, decompressed."""
    source = Source(Things, LandingFolder(), format_)
    batch = lake.put_bytes("some", f"a{suffix}", suffix, content)
    person = Person.of(client=[ADA], email=[MAIL, "jürgen@example.com"])
    edits = find_edits(source, batch, person, b"key", decoded_addresses)
    found = lake.put_edited(batch, lambda out: format_.edit(batch, Things, edits, out))
    assert (found.name, found.arrived_at, found.replaces) == (batch.name, batch.arrived_at, (batch.content_sha256,))
    with found.open() as stream:
        return stream.read()


TEXTS: dict[str, tuple[Format, str, str]] = {
    "lines of several kinds": (
        Csv(),
        'client_id,note\r\n"a","1\n2"\r\nADA,x\r\nb,"y ""z"""',
        'client_id,note\r\n"a","1\n2"\r\nb,"y ""z"""',
    ),
    "a record of several lines": (Csv(), 'client_id,note\n"ADA","1\n2"\nb,2\n', "client_id,note\nb,2\n"),
    "a line that cannot be parsed": (
        Csv(),
        "client_id,note\nx,ADA,2\nADAx,1,2\nb,2\n",
        "client_id,note\nADAx,1,2\nb,2\n",
    ),
    "an unknown column": (Csv(), "client_id,x\nb,<ADA>\nb,ADA.x\n", "client_id,x\nb,ADA.x\n"),
    "a mail address in an address": (
        Csv(),
        "client_id,note\nb,/?m=Ada%40example.com&x\nb,x.ada@example.com\n",
        "client_id,note\nb,x.ada@example.com\n",
    ),
    "bytes of other encodings": (
        Csv(),
        "client_id,note\nx\udca0ada@example.com\udc94,1\nJ\udcdcrgen@example.com,1\nj\udc81rgen@example.com,CP437\n"
        "j\udce4,x\nj\udcfc.ada@example.com,x\njurgen@example.com\udcff,x\n",
        "client_id,note\nj\udce4,x\nj\udcfc.ada@example.com,x\njurgen@example.com\udcff,x\n",
    ),
    "another delimiter": (Csv(";"), "client_id;note\nADA;2\nb;1", "client_id;note\nb;1"),
    "JSON lines": (
        JsonLines(),
        '{"client_id": "a"}\n\n{"client_id": "ADA"}\n{"client_id":"b"}',
        '{"client_id": "a"}\n\n{"client_id":"b"}',
    ),
    "a nested value": (JsonLines(), '{"client_id":"a","x":{"y":["ADA"]}}\n{"client_id":"b"}\n', '{"client_id":"b"}\n'),
    "JSON in Latin-1": (
        JsonLines(),
        '{"client_id":"a","note":"j\udcfcrgen@example.com"}\n{"client_id":"b"}\n',
        '{"client_id":"b"}\n',
    ),
    "a broken line of JSON": (JsonLines(), '{"client_id": "ADA\n{"client_id":"b"}\n', '{"client_id":"b"}\n'),
}


@pytest.mark.parametrize(("format_", "before", "after"), TEXTS.values(), ids=TEXTS)
def test_records_that_name_the_person_go_and_all_other_bytes_stay(
    format_: Format, before: str, after: str, tmp_path: Path
) -> None:
    before, after = before.replace("ADA", ADA), after.replace("ADA", ADA)
    content = before.encode("utf-8", "surrogateescape")
    found = edited(FolderLake(tmp_path), format_, format_.suffixes[0], content)
    assert found.decode("utf-8", "surrogateescape") == after


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst"])
def test_encoding_and_compression_stay(encoding: str, suffix: str, tmp_path: Path) -> None:
    content = f"client_id,note\né,ü\n{ADA},ä\n".encode(encoding)
    packed = {".gz": gzip.compress, ".zst": lambda x: pa.compress(x, "zstd", asbytes=True)}.get(suffix[4:], bytes)
    after = edited(FolderLake(tmp_path), Csv(encoding=encoding), suffix, packed(content))
    assert after == "client_id,note\né,ü\n".encode(encoding)


def test_rows_of_a_parquet_file_go(tmp_path: Path) -> None:
    table = pa.table({"client_id": ["a", ADA, "b"], "note": ["1", "2", MAIL]})
    out = io.BytesIO()
    pq.write_table(table, out)
    after = edited(FolderLake(tmp_path), Parquet(), ".parquet", out.getvalue())
    assert pq.read_table(io.BytesIO(after)) == table.slice(0, 1)


DUMPS = {
    "a.bson": lambda documents: b"".join(map(bson.encode, documents)),
    "a.jsonl": lambda documents: "".join(json.dumps(each) + "\n" for each in documents).encode(),
    "a.json": lambda documents: json.dumps(documents).encode(),
    "b.json": lambda documents: "\n".join(json.dumps(each, indent=2) for each in documents).encode(),
}


@pytest.mark.parametrize("name", DUMPS)
@pytest.mark.parametrize("gone", [0, 1, 2])
def test_documents_of_a_dump_go(name: str, gone: int, tmp_path: Path) -> None:
    documents = [{"_id": number, "user_id": 7 if number == gone else 42, "x": "y"} for number in range(3)]
    tmp_path.joinpath(name).write_bytes(DUMPS[name](documents))
    source, lake = SOURCES["web_logs"], FolderLake(tmp_path / "lake")
    batch = lake.put_file(source.name, name, tmp_path / name)
    assert batch is not None
    edits = find_edits(source, batch, Person.of(user=["7"]), b"key", decoded_addresses)
    assert list(edits) == [gone + 1]
    after = lake.put_edited(batch, lambda out: source.format.edit(batch, source.contract, edits, out))
    with after.open() as stream:
        ids = [bson.decode(each)["_id"] for each in read_dump(stream, name) if isinstance(each, bytes)]
    assert ids == [number for number in range(3) if number != gone]
    assert not find_edits(source, after, Person.of(user=["7"]), b"key", decoded_addresses)


def test_a_short_identifier_is_found_in_its_column_and_in_fields_named_for_it_only(tmp_path: Path) -> None:
    rows = [
        ("42", "x"),
        ("b", '{"price": 42}'),
        ("b", '{"user_id": 42}'),
        ("b", "42 pieces"),
        ("420", '{"user_id": 4}'),
    ]
    content = "".join(json.dumps({"client_id": client, "note": note}) + "\n" for client, note in rows).encode()
    lake, source = FolderLake(tmp_path), Source(Things, LandingFolder(), JsonLines())
    batch = lake.put_bytes("some", "a", ".jsonl", content)
    assert list(find_edits(source, batch, Person.of(client=["42"], user=["42"]), b"key", decoded_addresses)) == [1, 3]


JUERGEN = Person.of(user=["4711.0", "20261125"], client=["2f6c1a9e"], email=[" Jürgen+x@Example.com "])
NAMED = (
    *("Jürgen+x@example.com", "mailto:JÜRGEN+X@EXAMPLE.COM", "<Ju\u0308rgen+x@example.com>", "/by/2f6c1a9e"),
    *("/?m=J%FCrgen%2Bx%40example.com&x", r"\xa0J\xfcrgen+x@example.com\xa0"),
    *("/?m=J%C3%BCrgen%2Bx%40example.com&x", "/?to=%2Fa%3Fm%3Dju%25CC%2588rgen%252Bx%2540example.com", "a%2C2f6c1a9e"),
    *(r'{"m":"J\u00fcrgen\u002bx\u0040example.com"}', r'{"m":"\nJ\u00DCRGEN+x@example.com\n"}', r'{"x":"b\/2f6c1a9e"}'),
    *(r'{"x":"{\"m\":\"J\\u00fcrgen+x\\u0040example.com\"}"}', r'{"x":"%22J\u00fcrgen%2bx@%65xample.com%22"}'),
    *('{"user_id": "20261125"}', '{"userId":4711.0}', '{""user_id"": "" 4711 ""}', r'{"x":"{\"user_id\":4711}"}'),
    *('{"user_id":{"$numberInt":"4711"}}', '{"n":{"userId": {"$numberLong": "20261125"}}}'),
)
OTHERS = (
    *("/?m=J%E4rgen%2Bx%40example.com", r"J\xe4rgen+x@example.com", r"\xe4J\xfcrgen+x@example.com"),
    *('{"transaction_id": "20261125"}', "/sale/20261125/x", "4711", '{"price": 4711}', '{"user_id": 47110, "x": 4711}'),
    *("/by/2F6C1A9E", "2f6c1a9e0", "x.jürgen+x@example.com", "bob%2Bjürgen+x@example.com", "jurgen+x@example.com"),
    *(
        "jürgen+x@example.com.au",
        "jürgen x@example.com",
        r'{"m":"bj\u00fcrgen+x@example.com"}',
        '{"user_id":"4711.00"}',
    ),
)


def test_a_text_names_the_person_however_it_is_escaped_and_nobody_who_is_written_alike() -> None:
    assert [text for text in NAMED if not JUERGEN.is_mentioned(text)] == []
    assert [text for text in OTHERS if JUERGEN.is_mentioned(text)] == []
    with duckdb.connect() as engine:
        sql = "SELECT list_filter($texts, lambda text: NOT regexp_matches(text, $may))"
        assert engine.execute(sql, {"texts": NAMED, "may": JUERGEN.may}).fetchall() == [([],)]
