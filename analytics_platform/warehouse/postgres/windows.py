"""What a query reads of each table: which columns, and which rows at least.

Read from the query itself. More than it reads is harmless, for the query is run over what was fetched just as it would
be over the whole tables; less is never allowed. So a condition counts only if it is on one table alone and PostgreSQL
judges it as DuckDB does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

_CONNECTIVES = (exp.And, exp.Or, exp.Not, exp.Paren, exp.Tuple)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.In, exp.Is)
_ORDERINGS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_VALUES = (exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Placeholder, exp.Parameter, exp.Cast, exp.DataType)
_DATES = ("DATE", "TIMESTAMP WITH TIME ZONE", "BIGINT")
"""Types that both databases put in the same order. Text is not among them: PostgreSQL sorts it by the collation."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of `table` that a query reads. Without a `condition` it is all rows."""

    table: str
    columns: tuple[str, ...]
    condition: exp.Expr | None


@dataclass(frozen=True, slots=True)
class _Source:
    """A mention of a table in a query, and the types of the columns of all tables."""

    table: str
    alias: str
    schema: Mapping[str, Mapping[str, str]]

    @property
    def types(self) -> Mapping[str, str]:
        """Column → DuckDB type; empty for a table that is none of ours."""
        return self.schema.get(self.table, {})


def windows_of(tree: exp.Expr, schema: Mapping[str, Mapping[str, str]]) -> list[Window]:
    """The windows of a query on the tables of `schema` (table → column → DuckDB type); other tables are left out."""
    found: dict[str, list[exp.Table]] = {}
    for node in tree.find_all(exp.Table):
        name = f"{node.db}.{node.name}"
        if node.db and name in schema:
            found.setdefault(name, []).append(node)
    named = {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}
    return [_window(name, nodes, named, schema) for name, nodes in found.items()]


def _window(table: str, nodes: list[exp.Table], named: set[str], schema: Mapping[str, Mapping[str, str]]) -> Window:
    types = schema[table]
    everything = any(_is_starred(node) for node in nodes)
    columns = [name for name in types if everything or name in named]
    # Without any column there would be no rows to count.
    return Window(table, tuple(columns) or (next(iter(types)),), _either([_conditions(node, schema) for node in nodes]))


def _either(mentions: list[dict[str, exp.Expr]]) -> exp.Expr | None:
    """The rows of any mention. One that asks for more than another does has no rows of its own."""
    least = [
        mention
        for place, mention in enumerate(mentions)
        if not any(
            other.keys() < mention.keys() or (other.keys() == mention.keys() and number < place)
            for number, other in enumerate(mentions)
        )
    ]
    return exp.or_(*(exp.and_(*mention.values()) for mention in least)) if all(least) else None


def _select(node: exp.Expr) -> exp.Select | None:
    """The SELECT in whose FROM or JOIN the node stands."""
    parent = node.parent
    if isinstance(parent, exp.From | exp.Join) and isinstance(parent.parent, exp.Select):
        return parent.parent
    return None


def _levels(node: exp.Table) -> Iterator[tuple[exp.Expr, exp.Select]]:
    """The SELECTs that hand on the rows of a table as they are, from the inside out, each with its source.

    A plan puts `(SELECT * FROM table WHERE days) AS alias` in place of a table: that is two levels.
    """
    source: exp.Expr = node
    select = _select(source)
    while select is not None:
        yield source, select
        is_wrapper = len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Star)
        bare = not any(select.args.get(name) for name in ("joins", "group", "distinct", "limit", "qualify"))
        if not (is_wrapper and bare and isinstance(select.parent, exp.Subquery)):
            return
        source = select.parent
        select = _select(source)


def _is_starred(node: exp.Table) -> bool:
    """Whether a query uses all columns of a table without naming them."""
    levels = list(_levels(node))
    return not levels or _has_star(levels[-1][1])


def _has_star(select: exp.Select) -> bool:
    stars = (exp.Star, exp.Columns)
    return any(
        isinstance(item, stars) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))
        for item in (part.unalias() for part in select.expressions)
    )


def _conditions(node: exp.Table, schema: Mapping[str, Mapping[str, str]]) -> dict[str, exp.Expr]:
    """What all rows that a query takes from this mention of a table fulfil, as far as PostgreSQL can judge it."""
    found: list[exp.Expr] = []
    table = f"{node.db}.{node.name}"
    for source, select in _levels(node):
        where = select.args.get("where")
        if where is not None and not select.args.get("joins") and not select.args.get("laterals"):
            alias = source.alias_or_name
            parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
            found += [_unqualified(part) for part in parts if _is_plain(part, _Source(table, alias, schema))]
        # Rows of the touched days have touched keys: `key IN (SELECT key …)` holds for them too.
        around = select.parent
        while isinstance(around, exp.Subquery | exp.Union):
            around = around.parent
        if found and isinstance(around, exp.In) and _is_plain(around, _Source(table, around.this.table, schema)):
            found.append(_unqualified(around))
    keys = {part.this.name for part in found if isinstance(part, exp.In)}
    return {part.sql("duckdb"): part for part in found if _present(part) not in keys}


def _present(part: exp.Expr) -> str | None:
    """The column of `column IS NOT NULL`, which a column that is IN something fulfils anyway."""
    is_null = part.this if isinstance(part, exp.Not) else None
    return is_null.this.name if isinstance(is_null, exp.Is) and isinstance(is_null.expression, exp.Null) else None


def _unqualified(part: exp.Expr) -> exp.Expr:
    copy = part.copy()
    for column in copy.find_all(exp.Column):
        column.set("table", None)
    return copy


def _is_plain(part: exp.Expr, source: _Source) -> bool:
    """Whether a condition compares columns of one table with values, in a way both databases agree on."""
    if isinstance(part, _CONNECTIVES):
        return all(_is_plain(child, source) for child in part.iter_expressions())
    if isinstance(part, exp.Column):
        return part.table in ("", source.alias) and source.types.get(part.name.lower(), "JSON") != "JSON"
    if isinstance(part, exp.In) and part.args.get("query") is not None:
        return _is_plain(part.this, source) and _is_plain_query(part.args["query"], source.schema)
    if isinstance(part, _COMPARISONS):
        return all(_is_plain(child, source) for child in part.iter_expressions())
    if isinstance(part, _ORDERINGS):
        columns = list(part.find_all(exp.Column))
        ordered = all(source.types.get(column.name.lower()) in _DATES for column in columns)
        return ordered and all(_is_plain(child, source) for child in part.iter_expressions())
    return isinstance(part, _VALUES) and all(isinstance(inner, _VALUES) for inner in part.walk())


def _is_plain_query(query: exp.Expr, schema: Mapping[str, Mapping[str, str]]) -> bool:
    """`(SELECT column FROM a table WHERE … UNION ALL …)`: the keys that the days that are built touch."""
    if isinstance(query, exp.Subquery):
        return _is_plain_query(query.this, schema)
    if isinstance(query, exp.Union):
        return _is_plain_query(query.left, schema) and _is_plain_query(query.right, schema)
    if not isinstance(query, exp.Select) or len(query.expressions) != 1 or query.args.get("joins"):
        return False
    where, tables = query.args.get("where"), list(query.find_all(exp.Table))
    if len(tables) != 1:
        return False
    inner = _Source(f"{tables[0].db}.{tables[0].name}", tables[0].alias_or_name, schema)
    return _is_plain(query.expressions[0], inner) and where is not None and _is_plain(where.this, inner)
