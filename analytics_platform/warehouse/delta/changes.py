"""What a transaction changes of a table before it is committed: rows that go, and rows that are added.

Both lie in DuckDB's memory. The table itself is a view over what is stored, without the one and with the other, so all
SQL sees the change as it would in a database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import quote, quote_table

_NAME = re.compile(r'"?\b([a-z]\w*)\b"?\."?([a-z]\w*)"?')


@dataclass(slots=True)
class TableChanges:
    """TableChanges of a table: `conditions` select stored rows that go, as do the keys in the table `gone`."""

    contract: ContractType
    conditions: list[str] = field(default_factory=list)

    @property
    def added(self) -> str:
        """The table of the rows that are added."""
        return f"added_{self.contract.table.name}"

    @property
    def gone(self) -> str:
        """The table of the keys of stored rows that go."""
        return f"gone_{self.contract.table.name}"

    @property
    def stored(self) -> str:
        """The table as it is stored."""
        return stored(self.contract.table.name)

    @property
    def key(self) -> Sequence[str]:
        """The columns by which rows that go are known: with the day, so that no files of other days are read."""
        table, columns = self.contract.table, self.contract.columns
        has_day = table.partition is not None and not columns[table.partition].nullable
        return tuple(dict.fromkeys((*table.key, *([str(table.partition)] if has_day else []))))

    @property
    def keys(self) -> str:
        """Write the columns of the key as a list."""
        return ", ".join(map(quote, self.key))

    def same(self, one: str, other: str) -> str:
        """Write the condition that rows have the same key."""
        return " AND ".join(f"{one}.{quote(name)} = {other}.{quote(name)}" for name in self.key)

    @property
    def kept(self) -> str:
        """Write the query for the stored rows that stay."""
        columns = ", ".join(map(quote, column_types(self.contract)))
        staying = [f"NOT coalesce({each}, false)" for each in self.conditions]
        staying.append(f"NOT EXISTS (SELECT 1 FROM {quote_table(self.gone)} AS gone WHERE {self.same('gone', 'kept')})")
        return f"SELECT {columns} FROM {self.stored} AS kept WHERE {' AND '.join(staying)}"

    @property
    def current(self) -> str:
        """Write the query for the rows as they are in the transaction."""
        columns = ", ".join(map(quote, column_types(self.contract)))
        return f"{self.kept} UNION ALL SELECT {columns} FROM {quote_table(self.added)}"

    def create(self) -> str:
        """Write the statements that make both tables, empty."""
        types = column_types(self.contract)
        parts = ((self.added, types), (self.gone, {name: types[name] for name in self.key}))
        statements = []
        for name, columns in parts:
            named = ", ".join(f"{quote(column)} {kind}" for column, kind in columns.items())
            statements.append(f"CREATE SCHEMA IF NOT EXISTS {quote(name.partition('.')[0])}")
            statements.append(f"CREATE OR REPLACE TABLE {quote_table(name)} ({named})")
        return "; ".join(statements)

    def delete(self, condition: str) -> str:
        """Write the statement by which stored rows go."""
        return f"INSERT INTO {quote_table(self.gone)} SELECT {self.keys} FROM ({self.kept}) AS kept WHERE {condition}"

    def has_same(self, table: str) -> str:
        """Write the condition that `table` has a row with the key of one that is stored."""
        return f"EXISTS (SELECT 1 FROM {table} AS new WHERE {self.same('new', 'kept')})"

    def replace(self, table: str) -> str:
        """Write the statements that put the rows of `table` in place of those with the same keys."""
        added = quote_table(self.added)
        return (
            f"{self.delete(self.has_same(table))}; "
            f"DELETE FROM {added} AS old USING {table} AS new WHERE {self.same('new', 'old')}; "
            f"INSERT INTO {added} BY NAME SELECT * FROM {table}"
        )

    def merged(self) -> str:
        """Write the query for all that a merge needs: rows to `put`, and those that only go."""
        added, types = quote_table(self.added), column_types(self.contract)
        absent = ", ".join(
            f"gone.{quote(name)}" if name in self.key else f"CAST(NULL AS {kind}) AS {quote(name)}"
            for name, kind in types.items()
        )
        return (
            f"SELECT {', '.join(map(quote, types))}, true AS put FROM {added} UNION ALL "
            f"SELECT {absent}, false AS put FROM (SELECT DISTINCT * FROM {quote_table(self.gone)}) AS gone "
            f"WHERE NOT EXISTS (SELECT 1 FROM {added} AS added WHERE {self.same('added', 'gone')})"
        )


def stored(name: str) -> str:
    """Return the name under which DuckDB knows the table as it is stored."""
    return f"stored_{name.replace('.', '_')}"


def names_in(sql: str) -> set[str]:
    """Return the tables that SQL names."""
    return {f"{layer}.{table}" for layer, table in _NAME.findall(sql)} & set(CONTRACTS)
