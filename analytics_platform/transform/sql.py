"""SQL as text and as trees: files with one SELECT, the tables it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import sqlglot
from sqlglot import exp

from analytics_platform.errors import UserError


class ModelError(UserError):
    """A SQL file cannot be used; the message names the file and the remedy."""


def read_sql(path: Path) -> str:
    """Read a SQL file. Raises `ModelError` if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8.") from None


def parse(path: Path, sql: str) -> exp.Query:
    """Parse the one SELECT of a file. Raises `ModelError` if it holds anything else."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        words = " ".join(str(error).partition(".\n")[0].split())  # the lines behind it repeat the SQL
        remedy = "close the quote or comment" if isinstance(error, sqlglot.errors.TokenError) else "correct it there"
        raise ModelError(f"{path}: not one SQL statement: {words}: {remedy}.") from None
    if not isinstance(tree, exp.Query):
        raise ModelError(f"{path}: a model is one SELECT, not {tree.key.upper()}.")
    return tree


def tables_in(tree: exp.Query) -> tuple[str, ...]:
    """List the tables that a query names, in order of appearance; CTEs have no schema and are left out."""
    tables = (table for table in tree.find_all(exp.Table) if table.db)
    return tuple(dict.fromkeys(f"{table.db}.{table.name}" for table in tables))


def put_queries(tree: exp.Query, queries: Mapping[str, str]) -> exp.Query:
    """Put a query in the place of each table that is named."""
    for node in list(tree.find_all(exp.Table)):
        if sql := queries.get(f"{node.db}.{node.name}"):
            alias = exp.TableAlias(this=exp.to_identifier(node.alias_or_name))
            node.replace(exp.Subquery(this=sqlglot.parse_one(sql, dialect="duckdb"), alias=alias))
    return tree
