"""Writes how Athena reads the raw files of a lake in a bucket: a table per source, from its contract."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.sources.formats import Csv, JsonLines
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Source

INTRODUCTION = """\
With `LAKE_URL=s3://bucket/prefix` the raw files of a source lie below one prefix, plain or packed as `.gz`. Put your
bucket and prefix into these statements. Athena skips names that begin with `_`, which metadata, notes and registers
have. Every column is text as it arrived: nothing of it passed the gate, and what was delivered twice is there twice.

Columns of a CSV file are read by their place: where an export has others, or in another order, write what its header
says. A field with a line break cannot be read so. Of JSON lines a nested value is its JSON text. A source that is not
here has files of several forms, or answers and messages that its code takes apart: its records are in its table of the
layer `cleaned`. These statements were not run in Athena.

There are no partitions `date=`. A batch holds events of many days, so Athena could leave none out by the day of an
event; the day of arrival would say nothing about them; and the name of a batch, which is the hash of its content, would
no longer say where it lies. Tables of the layer `cleaned` in [Delta](delta.md) skip files by day."""

_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
_JSON = "org.openx.data.jsonserde.JsonSerDe"


def athena_lines() -> Iterator[str]:
    """Give the lines of the page, below its title."""
    yield from INTRODUCTION.splitlines()
    for source in SOURCES.values():
        if statement := create_external_table(source):
            yield from ("", f"## {source.name}", "", "```sql", *statement.splitlines(), "```")


def create_external_table(source: Source, location: str = "s3://bucket/prefix") -> str:
    """Write the statement for a source whose files are all of one form; nothing for another."""
    known = [each.metadata for each in source.contract.columns.values() if each.metadata["source"]]
    if isinstance(source.format, Csv):  # what an export may have beside would move all other columns
        known = [each for each in known if each["usual"]]
    names = [each["source"][0] for each in known]
    columns = ",\n".join(f"    `{name}` string" for name in names)
    if isinstance(source.format, Csv) and source.format.encoding == "utf-8" and not source.arrival.setting:
        separator = {"\t": "\\t"}.get(source.format.delimiter, source.format.delimiter)
        serde = f"'{_CSV}'\nWITH SERDEPROPERTIES ('separatorChar' = '{separator}', 'quoteChar' = '\"')"
        properties = "\nTBLPROPERTIES ('skip.header.line.count' = '1')"
    elif isinstance(source.format, JsonLines):
        serde, properties = f"'{_JSON}'\nWITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')", ""
    else:
        return ""
    return (
        f"CREATE EXTERNAL TABLE raw_{source.name} (\n{columns}\n)\nROW FORMAT SERDE {serde}\n"
        f"LOCATION '{location}/{source.name}/'{properties};"
    )
