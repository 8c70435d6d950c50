"""The check that stops the run: no batch and no day may have more rejected rows than the threshold allows.

It is about what is stored, so it stops a run without new data too, until the rejected rows are settled: the file came
again, the contract was changed and the rows replayed, or a person withdrew or accepted the batch.
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.error_rate import describe_breaches, error_rates, remedy
from analytics_platform.warehouse.ledger import acceptances

ERROR_RATE = "error_rate"


def error_rate_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Specify the check on an asset."""
    return dg.AssetCheckSpec(
        name=ERROR_RATE,
        asset=key,
        description="No batch and no day has more rejected rows that are not settled than MAX_ERROR_RATE.",
        blocking=True,
    )


def check_error_rate(
    session: Session,
    key: dg.AssetKey,
    max_error_rate: float,
    sources: Collection[str],
    days: DayRange | None = None,
) -> tuple[dg.AssetCheckResult, str | None]:
    """Give the check's result, and the sentence to stop with if it failed; of some sources, within `days` if given."""
    rates = [breach for breach in error_rates(session, max_error_rate, days) if breach.source in sources]
    above = [breach for breach in rates if breach.error_rate > max_error_rate]
    breaches, unchecked = ([each for each in above if each.is_checked is checked] for checked in (True, False))
    metadata: dict[str, dg.MetadataValue] = {
        "threshold": dg.MetadataValue.float(max_error_rate),
        "worst rate": dg.MetadataValue.float(max((breach.error_rate for breach in rates), default=0.0)),
    }
    words = acceptances(session)
    if words:
        metadata["accepted batches"] = dg.MetadataValue.text("\n".join(map(str, words)))
    text = None
    if unchecked:
        metadata["too few rows to check"] = dg.MetadataValue.text("\n".join(map(str, unchecked)))
        which = "batch or day" if len(unchecked) == 1 else "batches or days"
        text = f"Above the threshold, with too few rows to check: {len(unchecked):,} {which}."
    if breaches:
        text = describe_breaches(session, max_error_rate, breaches)
        what_to_do = remedy(session, max_error_rate, breaches)
        metadata["above the threshold"] = dg.MetadataValue.text("\n".join(map(str, breaches)))
        metadata["what to do"] = dg.MetadataValue.text(what_to_do)
    result = dg.AssetCheckResult(
        asset_key=key,
        check_name=ERROR_RATE,
        passed=not breaches,
        severity=dg.AssetCheckSeverity.ERROR,
        description=text,
        metadata=metadata,
    )
    stop = f"error_rate: {text}; allowed is {max_error_rate:.2%}. {what_to_do}" if breaches else None
    return result, stop
