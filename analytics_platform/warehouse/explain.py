"""How a model is run on the warehouse in use. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange, Model, plan
from analytics_platform.warehouse.session import Session, one
from analytics_platform.warehouse.types import QueryPlan, WarehouseError


@dataclass(frozen=True, slots=True)
class Explained:
    """The plans of a model. `days` are those it was run for; None for a table that is always made as a whole."""

    model: Model
    days: DayRange | None
    plans: tuple[QueryPlan, ...]


def explain_model(session: Session, model: Model, days: DayRange | None, settings: Mapping[str, int]) -> Explained:
    """Run the model for `days` (None: the last day with events), keep nothing, and tell how it was done.

    Raises `WarehouseError` if a table it reads is not built yet.
    """
    missing = [name for name in model.inputs if name not in session.tables()]
    if missing:
        raise WarehouseError(
            f"{model.name} cannot be explained, {missing[0]} is not there yet: materialize the assets first."
        )
    is_whole = CONTRACTS[model.name].table.write == "whole"
    chosen = None if is_whole else days or _last_day(session)
    return Explained(model, chosen, tuple(session.explain(plan(model, chosen, settings))))


def _last_day(session: Session) -> DayRange:
    exists = "cleaned.events" in session.tables()
    (day,) = one(session, "SELECT max(event_date) FROM cleaned.events") if exists else (None,)
    if day is None:
        raise WarehouseError("There is no event yet, so no day to explain: name the days with --days.")
    return DayRange(day, day)
