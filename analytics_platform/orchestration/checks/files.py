"""The check that every file in the landing folder can be read.

An unreadable file does not hold up the others: they flow through to the marts. But the run ends as failed, so that
the tables are not taken for complete.
"""

from collections.abc import Iterator

import dagster as dg

from analytics_platform.lake import FolderLake
from analytics_platform.orchestration.assets.raw import raw_key
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import find_unreadable
from analytics_platform.sources.source import Source

FILES_READABLE = "files_readable"


def files_readable_check(source: Source) -> dg.AssetChecksDefinition:
    """The check on a raw asset: fails, and fails the run, if a file in the source's landing folder was rejected."""
    key = raw_key(source)
    spec = dg.AssetCheckSpec(
        FILES_READABLE,
        asset=key,
        description="Every finished file in the landing folder has the required columns and can be decompressed.",
    )

    @dg.multi_asset_check(name=f"{source.name}_files_readable", specs=[spec])
    def files_readable(
        settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[FolderLake]
    ) -> Iterator[dg.AssetCheckResult]:
        rejected = find_unreadable(source, settings, lake)
        words = "; ".join(f"{settings.landing_dir / source.name / name}: {reason}" for name, reason in rejected.items())
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=FILES_READABLE,
            passed=not rejected,
            severity=dg.AssetCheckSeverity.ERROR,
            description=words or None,
            metadata={name: dg.MetadataValue.text(reason) for name, reason in rejected.items()},
        )
        if rejected:
            raise dg.Failure(f"files_readable: {words}", allow_retries=False)

    return files_readable
