"""The one place that says how the text of raw input becomes a value of each type a contract may promise.

Nothing is coerced: text that is not of the type becomes null, and the record is rejected for it. Only amounts are
rounded, to the decimals that the contract gives them.
"""

from __future__ import annotations

import duckdb
import polars as pl

from analytics_platform.gate.types import INSTANT, to_instants, to_json

_WHOLE = r"^-?[0-9]{1,18}$"
_AMOUNT = r"^-?[0-9]{1,10}(\.[0-9]+)?$"
"""An amount of money below ten billion, so that no sum over orders overflows."""


def kind_of(dtype: pl.DataType, is_json: bool) -> str:
    """Say what text must be to become a value of this type: `a time`."""
    if is_json:
        return "JSON"
    if dtype == INSTANT:
        return "a time"
    if isinstance(dtype, pl.Decimal):
        return "an amount"
    kinds = {pl.Int64: "a whole number", pl.Float64: "a number", pl.Boolean: "true or false", pl.Date: "a date"}
    return next(words for kind, words in kinds.items() if dtype == kind)


def convert(text: pl.Series, dtype: pl.DataType, is_json: bool, engine: duckdb.DuckDBPyConnection) -> pl.Series:
    """Convert text to a type; null where it is not of the type. JSON is validated by `engine`.

    Raises `TypeError` for a type that raw input cannot have.
    """
    if is_json:
        return to_json(text, engine)
    if dtype == pl.String:
        return text
    if dtype == INSTANT:
        return to_instants(text)
    if dtype == pl.Int64:
        return _matching(text, _WHOLE).cast(pl.Int64)
    if isinstance(dtype, pl.Decimal):
        return _round(_matching(text, _AMOUNT), dtype, engine)
    if dtype == pl.Float64:
        number = text.cast(pl.Float64, strict=False)
        return number.set(~number.is_finite(), None)
    if dtype == pl.Boolean:
        return text.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    raise TypeError(f"the gate cannot read {text.name} as {dtype}")


def _matching(text: pl.Series, pattern: str) -> pl.Series:
    return text.set(~text.str.contains(pattern), None)


def _round(text: pl.Series, dtype: pl.Decimal, engine: duckdb.DuckDBPyConnection) -> pl.Series:
    """Round numbers in plain notation to amounts, half a unit away from zero, as the models do it."""
    written = pl.DataFrame({"amount": text}).to_arrow(compat_level=pl.CompatLevel.newest())
    engine.register("written", written)
    amounts = engine.sql(f"SELECT CAST(amount AS DECIMAL({dtype.precision}, {dtype.scale})) AS amount FROM written")
    rounded = pl.Series(pl.from_arrow(amounts.to_arrow_table()["amount"]))
    engine.unregister("written")
    return rounded.alias(text.name)
