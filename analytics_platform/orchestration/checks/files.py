"""The checks that every file in the landing folder can be read, and that every batch in the lake is loaded.

A bad one does not hold up the others: they flow through to the marts. But the run ends as failed, so that the tables
are not taken for complete.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import dagster as dg

from analytics_platform.errors import UserError
from analytics_platform.lake import Lake
from analytics_platform.orchestration.assets.metadata import asset_key
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.orchestration.assets.tables import POOL
from analytics_platform.orchestration.resources import WarehouseResource
from analytics_platform.orchestration.retries import failure
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import find_unreadable
from analytics_platform.sources.source import Source
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import unloaded_batches

FILES_READABLE = "files_readable"
BATCHES_LOADED = "batches_loaded"
SHOWN = 20
"""Bad ones that are named in a sentence each; all are in the metadata."""

Find: TypeAlias = Callable[[Settings, Lake, WarehouseResource], Mapping[str, str]]
"""Finds what is bad: its name → a sentence about it."""


def files_readable_check(source: Source) -> dg.AssetChecksDefinition:
    """The check on a raw asset: fails, and fails the run, if a file in the source's landing folder was rejected."""

    def find(settings: Settings, lake: Lake, warehouse: WarehouseResource) -> Mapping[str, str]:
        return describe_unreadable(source, settings, lake)

    words = "Every finished file in the landing folder has the required columns and can be decompressed."
    return _check(source, FILES_READABLE, raw_key(source), words, find)


def describe_unreadable(source: Source, settings: Settings, lake: Lake) -> dict[str, str]:
    """Return the files of a source that are rejected: name → a sentence with what to do."""
    place, run = f"{settings.landing_place}/{source.name}", "then run `analytics-platform materialize`"
    return {
        name: f"{place}/{name}: {why.rstrip('.')}{'' if ';' in why else '; correct it or remove it'}, {run}."
        for name, why in find_unreadable(source, settings, lake).items()
    }


def batches_loaded_check(source: Source) -> dg.AssetChecksDefinition:
    """The check on a gate: fails, and fails the run, if a batch of the source was set aside."""

    def find(settings: Settings, lake: Lake, warehouse: WarehouseResource) -> Mapping[str, str]:
        with warehouse.session(read_only=True) as session:
            return find_unloaded(session, source)

    words = "Every batch in the lake is loaded, but for those that a person withdrew."
    return _check(source, BATCHES_LOADED, asset_key(source.contract.table.name), words, find)


def find_unloaded(session: Session, source: Source) -> dict[str, str]:
    """Return the batches of a source that were set aside: id → a sentence with what to do."""
    return {each.batch_id: str(each) for each in unloaded_batches(session) if each.source == source.name}


def lines_of(check: str, found: Mapping[str, str]) -> list[str]:
    """Write what a check found for the end of a run, a line each; more than `SHOWN` are counted."""
    others = "`analytics-platform status` names all" if check == FILES_READABLE else "all are in ops.set_aside"
    more = [f"and {len(found) - SHOWN:,} more; {others}"] if len(found) > SHOWN else []
    return [f"{check}: {words}" for words in [*list(found.values())[:SHOWN], *more]]


def _check(source: Source, name: str, key: dg.AssetKey, description: str, find: Find) -> dg.AssetChecksDefinition:
    """Make a check on an asset that fails the run if something bad is found."""
    spec = dg.AssetCheckSpec(name, asset=key, description=description)

    @dg.multi_asset_check(name=f"{source.name}_{name}", specs=[spec], pool=POOL)
    def check(
        settings: dg.ResourceParam[Settings],
        lake: dg.ResourceParam[Lake],
        warehouse: dg.ResourceParam[WarehouseResource],
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            found = find(settings, lake, warehouse)
        except UserError as error:
            raise failure(error) from None
        lines = lines_of(name, found)
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR,
            description="\n".join(line.removeprefix(f"{name}: ") for line in lines) or None,
            metadata={which: dg.MetadataValue.text(sentence) for which, sentence in found.items()},
        )
        if found:
            raise dg.Failure("\n".join(lines), allow_retries=False)

    return check
