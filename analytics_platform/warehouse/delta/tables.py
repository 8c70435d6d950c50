"""Delta tables as DuckDB sees them: which there are, their columns and their rows.

A table is a view over the files of one version of it: of these DuckDB reads the columns and the row groups that a query
needs, by the statistics in Delta's log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Literal

import duckdb
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, table_doc
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.transform import Query
from analytics_platform.warehouse.delta.changes import TableChanges, names_in, stored
from analytics_platform.warehouse.delta.damage import damaged, folder_of
from analytics_platform.warehouse.delta.failures import again, was_cut
from analytics_platform.warehouse.delta.journal import Journal
from analytics_platform.warehouse.delta.place import WRITTEN, DeltaPlace, schema_of
from analytics_platform.warehouse.delta.reading import show
from analytics_platform.warehouse.duckdb import ROW_GROUP, DuckDBSession
from analytics_platform.warehouse.migration import changes
from analytics_platform.warehouse.session import (
    Bound,
    DamageError,
    WarehouseError,
)

_NO_DAMAGE = (duckdb.BinderException, duckdb.CatalogException, duckdb.InterruptException, duckdb.ParserException)
"""What is raised whether or not a file is damaged."""

_THREADS = 16


class DeltaTables(DuckDBSession):
    """A DuckDB over Delta tables. Outside a transaction a table is what it was when the session first read it."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: DeltaPlace,
        read_only: bool = False,
        as_of: int | dt.datetime | None = None,
    ) -> None:
        super().__init__(connection)
        self._place = place
        self._read_only = read_only or as_of is not None
        self._as_of = as_of
        self._journal = Journal(place)
        self._seen = dict[str, bool]()
        self._changed = dict[str, TableChanges]()
        self._damage: DamageError | None = None

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        """Raise `DamageError` for an error to which a damaged table has led."""
        try:
            yield
        except _NO_DAMAGE:
            raise
        except (duckdb.Error, DeltaError, OSError, pa.ArrowException) as error:
            if was_cut(error):
                raise
            # After an internal error DuckDB answers no more questions in this session.
            if self._damage is None or not isinstance(error, duckdb.FatalException):
                words = str(error)
                self._damage = self._place.damage(sorted(self._seen, key=lambda name: stored(name) not in words))
            if self._damage is None:
                raise
            raise self._damage from error

    def rows(self, sql: str, parameters: Bound = None) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._naming_damage():
            return again(super().rows)(sql, parameters)

    def stream(self, sql: str, parameters: Bound = None) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows of a query, some at a time."""
        with self._naming_damage():
            yield from super().stream(sql, parameters)

    def frame(self, sql: str | Query, parameters: Bound = None) -> pl.DataFrame:
        """Return the result of a query as a frame."""
        with self._naming_damage():
            return again(super().frame)(sql, parameters)

    def _define(self, *texts: str) -> None:
        """Define the functions that SQL calls, and the tables that it names."""
        super()._define(*texts)
        for name in set().union(*map(names_in, texts)):
            self._see(name)

    def _see(self, name: str) -> None:
        """Make the view of a table, unless it is there."""
        if name in self._seen:
            return
        table = self._open(name)
        self._seen[name] = table is not None
        if table is not None:
            try:
                show(self.connection, name, table, self._place)
            except duckdb.Error as error:
                del self._seen[name]
                if damage := self._place.damage([name]):
                    raise damage from error
                raise
            self._show(name)

    def _open(self, name: str) -> DeltaTable | None:
        """Open a table, if there is one. Raises `DamageError` for one that there was."""
        if self._as_of is not None:
            return self._place.table(name, self._as_of)
        self._journal.know()
        table = self._journal.table(name)
        if table is None and self._journal.misses(name):
            raise damaged(self._place.root, name, "its folder has no table any more")
        if table is not None and self._journal.is_behind(name, table):
            missing = f"{folder_of(name)}/_delta_log/{table.version() + 1:020}.json"
            raise damaged(self._place.root, name, f"{missing} is missing")
        return table

    def _show(self, name: str) -> None:
        of = self._changed.get(name)
        rows = of.current if of else f"SELECT * FROM {stored(name)}"
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name.partition('.')[0])}")
        self.connection.execute(f"CREATE OR REPLACE VIEW {quote_table(name)} AS {rows}")

    def _forget(self, names: Iterable[str]) -> None:
        """Forget what tables were: they are read anew when they are asked for."""
        for name in (name for name in names if self._seen.pop(name, False)):
            self.connection.execute(f"DROP VIEW IF EXISTS {quote_table(name)}")
            self.connection.unregister(stored(name))

    def tables(self) -> set[str]:
        """Return the names (`schema.table`) of the tables that exist, damaged ones too."""
        there = self._place.tables_in({name.partition(".")[0] for name in CONTRACTS})
        if self._as_of is None:
            self._journal.know()
            return {name for name in CONTRACTS if name in there or self._journal.misses(name)}
        with ThreadPoolExecutor(_THREADS) as pool:
            names = sorted(there.intersection(CONTRACTS))
            return {name for name, was_there in zip(names, pool.map(self._was_there, names), strict=True) if was_there}

    def _was_there(self, name: str) -> bool:
        try:
            return self._open(name) is not None
        except DamageError:
            return True
        except WarehouseError:
            return False  # there was none at that time

    def ensure(self, *contracts: ContractType) -> None:
        """Create the tables that are missing, and migrate the others. Raises `WarehouseError` if values would be lost.

        That is no part of a transaction: a table more, or a column, is one without rows, or without values.
        """
        for contract in (each for each in contracts if each not in self._ensured):
            if (table := self._open(contract.table.name)) is None:
                self._create(contract)
            else:
                self._migrate_table(contract, table)
            self._ensured.add(contract)

    def columns(self, *contracts: ContractType) -> dict[str, tuple[Mapping[str, str], Mapping[str, str]]]:
        """Return of each table the columns that are stored and those that are promised, but for damaged tables.

        Whoever reads one of those says so: if it was said here, a damaged mart would keep files from being loaded.
        """
        found = dict[str, tuple[Mapping[str, str], Mapping[str, str]]]()
        for contract in contracts:
            with suppress(DamageError):
                self._see(contract.table.name)
                found |= super().columns(contract)
        return found

    def replace(self, *contracts: ContractType) -> None:
        """Replace tables by empty ones; what they were can still be read as of then."""
        for contract in contracts:
            self._create(contract, "overwrite")
            self._ensured.add(contract)

    def _create(self, contract: ContractType, mode: Literal["ignore", "overwrite"] = "ignore") -> None:
        self._check_writable()
        self._place.create(contract.table.name, schema_of(contract), mode, table_doc(contract)[:1000])
        self._seen.pop(contract.table.name, None)

    def _check_writable(self) -> None:
        if self._read_only:
            raise WarehouseError(f"The warehouse {self._place.root} is opened for reading only.")

    def _migrate_table(self, contract: ContractType, table: DeltaTable) -> None:
        name, promised = contract.table.name, column_types(contract)
        self.connection.register("migrating", self._place.dataset(name, table))
        needed = changes(name, self._types("DESCRIBE FROM migrating"), promised)
        if needed.widened:
            self._check_writable()
            kept = ", ".join(
                f"CAST({quote(x)} AS {promised[x]}) AS {quote(x)}" for x in promised if x not in needed.added
            )
            with self.connection.sql(f"SELECT {kept} FROM migrating").to_arrow_reader(ROW_GROUP) as rows:
                write_deltalake(table, rows, mode="overwrite", schema_mode="overwrite", writer_properties=WRITTEN)
        if needed.added:
            self._check_writable()
            fields = {field.name: field for field in schema_of(contract).fields}
            table.alter.add_columns([fields[column] for column in needed.added])
        self.connection.unregister("migrating")
        self._seen.pop(name, None) if needed.widened or needed.added else None
