"""How a model is run on the warehouse in use. Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange, Model, plan
from analytics_platform.warehouse.session import QueryPlan, Session, WarehouseError


@dataclass(frozen=True, slots=True)
class Explained:
    """The plans of a model. `days` are those it was run for; None for a table that is always made as a whole."""

    model: Model
    days: DayRange | None
    plans: tuple[QueryPlan, ...]


def explain_model(
    session: Session, model: Model, days: DayRange | None, settings: Mapping[str, int | str]
) -> Explained:
    """Run the model for `days` (None: the last day with events), keep nothing, and tell how it was done.

    Raises `WarehouseError` if a table it reads is not built yet, or there is no event and so no last day.
    """
    existing = session.tables()
    for name in model.inputs:
        if name not in existing:
            raise WarehouseError(
                f"{model.name} cannot be explained, {name} is not there yet: materialize the assets first."
            )
    if CONTRACTS[model.name].table.write == "whole":
        days = None
    elif days is None:
        sql = "SELECT max(event_date) FROM cleaned.events"
        (last,) = session.one(sql) if "cleaned.events" in existing else (None,)
        if last is None:
            raise WarehouseError("There is no event yet, so no day to explain: name the days with --days.")
        days = DayRange(last, last)
    return Explained(model, days, tuple(session.explain(plan(model, days, settings))))
