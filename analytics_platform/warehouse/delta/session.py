"""The warehouse in Delta tables: a DuckDB in memory reads them where they lie, and computes; commits write them.

To DuckDB a table is a view over the files of one version of it: of these it reads the columns and the row groups that
a query needs, by the statistics in Delta's log. So it is the code of the DuckDB warehouse, and the rows are the same.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import duckdb
import polars as pl
from deltalake import DeltaTable, write_deltalake

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, create_statements, table_doc
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.transform import DayRange, Query
from analytics_platform.transform.spark import runs_on_spark
from analytics_platform.warehouse.delta.changes import TableChanges, stored
from analytics_platform.warehouse.delta.journal import JOURNAL, STAGED, Journal, JournalStep, Part
from analytics_platform.warehouse.delta.maintenance import maintain, vacuum
from analytics_platform.warehouse.delta.place import WRITTEN, DeltaPlace, explained, schema_of, show
from analytics_platform.warehouse.duckdb import ROW_GROUP, UNKNOWN_NAMES, DuckDBSession, in_memory
from analytics_platform.warehouse.migration import changes
from analytics_platform.warehouse.observation import TableState
from analytics_platform.warehouse.session import BatchCard, Bound, ConflictError, Publication, WarehouseError
from analytics_platform.warehouse.stopping import stopped_by_signals
from analytics_platform.warehouse.versions import explaining_version

_TRIES = 5
"""How often rows are made to be published, when other runs publish the same part meanwhile."""

_THREADS = 16

_NAME = re.compile(r'"?\b([a-z]\w*)\b"?\."?([a-z]\w*)"?')
_STATEMENT = re.compile(r'\s*(INSERT INTO|DELETE FROM|UPDATE)\s+([\w."]+)(.*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class DeltaWarehouse:
    """Delta tables at a place, as they are or were `as_of` a version or time. `memory` is the limit of DuckDB."""

    place: DeltaPlace
    memory: str
    as_of: int | dt.datetime | None = None
    spark_remote: str = field(default="", repr=False)  # it may hold a token

    @property
    def name(self) -> str:
        """The address of the folder or bucket."""
        return self.place.root

    def exists(self) -> bool:
        """Return whether anything was ever stored."""
        with explained(self.place):
            return self.place.table(JOURNAL) is not None

    def maintain(self) -> Iterator[str]:
        """Join small files and delete old versions; yields a sentence for each table that this changed."""
        with explained(self.place):
            yield from maintain(self.place)

    def states(self) -> Iterator[TableState]:
        """Yield each table with the version that sessions read, and its rows."""
        with self.session(read_only=True) as session:
            for name in sorted(session.tables()):
                table = self.place.table(name, self.as_of)
                assert table is not None
                at = dt.datetime.fromtimestamp(table.history(1)[0]["timestamp"] / 1000, dt.UTC)
                yield TableState(name, table.version(), at, table.count())

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[DeltaSession]:
        """Open a DuckDB over the tables. Raises `WarehouseError` for a disk or bucket that cannot be used."""
        with explained(self.place), in_memory(self.memory) as (connection, _):
            if (read_only or self.as_of is not None) and not self.exists():
                remedy = "correct WAREHOUSE_URL, or run `analytics-platform materialize`"
                raise WarehouseError(f"There is no warehouse at {self.name} yet: {remedy}.")
            session = DeltaSession(connection, self.place, read_only, self.as_of, self.spark_remote)
            with stopped_by_signals(connection.interrupt), explaining_version(session, *UNKNOWN_NAMES):
                yield session


class DeltaSession(DuckDBSession):
    """A DuckDB over Delta tables. Outside a transaction a table is what it was when the session first read it."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: DeltaPlace,
        read_only: bool = False,
        as_of: int | dt.datetime | None = None,
        spark_remote: str = "",
    ) -> None:
        super().__init__(connection)
        self._place = place
        self._read_only = read_only or as_of is not None
        self._as_of = as_of
        self._spark_remote = spark_remote
        self._journal = Journal(place)
        self._seen = dict[str, bool]()
        self._changed = dict[str, TableChanges]()
        self._parts = list[Part]()
        self._base = 0

    def _define(self, *texts: str) -> None:
        """Define the functions that SQL calls, and the tables that it names."""
        super()._define(*texts)
        for layer, table in {found for text in texts for found in _NAME.findall(text)}:
            self._see(f"{layer}.{table}")

    def _see(self, name: str) -> None:
        """Make the view of a table, unless it is there."""
        if name in self._seen or name not in CONTRACTS:
            return
        table = self._place.table(name, self._as_of)
        self._seen[name] = table is not None
        if table is not None:
            show(self.connection, stored(name), table)
            self._show(name)

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

    def _changes(self, name: str) -> TableChanges:
        """Return the changes of a table in this transaction."""
        if name not in self._changed:
            self._see(name)
            of = TableChanges(CONTRACTS[name])
            self.connection.execute(of.create())
            self._changed[name] = of
            self._show(name)
        return self._changed[name]

    @contextmanager
    def transaction(self, loading: str = "", publishing: Sequence[tuple[str, DayRange | None]] = ()) -> Iterator[None]:
        """Commit at the end of the `with` block, drop the changes if it raises.

        Raises `ConflictError` if another session has loaded or published the same meanwhile.
        """
        parts = [*([Part(loading)] if loading else []), *(_part(name, days) for name, days in publishing)]
        if self._in_transaction:
            self._parts += parts
            yield
            return
        self._check_writable()
        last = self._journal.settle()
        changed = self._journal.changed_since(self._base)
        self._forget([*self._seen] if changed is None else changed)
        self._base, self._parts, self._in_transaction = last, parts, True
        try:
            yield
            self._commit()
        finally:
            self._in_transaction = False
            self._forget(self._changed)
            for of in self._changed.values():
                self.connection.execute(f"DROP TABLE {quote_table(of.added)}; DROP TABLE {quote_table(of.gone)}")
            self._changed.clear()

    def _commit(self) -> None:
        """Stage what was changed, and enter it in the journal."""
        staged = uuid.uuid4().hex
        steps = [step for of in self._changed.values() if (step := self._stage(of, f"{STAGED}/{staged}"))]
        if steps:
            last = self._journal.commit(self._base, staged, self._parts, steps)
            changed = self._journal.changed_since(self._base)
            self._forget([*self._seen] if changed is None else changed)
            self._base = last

    def _stage(self, of: TableChanges, folder: str) -> JournalStep | None:
        """Write what a table gains and loses where nobody reads it yet; None if nothing changed."""
        name = of.contract.table.name
        if of.conditions and "TRUE" not in of.conditions and self.count(of.gone):
            lost = " OR ".join(f"({each})" for each in of.conditions)
            of.conditions.clear()
            self.connection.execute(of.delete(lost))
        rows, how, condition = f"FROM {quote_table(of.added)}", "append", ""
        if of.conditions:
            condition = "" if "TRUE" in of.conditions else " OR ".join(f"({each})" for each in of.conditions)
            how = "overwrite"
        elif self.count(of.gone):
            rows, how, condition = of.merged(), "merge", of.same("kept", "staged")
        elif not self.count(of.added):
            return None
        place = f"{folder}/{name.replace('.', '_')}"
        result = self.connection.sql(f"SELECT * FROM ({rows})").to_arrow_reader(ROW_GROUP)
        write_deltalake(
            self._place.uri(place), result, storage_options=dict(self._place.options), writer_properties=WRITTEN
        )
        return JournalStep(name, how, condition, place)

    def execute(self, sql: str, parameters: Bound = None) -> None:
        """Run a statement that changes rows, of one table by a condition on its own columns."""
        found = _STATEMENT.match(sql)
        name = found[2].replace('"', "") if found else ""
        if found is None or name not in CONTRACTS:
            super().execute(sql, parameters)
            return
        with self.transaction():
            of, rest = self._changes(name), found[3]
            if found[1] == "DELETE FROM":
                self._run(of.delete(rest.partition("WHERE")[2] or "TRUE"), parameters)
            elif found[1] == "UPDATE":
                which = rest.rpartition("WHERE")[2] if "WHERE" in rest else "TRUE"
                moving = f"SELECT * FROM ({of.kept}) AS kept WHERE {which}"
                self._run(f"CREATE OR REPLACE TEMP TABLE moving AS {moving}", parameters)
                self.connection.execute(of.replace("moving"))
            self._run(f"{found[1]} {quote_table(of.added)}{rest}", parameters)

    def _run(self, sql: str, parameters: Bound) -> None:
        """Run a statement with those of the parameters that it names."""
        named = {name: value for name, value in (parameters or {}).items() if re.search(rf"\${name}\b", sql)}
        super().execute(sql, named)

    def insert(self, table: str, frame: pl.DataFrame, defaults: Mapping[str, str] = MappingProxyType({})) -> None:
        """Append the rows of a frame."""
        with self.transaction():
            super().insert(self._changes(table).added, frame, defaults)

    @contextmanager
    def batch(self, contract: ContractType, cards: Sequence[BatchCard]) -> Iterator[DuckDBSession]:
        """Yield this session, in one transaction in which nobody else loads into the table."""
        with self.transaction(contract.table.name), super().batch(contract, cards):
            yield self

    def publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        """Replace the published part of a table by `rows`, audited before they are staged.

        They are made again if another run has published the same part meanwhile.
        """
        self.ensure(contract)
        for _ in range(1 if self._in_transaction else _TRIES - 1):
            with suppress(ConflictError):
                return self._publish(contract, rows, days)
        return self._publish(contract, rows, days)

    def _publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        name, is_nested = contract.table.name, self._in_transaction
        with self.transaction(publishing=[(name, days)]):
            of = self._changes(name)
            if isinstance(rows, Query) and self._spark_remote and not is_nested and runs_on_spark(rows.sql):
                rows = self._made_on_spark(contract, rows)
            if isinstance(rows, Query):
                self._define(rows.sql)
            self._define(*contract.table.foreign_keys.values())
            make = next(each for each in create_statements(contract) if each.startswith("CREATE TABLE"))
            self.connection.execute(f"DROP VIEW {quote_table(name)}; {make}")
            try:
                publication = super().publish(contract, rows, days)
                if not publication.breaches:
                    is_other = self._take(of, rows, days)
                    publication = replace(publication, changed=is_other or not is_nested)
            finally:
                self.connection.execute(f"DROP TABLE {quote_table(name)}")
                self._show(name)
        return publication

    def _made_on_spark(self, contract: ContractType, query: Query) -> Query:
        """Have Spark compute the rows of a query; what changed within the transaction only this session sees."""
        try:
            from analytics_platform.warehouse.delta.spark import Spark
        except ModuleNotFoundError as error:
            words = "SPARK_REMOTE needs a package more: pip install 'analytics-platform[spark]'."
            raise WarehouseError(words) from error
        named = {f"{layer}.{table}" for layer, table in _NAME.findall(query.sql)} & set(CONTRACTS)
        tables = {name: table for name in named if (table := self._place.table(name)) is not None}
        self.connection.register("computed", Spark(self._spark_remote).rows(contract, query, tables))
        return replace(query, sql="SELECT * FROM computed", parameters={}, model="")

    def _take(self, of: TableChanges, rows: Query | pl.DataFrame, days: DayRange | None) -> bool:
        """Take the rows that were made into the changes of their table. Returns whether that changes a row."""
        query = rows if isinstance(rows, Query) else Query("", {})
        table = of.contract.table
        new, columns = quote_table(table.name), ", ".join(map(quote, column_types(of.contract)))
        if table.write == "upsert":
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE other AS SELECT {columns} FROM {new} EXCEPT ({of.current}); "
                f"{of.delete(f'({query.covers}) AND NOT {of.has_same(new)}')}; "
                f"DELETE FROM {quote_table(of.added)} AS kept WHERE ({query.covers}) AND NOT {of.has_same(new)}"
            )
            self.connection.execute(of.replace("other"))
            return self.count("other") + self.count(of.gone) > 0
        within = "TRUE"
        if days is not None and table.partition is not None:
            within = days.holds(table.partition)
        part = f"({within}) AND ({query.part})"
        hashes = "SELECT count(*), sum(hash(part)) FROM (SELECT {} FROM {}) AS part"
        before = self.one(hashes.format(columns, f"({of.current}) AS rows WHERE {part}"))
        if before == self.one(hashes.format(columns, new)):
            return False  # no version of the table for what is as it was
        self.connection.execute(f"DELETE FROM {quote_table(of.added)} WHERE {part}")
        if query.part == "TRUE":
            of.conditions = ["TRUE"] if within == "TRUE" else [*of.conditions, within]
        else:
            self.connection.execute(of.delete(part))
        self.connection.execute(f"INSERT INTO {quote_table(of.added)} BY NAME SELECT * FROM {new}")
        return True

    def forget_history(self) -> None:
        """Delete the files of earlier versions of all tables. Who reads one of these now has to ask again."""
        self._check_writable()
        self._journal.settle()
        for name in self.tables():
            vacuum(self._place, name, hours=0)

    def tables(self) -> set[str]:
        """Return the names (`schema.table`) of the tables that exist."""
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(self._exists, CONTRACTS)
            return {name for name, is_there in zip(CONTRACTS, found, strict=True) if is_there}

    def _exists(self, name: str) -> bool:
        try:
            return self._place.table(name, self._as_of) is not None
        except WarehouseError:
            if self._as_of is None:
                raise
            return False  # there was none at that time

    def ensure(self, *contracts: ContractType) -> None:
        """Create the tables that are missing, and migrate the others. Raises `WarehouseError` if values would be lost.

        That is no part of a transaction: a table more, or a column, is one without rows, or without values.
        """
        for contract in (each for each in contracts if each not in self._ensured):
            if (table := self._place.table(contract.table.name)) is None:
                self._create(contract)
            else:
                self._migrate_table(contract, table)
            self._ensured.add(contract)

    def columns(self, *contracts: ContractType) -> dict[str, tuple[Mapping[str, str], Mapping[str, str]]]:
        """Return of each table the columns that are stored and those that are promised."""
        for contract in contracts:
            self._see(contract.table.name)
        return super().columns(*contracts)

    def replace(self, *contracts: ContractType) -> None:
        """Replace tables by empty ones; what they were can still be read as of then."""
        for contract in contracts:
            self._create(contract, "overwrite")
            self._ensured.add(contract)

    def _create(self, contract: ContractType, mode: Literal["ignore", "overwrite"] = "ignore") -> None:
        name = contract.table.name
        self._check_writable()
        DeltaTable.create(
            self._place.uri(name),
            schema_of(contract),
            mode=mode,
            name=name,
            description=table_doc(contract)[:1000],
            storage_options=dict(self._place.options),
        )
        self._seen.pop(name, None)

    def _check_writable(self) -> None:
        if self._read_only:
            raise WarehouseError(f"The warehouse {self._place.root} is opened for reading only.")

    def _migrate_table(self, contract: ContractType, table: DeltaTable) -> None:
        name, promised = contract.table.name, column_types(contract)
        self.connection.register("migrating", table.to_pyarrow_dataset())
        needed = changes(name, self._types("DESCRIBE FROM migrating"), promised)
        if needed.widened:
            self._check_writable()
            kept = ", ".join(
                f"CAST({quote(x)} AS {promised[x]}) AS {quote(x)}" for x in promised if x not in needed.added
            )
            rows = self.connection.sql(f"SELECT {kept} FROM migrating").to_arrow_reader(ROW_GROUP)
            write_deltalake(table, rows, mode="overwrite", schema_mode="overwrite", writer_properties=WRITTEN)
        if needed.added:
            self._check_writable()
            fields = {field.name: field for field in schema_of(contract).fields}
            table.alter.add_columns([fields[column] for column in needed.added])
        self.connection.unregister("migrating")
        self._seen.pop(name, None) if needed.widened or needed.added else None


def _part(name: str, days: DayRange | None) -> Part:
    """Return what is published of a table: its days, or all of it where other days change too."""
    return Part.of(name, days if CONTRACTS[name].table.write == "days" else None)
