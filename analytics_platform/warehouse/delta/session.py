"""The warehouse in Delta tables: a DuckDB in memory reads them where they lie, and computes; commits write them.

It is the code of the DuckDB warehouse, over views of what is stored, so the rows are the same.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import duckdb
import polars as pl
from deltalake import DeltaTable

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, create_statements
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.transform import DayRange, Query
from analytics_platform.transform.spark import runs_on_spark
from analytics_platform.warehouse.delta.changes import TableChanges, names_in
from analytics_platform.warehouse.delta.failures import again
from analytics_platform.warehouse.delta.journal import STAGED, JournalStep, Part
from analytics_platform.warehouse.delta.maintenance import forget
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform.warehouse.delta.tables import DeltaTables
from analytics_platform.warehouse.duckdb import ROW_GROUP, DuckDBSession
from analytics_platform.warehouse.session import (
    BatchCard,
    Bound,
    ConflictError,
    Publication,
    WarehouseError,
)

if TYPE_CHECKING:
    from analytics_platform.warehouse.delta.spark import Spark

_TRIES = 5
"""How often rows are made to be published, when other runs publish the same part meanwhile."""

_STATEMENT = re.compile(r'\s*(INSERT INTO|DELETE FROM|UPDATE)\s+([\w."]+)(.*)', re.DOTALL)


class DeltaSession(DeltaTables):
    """A DuckDB over Delta tables, and the transactions that change them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: DeltaPlace,
        read_only: bool = False,
        as_of: int | dt.datetime | None = None,
        spark_remote: str = "",
    ) -> None:
        super().__init__(connection, place, read_only, as_of)
        self._spark_remote = spark_remote
        self._parts = list[Part]()
        self._steps = list[JournalStep]()
        self._staged = ""
        self._base = 0

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
        self._steps, self._staged = [], f"{STAGED}/{uuid.uuid4().hex}"
        try:
            with self._naming_damage():
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
        try:
            made = (self._stage(of, self._staged) for of in self._changed.values())
            steps = [*self._steps, *(step for step in made if step)]
            if steps:
                self._place.check_room(self._staged)
        except BaseException:
            self._place.delete(self._staged)  # on a full disk it would keep the room that is lacking
            raise
        if steps:
            try:
                last = self._journal.commit(self._base, self._staged.removeprefix(f"{STAGED}/"), self._parts, steps)
            except ConflictError:
                self._place.delete(self._staged)  # no entry has it: a person who is erased would stay in it
                raise
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
        place = f"{folder}/{_folder(name)}"
        # Left open by a write that fails, the result would hide why: DuckDB then refuses the next statement.
        with self.connection.sql(f"SELECT * FROM ({rows})").to_arrow_reader(ROW_GROUP) as result:
            self._place.write(place, result)
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
        publish = self._publish if self._in_transaction else again(self._publish)
        for _ in range(1 if self._in_transaction else _TRIES - 1):
            with suppress(ConflictError):
                return publish(contract, rows, days)
        return publish(contract, rows, days)

    def _publish(self, contract: ContractType, rows: Query | pl.DataFrame, days: DayRange | None) -> Publication:
        name, is_nested = contract.table.name, self._in_transaction
        with self.transaction(publishing=[(name, days)]):
            # What changed within a transaction only this session sees.
            if isinstance(rows, Query) and self._spark_remote and not is_nested and runs_on_spark(rows.sql):
                if contract.table.write != "upsert":
                    return self._staged_by_spark(contract, rows, days)
                rows = self._made_by_spark(contract, rows)
            of = self._changes(name)
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

    def _staged_by_spark(self, contract: ContractType, query: Query, days: DayRange | None) -> Publication:
        """Have Spark compute and check the rows of days, or of a whole table, where they are staged."""
        name, folder = contract.table.name, f"{self._staged}/{_folder(contract.table.name)}"
        within = _within(contract, days)
        spark, tables = self._spark(contract, query)
        try:
            results, changed = spark.stage(contract, query, tables, folder, within)
        except BaseException:
            self._place.delete(self._staged)
            raise
        publication = Publication(results[0].checked, results)
        if publication.breaches or not changed:  # no version of the table for what is as it was
            self._place.delete(self._staged)
        else:
            self._steps.append(JournalStep(name, "overwrite", "" if within == "TRUE" else within, folder))
        return publication

    def _made_by_spark(self, contract: ContractType, query: Query) -> Query:
        """Have Spark compute the rows of a table that is merged by its key: a row for each client, user or product."""
        spark, tables = self._spark(contract, query)
        self.connection.register("computed", spark.rows(contract, query, tables))
        return replace(query, sql="SELECT * FROM computed", parameters={}, model="")

    def _spark(self, contract: ContractType, query: Query) -> tuple[Spark, dict[str, DeltaTable]]:
        """Return the server, and what it reads: inputs, dimensions that rows refer to, and the table as it is."""
        try:
            from analytics_platform.warehouse.delta.spark import Spark
        except ModuleNotFoundError as error:
            words = "SPARK_REMOTE needs a package more: pip install 'analytics-platform[spark]'."
            raise WarehouseError(words) from error
        named = names_in(query.sql) | {contract.table.name, *contract.table.foreign_keys.values()}
        tables = {name: table for name in sorted(named) if (table := self._open(name)) is not None}
        return Spark(self._spark_remote, self._place), tables

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
        within = _within(of.contract, days)
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
        forget(self._place, self.tables())


def _folder(name: str) -> str:
    """Name the folder in which rows of a table are staged."""
    return name.replace(".", "_")


def _within(contract: ContractType, days: DayRange | None) -> str:
    """Write the condition that a row is in the part that is published."""
    return days.holds(contract.table.partition) if days and contract.table.partition else "TRUE"


def _part(name: str, days: DayRange | None) -> Part:
    """Return what is published of a table: its days, or all of it where other days change too."""
    return Part.of(name, days if CONTRACTS[name].table.write == "days" else None)
