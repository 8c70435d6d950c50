"""Every kind of file that nothing reads is named with its cause, and following the remedy loads its rows."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import os
import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bson
import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.cli.status import read_status
from analytics_platform.gate import FileRejectedError
from analytics_platform.lake import FolderLake
from analytics_platform.orchestration.sensors import files_sensor
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import find_left, find_unread, find_unreadable, land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.end_to_end.platform_run import DagsterPlatform, clickstream
from analytics_platform_tests.kit import open_platform
from analytics_platform_tests.names import CLICKSTREAM

ROWS = clickstream(40)


def zstd(content: bytes) -> bytes:
    """The bytes as a .zst file."""
    return bytes(pa.Codec("zstd").compress(content))


def _packed(content: str) -> bytes:
    """The rows in a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside.csv", content)
    return buffer.getvalue()


def _sheet() -> bytes:
    """The start of a workbook as spreadsheets write it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return buffer.getvalue()


def _tarred(content: str) -> bytes:
    """The rows in a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("inside.csv"), io.BytesIO(content.encode()))
    return buffer.getvalue()


TABS, SEMICOLONS = ROWS.replace(",", "\t"), ROWS.replace(",", ";")
KINDS: Mapping[str, tuple[str | bytes, str]] = {
    "commas.tsv": (ROWS, "takes files that end in .csv, .csv.gz, .csv.zst: rename it to commas.csv"),
    "late.tsv": (TABS, "its columns are separated by '\\t', not ','"),
    "late.tsv.gz": (gzip.compress(ROWS.encode()), "rename it to late.csv.gz"),
    "noend": (ROWS, "rename it to noend.csv"),
    "x.csv.zip": (_packed(ROWS), "packed as zip: unpack it"),
    "zip.csv": (_packed(ROWS), "packed as zip: unpack it"),
    "gzip.csv": (gzip.compress(ROWS.encode()), "compressed as .gz files are: rename it to gzip.csv.gz"),
    "zstd.csv": (zstd(ROWS.encode()), "rename it to zstd.csv.zst"),
    "plain.csv.gz": (ROWS, "not compressed as .gz files are: rename it to plain.csv"),
    "long.csv.gzip": (gzip.compress(ROWS.encode()), "rename it to long.csv.gz"),
    "long.csv.zstd": (zstd(ROWS.encode()), "rename it to long.csv.zst"),
    "twice.csv.gz": (gzip.compress(zstd(ROWS.encode())), "decompress it once, and name it twice.csv.zst"),
    "rotated.csv.gz.1": (gzip.compress(ROWS.encode()), "as .gz files are: rename it to rotated.1.csv.gz"),
    "rotated.csv-20260301": (gzip.compress(ROWS.encode()), "as .gz files are: rename it to rotated.20260301.csv.gz"),
    "plain.txt.gz": (ROWS, "it is not compressed as .gz files are: rename it to plain.csv"),
    "x.csv.bz2": (bz2.compress(ROWS.encode()), "packed as bzip2: unpack it"),
    "utf16.csv": (ROWS.encode("utf-16"), "it is encoded as UTF-16"),
    "utf32.csv": (ROWS.encode("utf-32"), "it is encoded as UTF-32"),
    "semicolons.csv": (SEMICOLONS, "separated by ';', not ','"),
    "sep.csv": (f"sep=;\n{SEMICOLONS}", "separated by ';', not ','"),
    "fewer.csv": (SEMICOLONS.replace("timestamp", "time"), "separated by ';', not ','"),
    "sepfewer.csv": (f"sep=;\n{SEMICOLONS.replace('timestamp', 'time')}", "separated by ';', not ','"),
    "x.csv.lz4": (b'\x04"M\x18\x00', "packed as lz4: unpack it"),
    "x.csv.tar.gz": (gzip.compress(_tarred(ROWS)), "packed as tar: unpack it"),
    "tar.csv": (_tarred(ROWS), "packed as tar: unpack it"),
    "login.csv": ("\n<!DOCTYPE html><html><body>Log in</body></html>", "it is an HTML file: export it as .csv"),
    "rows.xml": ('<?xml version="1.0"?><rows/>', "it is an XML file: export it as .csv"),
    "rows.avro": (b"Obj\x01\x02", "it is an Avro file: export it as .csv"),
    "shop.sqlite": (b"SQLite format 3\0", "it is a SQLite file: export it as .csv"),
    "report.pdf": (b"%PDF-1.7", "it is a PDF file: export it as .csv"),
    "quote.txt": (
        ROWS.replace("client_id", 'client"id'),
        "of a name: export the file again; its name must end in .csv",
    ),
    "book.xlsx": (_sheet(), "it is a spreadsheet file: export it as .csv"),
    "book.csv": (_sheet(), "it is a spreadsheet file: export it as .csv"),
    "rows.json": ('{"client_id": "a"}\n', "it is a JSON file: export it as .csv"),
    "rows.parquet": (b"PAR1 and more", "it is a Parquet file: export it as .csv"),
    "deeper/late.tsv": (ROWS, "rename it to late.csv"),
    ".hidden.csv": (ROWS, "its name says that it is hidden: once it is complete, rename it to hidden.csv"),
    "x.csv.part": (ROWS, "its name says that it is unfinished: once it is complete, rename it to x.csv"),
    "zeros.csv": (b"\0" * 5000, "contains a NUL byte: export the file again"),
    "../stray.csv": (ROWS, "no source of files has this name: if it is of clickstream, move it into "),
    "../root.csv": (ROWS, "no source of files has this name: if it is of clickstream, move it into "),
}
"""Name of a dropped file → its content, and the cause and the remedy that are said of it."""


def follow(path: Path, sentence: str) -> None:
    """Do with a file what the sentence says."""
    if renamed := re.search(r"rename it to ([\w.]+)", sentence):
        path.rename(path.with_name(renamed[1].rstrip(".")))
    elif named := re.search(r"decompress it once, and name it ([\w.]+)", sentence):
        path.with_name(named[1].rstrip(".")).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    elif moved := re.search(r"move it into (\S+)\.", sentence):
        path.rename(Path(moved[1], path.name))
    else:
        if "unpack it, and drop what is in it" not in sentence:
            remedy = r"export the file again|export it as (\.csv, and drop that|UTF-8 with ',' between the columns)"
            assert re.search(remedy, sentence)
        path.unlink()
        path.with_name("mended.csv").write_text(ROWS, "utf-8")


def test_every_file_that_nothing_reads_is_named_with_cause_and_a_remedy_that_works(tmp_path: Path) -> None:
    source = SOURCES[CLICKSTREAM]
    for number, (name, (content, words)) in enumerate(KINDS.items()):
        platform = DagsterPlatform(tmp_path / str(number))
        path = platform.drop(name, content)
        lake, path = FolderLake(tmp_path / str(number) / "lake"), Path(os.path.normpath(path))

        def look(settings: Settings = platform.settings, lake: FolderLake = lake) -> list[str]:
            rejected = find_unreadable(source, settings, lake).values()
            return [*find_unread(source, SOURCES.values(), settings), *rejected]

        status = read_status(platform.settings, dt.datetime.now(dt.UTC))
        (said,) = (line for line in (*status.unread, *status.rejected) if str(path) in line)
        assert words in said and said.isprintable() and said.endswith("."), name
        (sentence,) = look()
        landed = land_files(source, platform.settings, lake)
        assert not landed.batches and (sentence in said), name
        if number in (1, 4):  # the sensor says what the status says
            sensor: Any = files_sensor(source, platform.settings, lake)
            context = dg.build_sensor_context(instance=platform.instance)
            assert said in sensor(context).skip_reason.skip_message
        follow(path, sentence)
        assert look() == [], name
        assert len(land_files(source, platform.settings, lake).batches) == 1, name


def test_a_folder_that_no_source_has_is_named_with_the_source_that_reads_its_files(tmp_path: Path) -> None:
    platform, source = open_platform(tmp_path), SOURCES[CLICKSTREAM]
    folder = platform.settings.landing_dir / "web_log2" / "2026"
    folder.mkdir(parents=True)
    folder.joinpath("rows.csv").write_text(ROWS, "utf-8")

    (said,) = find_unread(source, SOURCES.values(), platform.settings)
    assert said.startswith(f"Not read: {folder.parent}: no source of files has this name: if it is of clickstream, ")
    follow(folder.parent, said)
    assert find_unread(source, SOURCES.values(), platform.settings) == []
    assert len(land_files(source, platform.settings, platform.lake).batches) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("web_logs/a.csv", ROWS, "if it is of clickstream, move it into {}/clickstream."),
        ("web_logs/a.csv.gz", gzip.compress(ROWS.encode()), "if it is of clickstream, move it into {}/clickstream."),
        ("web_logs/rates.csv", "date,currency,rate\n", "if it is of exchange_rates, move it into {}/exchange_rates."),
        ("web_logs/logs.csv", "user_id,action\n1,view\n", "it holds no documents: export them by mongodump or"),
        ("web_logs/logs.tsv", TABS, "it holds no documents: export them by mongodump or"),
        ("ga4_events/a.csv", ROWS, "if it is of clickstream, move it into {}/clickstream."),
        ("clickstream/l.bson", bson.encode({"_id": 1}), "if it is of web_logs, move it into {}/web_logs."),
        (
            "users/u.json",
            '[{"id": 1}]',
            "but from here: JSON API of users (USERS_API_URL); put them there, and remove it.",
        ),
        ("ecommerce_events/m.jsonl", '{"a": 1}', "but from here: Queue of product events (SQS_QUEUE_URL); put them"),
        ("orders/o.csv", ROWS, "but from here: The shop's own database (SHOP_DATABASE_URL); put them there"),
    ],
)
def test_what_is_in_the_folder_of_another_source_is_named_with_where_it_belongs(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    platform = open_platform(tmp_path)
    path = platform.settings.landing_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    left = find_left(SOURCES.values(), platform.settings, platform.lake)
    (said,) = (sentence for each in left.values() for sentence in each.sentences)
    assert words.format(platform.settings.landing_dir) in said and ".bson.gz: rename" not in said


DOCUMENT = '{"_id": {"$oid": "65e1c340000000000000006c"}, "user_id": 1, "action": "view"}\n'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("l.json", DOCUMENT.encode("utf-16"), "it is encoded as UTF-16: write UTF-8 with `iconv -f UTF-16 -t UTF-8`"),
        ("l.json", DOCUMENT.encode("utf-16-le"), "it is encoded as UTF-16LE"),
        ("l.jsonl.gz", gzip.compress(DOCUMENT.encode("utf-16-be")), "it is encoded as UTF-16BE"),
        ("l.json", DOCUMENT.encode("utf-32"), "it is encoded as UTF-32"),
        ("l.bson", DOCUMENT.encode(), "it holds JSON: name it .json in place of .bson"),
        ("l.bson", b"\x6d\xe2\x99\x81", "it is an archive of mongodump: dump again without --archive"),
        ("l.archive", b"\x6d\xe2\x99\x81", "it is an archive of mongodump: dump again without --archive"),
    ],
)
def test_a_dump_that_is_no_dump_in_utf8_is_rejected_whole_with_its_cause(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    source = SOURCES["web_logs"]
    tmp_path.joinpath(name).write_bytes(content)
    with pytest.raises(FileRejectedError, match=re.escape(words)):
        source.format.check(tmp_path / name, source.contract)


def test_a_document_whose_length_looks_like_json_is_bson(tmp_path: Path) -> None:
    source = SOURCES["web_logs"]
    empty = len(bson.encode({"text": ""}))
    for size in (0x227B, 0x5B5B, 0x7B5B):  # {" and [[ and [{
        document = bson.encode({"text": "x" * (size - empty)})
        assert len(document) == size
        tmp_path.joinpath("l.bson").write_bytes(document)
        source.format.check(tmp_path / "l.bson", source.contract)
