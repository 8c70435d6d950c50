"""What a run prints on the terminal: a line per step that filled something, what is wrong, and why steps failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import dagster as dg

from analytics_platform.errors import STOPPED, printable

# Dagster puts what a record is about into this attribute; there is no public name for it.
_META = "dagster_meta"


class ConsoleHandler(logging.Handler):
    """Prints the events of one run, each on one line."""

    def __init__(self) -> None:
        super().__init__()
        self._filled: set[str] = set()
        self._causes: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, if people need it."""
        meta = getattr(record, _META, {})
        event, message = meta.get("dagster_event"), str(meta.get("orig_message") or record.getMessage())
        lines = list[str]()
        if isinstance(event, dg.DagsterEvent):
            lines = [*self._of_event(event, name_of(event))]
        # The end counts the steps whose dependencies failed.
        elif record.levelno >= logging.WARNING and not message.startswith("Dependencies for step"):
            lines = [f"  {record.levelname.lower()}: {message}"]
        for line in lines:
            print(printable(line), flush=True)

    def _of_event(self, event: dg.DagsterEvent, step: str) -> Iterator[str]:
        if event.is_step_materialization and not brought_nothing(event):
            self._filled.add(step)
        elif event.is_step_success and step in self._filled:
            yield f"  {step:40} {event.step_success_data.duration_ms / 1000:8.1f} s"
        elif event.is_step_failure and causes_of(event) != [STOPPED]:  # the command ends with it
            for cause in dict.fromkeys("the same" if cause in self._causes else cause for cause in causes_of(event)):
                yield f"Failed: {step}: {cause}"
            self._causes.update(causes_of(event))
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            # A failed check of severity ERROR fails its step too, whose sentence says the same.
            if not check.passed and check.severity is dg.AssetCheckSeverity.WARN:
                table = ".".join(check.asset_key.path)
                yield f"  warning: {table}, check {check.check_name}: {check.description or 'failed'}"
        elif event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
            yield f"  {step}: {event.message}"


def name_of(event: dg.DagsterEvent) -> str:
    """Name the step of an event as its table is named, if it fills one."""
    return (event.step_key or "").replace("__", ".")


def brought_nothing(event: dg.DagsterEvent) -> bool:
    """Tell whether a materialization is one without news: of a source that is not configured or had no new batch."""
    metadata = event.step_materialization_data.materialization.metadata
    return "not read" in metadata or ("new batches" in metadata and not metadata["new batches"].value)


def causes_of(event: dg.DagsterEvent) -> list[str]:
    """Give the sentences a step failed with; of an unexpected error its type and message."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description).splitlines()
    error = failure.error.cause or failure.error if failure.error else None
    if error and error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt"):
        return [STOPPED]
    return [error.message.strip() if error else "no reason was given"]


@dg.logger(config_schema={}, description="A line per step.")
def console_logger(_: dg.InitLoggerContext) -> logging.Logger:
    """Make the logger of a run."""
    logger = logging.Logger("analytics_platform", logging.DEBUG)
    logger.addHandler(ConsoleHandler())
    return logger
