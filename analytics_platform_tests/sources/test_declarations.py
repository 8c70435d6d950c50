"""Ordinary mistakes of a person who adds a source or a table: each is one sentence with the file and what to do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from analytics_platform import sources
from analytics_platform.catalog import CONTRACTS, collect
from analytics_platform.contracts.base import Contract, Day, SourceRows, Whole, column
from analytics_platform.contracts.check import DeclarationError
from analytics_platform.orchestration import build
from analytics_platform.settings import load_settings
from analytics_platform.sources.registry import SOURCES, find_sources, lacks_events
from analytics_platform.sources.source import Source
from analytics_platform.transform import ModelError
from analytics_platform.transform.source_events import empty_tables, read_events

KIOSK = '''
from analytics_platform.contracts.base import Instant, Money, SourceRows, Text, column
from analytics_platform.sources.arrivals.files import LandingFolder
from analytics_platform.sources.formats import Csv
from analytics_platform.sources.source import Source


class Kiosk(SourceRows, table="cleaned.kiosk", source="kiosk"):
    """One row per event."""

    event_id: Text = column("MD5 of the content.", random=True)
    client_id: Text = column("The visitor.", source="Kunde", required=True)
    event_at: Instant = column("When.", source=("Zeit", "zeit"))
    event_name: Text = column("What.", source="Art")
    price: Money = column("Price.", nullable=True, source="Preis", ge=0)


SOURCE = Source(Kiosk, LandingFolder(), Csv())
'''

Declare: TypeAlias = Callable[..., Mapping[str, Source]]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declare]:
    """Find the sources of a folder with the given texts: `kiosk` for kiosk/source.py."""
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    before = set(sys.modules)

    def find(**texts: str) -> Mapping[str, Source]:
        for name, text in texts.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "source.py").write_text(text, "utf-8")
        importlib.invalidate_caches()
        return find_sources(tmp_path)

    yield find
    for name in set(sys.modules) - before:
        if name.startswith(f"{sources.__name__}."):
            del sys.modules[name]


MISTAKES = [
    (' source="kiosk"', "", 'class Kiosk: it names no source: write source="'),
    ('source="kiosk"', 'source="shop front"', 'source="shop front" is no name: write lower-case letters'),
    ('source="kiosk"', 'source="stand"', 'the source stand is in the folder kiosk: write source="kiosk"'),
    (' table="cleaned.kiosk",', "", 'class Kiosk: it names no table: write table="<layer>.<table>"'),
    ("cleaned.kiosk", "kiosk", 'class Kiosk: table="kiosk" is no name of a table: write table="<layer>.<table>"'),
    ('source="kiosk"', 'source="kiosk", sorce="x"', "line 8: TypeError: class Kiosk has the keyword sorce=, but a"),
    ('source="kiosk"', 'source="kiosk", write="daily"', 'write="daily" is no way to publish: write batches, days'),
    ('source="kiosk"', 'source="kiosk", key="id"', "class Kiosk: key names the column id, but the columns are"),
    ('source="kiosk"', 'source="kiosk", partition="day"', "class Kiosk: partition names the column day, but the"),
    ('"MD5 of the content."', '"Id.", source="id"', 'source_event_id: Text = column("…", nullable=True, source="id"'),
    ("client_id: Text", "kunde: Text", "there is no column client_id: name the column with it client_id"),
    ('source="kiosk"', 'source="kiosk", foreign_keys={"k": "star.dim_date"}', "foreign_keys names the column k, but"),
    (' = column("What.", source="Art")', "", 'column event_name is not described: write event_name: … = column("'),
    ("event_name: Text =", "event_name =", "class Kiosk: Found missing annotations: ['event_name']"),
    ("event_name: Text =", "event_name: list =", "class Kiosk: column event_name: no SQL type for List; write Text"),
    ("event_name: Text =", "event_name: Txt =", "line 14: NameError: name 'Txt' is not defined"),
    (', source="Kunde", required=True', ", required=True", 'column client_id has no name in the input: write column('),
    (', source="Art"', "", 'column event_name has no name in the input: write column("…", source="event_name")'),
    ("ge=0", "least=0", "line 15: TypeError: column() has no least=, but the checks isin, notin, gt, ge"),
    ("ge=0", "in_range=(3,)", "line 15: ValueError: not enough values to unpack (expected 2, got 1)"),
    ("Csv()", 'Csv(delimiter=";;")', "line 18: ValueError: Csv(delimiter=';;'): a delimiter is one ASCII character"),
    ("LandingFolder(), Csv()", "LandingFolder, Csv", "write Source(Contract, LandingFolder(), Csv())"),
    ("Source(Kiosk,", "Source(Csv,", "is no contract of a source: write class …(SourceRows, "),
    ("SOURCE = Source(Kiosk, LandingFolder(), Csv())", "", "it declares no source: write SOURCE = Source("),
    ("import Csv", "import Cvs", "line 4: ImportError: cannot import name 'Cvs'"),
    ("formats import", "frmats import", "line 4: ModuleNotFoundError: No module named 'analytics_platform.sources"),
    ("Csv())", "Csv()", "line 18: SyntaxError: '(' was never closed"),
    ("column(\"What.\"", "colum(\"What.\"", "line 14: NameError: name 'colum' is not defined"),
    ('column("What.", ', "column(", "line 14: TypeError: column() missing 1 required positional argument: 'des"),
]  # fmt: skip
"""A text of the file, what a person writes in its place, and what the sentence says."""


OWN_ID = KIOSK.replace(
    "    price:", '    own: Text = column("Its id.", nullable=True, source="id", own_id=True)\n    price:'
)


@pytest.mark.parametrize(("right", "wrong", "words"), MISTAKES)
def test_a_mistake_in_the_file_of_a_source_is_one_sentence_with_the_file(
    declare: Declare, right: str, wrong: str, words: str
) -> None:
    assert right in KIOSK

    with pytest.raises(DeclarationError) as error:
        declare(kiosk=(OWN_ID if right == "client_id: Text" else KIOSK).replace(right, wrong, 1))

    sentence = str(error.value)
    assert words in sentence
    assert "sources/kiosk/source.py" in sentence or "/kiosk/source.py" in sentence
    assert len(sentence.splitlines()) == 1
    assert error.value.__cause__ is None


def test_the_file_of_the_mistake_is_named_not_the_one_that_imports_it(declare: Declare, tmp_path: Path) -> None:
    (tmp_path / "stand").mkdir()
    (tmp_path / "stand" / "records.py").write_text("LIMIT = 3\nMORE = LIMT\n")

    with pytest.raises(DeclarationError, match=r"kiosk/records\.py, line 2: NameError: name 'LIMT' is not defined"):
        (tmp_path / "stand").rename(tmp_path / "kiosk")
        (tmp_path / "kiosk" / "source.py").write_text("from analytics_platform.sources.kiosk.records import MORE\n")
        declare()


def test_folders_that_do_not_fit_their_sources_are_named(declare: Declare, tmp_path: Path) -> None:
    two = KIOSK + "\n\n" + KIOSK.replace("Kiosk", "Stand").replace("kiosk", "stand").replace("SOURCE", "OTHER")
    (tmp_path / "kiosk").mkdir()
    with pytest.raises(DeclarationError, match=r"kiosk/source\.py is missing: write it, or delete the folder"):
        declare()

    (tmp_path / "kiosk" / "source.py").write_text(two)
    assert list(declare()) == ["kiosk", "stand"]  # as in the folder of the shop

    (tmp_path / "kiosk" / "events.sql").write_text("SELECT 1")
    with pytest.raises(DeclarationError, match=r"events\.sql is of one source, and this file declares kiosk, stand"):
        declare()

    (tmp_path / "kiosk" / "events.sql").unlink()
    with pytest.raises(DeclarationError, match=r"stand/source\.py: .*kiosk/source\.py has the source stand too"):
        declare(stand=KIOSK.replace("kiosk", "stand"))


def test_one_name_of_a_column_may_be_given_as_text(declare: Declare) -> None:
    columns = declare(kiosk=KIOSK)["kiosk"].contract.columns
    assert columns["client_id"].metadata["source"] == ("Kunde",)
    assert columns["event_at"].metadata["source"] == ("Zeit", "zeit")


def test_a_source_with_events_and_no_sql_for_them_is_known(declare: Declare) -> None:
    assert lacks_events(declare(kiosk=KIOSK)["kiosk"])
    assert not any(map(lacks_events, SOURCES.values()))


def test_two_contracts_of_one_table_are_named_with_their_files() -> None:
    class Days(Contract, table="marts.days", key="date", partition="date"):
        """One row per day."""

        date: Day = column("Day.")

    class DaysAgain(Days, table="marts.days"):
        """One row per day."""

    with pytest.raises(DeclarationError, match=r"class DaysAgain has the table marts\.days, which class Days in "):
        collect([Days, DaysAgain])


def test_a_contract_without_its_sql_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(Contract, table="marts.lost", key="date", partition="date"):
        """One row per day."""

        date: Day = column("Day.")

    monkeypatch.setattr(build, "CONTRACTS", {"marts.lost": Lost})
    with pytest.raises(DeclarationError, match=r"marts\.lost has no SQL: write models/marts/lost\.sql\."):
        build.build_definitions(load_settings())


def test_a_key_of_a_table_that_does_not_exist_is_named() -> None:
    class Facts(Contract, table="star.facts", key="k", partition="date", foreign_keys={"k": "star.dim_dat"}):
        """One row per fact."""

        k: Whole = column("Key.")
        date: Day = column("Day.")

    with pytest.raises(DeclarationError, match=r"k holds a key of star\.dim_dat, but no contract has that table"):
        collect([Facts])


GOOD = """-- Grain: one row per event; ä needs two bytes.
SELECT
    event_id, client_id, event_name, event_at, event_date,
    arrived_at AS received_at,
    batch_id
FROM cleaned.clickstream"""

SQL_MISTAKES = [
    ("event_id,", "evnt_id,", ', line 3, column 5: Referenced column "evnt_id" not found in FROM clause! Candidate'),
    ("cleaned.clickstream", "cleaned.clickstreem", ", line 6, column 6: Table with name clickstreem does not exist!"),
    ("cleaned.clickstream", "clickstream", ", line 6, column 6: Table with name clickstream does not exist!"),
    ("event_id,", "upper(event_at) AS event_id,", ", line 3, column 5: No function matches the given name and argum"),
    ("event_id,", "uper(event_id) AS event_id,", ", line 3, column 5: Scalar Function with name uper does not exist!"),
    ("event_id,", "count(*) AS event_id,", ', line 3, column 27: column "client_id" must appear in the GROUP BY'),
    ("event_id,", "", ": every event needs event_id: select these too"),
    ("event_id,", "event_id, 1 AS price,", ": an event has no column price: the shape has event_id, client_id"),
    ("event_id,", "event_id, 1.5::DOUBLE AS revenue,", ": revenue is DOUBLE: write CAST(… AS DECIMAL(18,4)) AS rev"),
    ("event_at, ", "CAST(event_at AS VARCHAR) AS event_at, ", ": event_at is VARCHAR: write CAST(… AS TIMESTAMP WITH"),
    ("event_id,", "event_id, 'x AS platform,", ": not one SQL statement: Error tokenizing"),
    ("event_id,", "event_id, \"x AS platform,", ": not one SQL statement: Error tokenizing"),
    ("FROM", "FRM FRM", ": not one SQL statement: Invalid expression / Unexpected token. Line 6, Col: 7: correct"),
    ("SELECT", "DELETE", "events.sql: "),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_tables() as engine:
        yield engine


@pytest.mark.parametrize(("right", "wrong", "words"), SQL_MISTAKES)
def test_a_mistake_in_events_sql_is_found_before_a_run_with_file_and_line(
    tmp_path: Path, engine: duckdb.DuckDBPyConnection, right: str, wrong: str, words: str
) -> None:
    path = tmp_path / "events.sql"
    path.write_text(GOOD, "utf-8")
    assert read_events(path, engine).inputs == ("cleaned.clickstream",)
    path.write_text(GOOD.replace(right, wrong, 1), "utf-8")

    with pytest.raises(ModelError) as error:
        read_events(path, engine)

    assert f"{path}" in str(error.value)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_sql_that_is_not_utf_8_is_named(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    path = tmp_path / "events.sql"
    path.write_bytes(GOOD.encode("latin-1"))

    with pytest.raises(ModelError, match="is not UTF-8: save the file as UTF-8"):
        read_events(path, engine)


def test_columns_of_events_may_be_selected_by_star(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    path = tmp_path / "events.sql"
    path.write_text(f"SELECT * FROM ({GOOD}) AS events", "utf-8")

    assert read_events(path, engine).columns >= {"event_id", "received_at"}


def test_contracts_of_all_sources_have_the_columns_of_their_base() -> None:
    for source in SOURCES.values():
        assert SourceRows.columns.keys() <= source.contract.columns.keys()
        assert source.contract is CONTRACTS[source.contract.table.name]
