"""What a run prints on the terminal: a line per step, what is wrong, and the cause of a failure first and last."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import dagster as dg

# Dagster puts what a record is about into this attribute; there is no public name for it.
_META = "dagster_meta"


class RunSummary(logging.Handler):
    """Prints the events of one run in short, and remembers its first cause and the steps that ended."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.cause = ""
        self.ended: set[str] = set()
        self._stream = stream or sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, if people need it."""
        event = getattr(record, _META, {}).get("dagster_event")
        text = self._of_event(event) if isinstance(event, dg.DagsterEvent) else self._of_message(record)
        if text:
            print(text, file=self._stream, flush=True)

    def _of_message(self, record: logging.LogRecord) -> str:
        message = str(getattr(record, _META, {}).get("orig_message") or record.getMessage())
        if message.startswith("Dependencies for step"):
            return ""  # one line at the end counts all steps that wait for the failed one
        return f"  {record.levelname.lower()}: {message}" if record.levelno >= logging.WARNING else ""

    def _of_event(self, event: dg.DagsterEvent) -> str:
        step = (event.step_key or "").replace("__", ".")
        if event.is_step_success:
            self.ended.add(step)
            return f"  {step:40} {event.step_success_data.duration_ms / 1000:8.1f} s"
        if event.is_step_failure:
            self.ended.add(step)
            words = f"{step}: {cause_of(event)}"
            self.cause = self.cause or words
            return f"Failed: {words}"
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            what = f"{check.asset_key.to_user_string()}, check {check.check_name}: {check.description or 'failed'}"
            # A failed check of severity ERROR fails its step too, whose sentence says the same.
            warns = not check.passed and check.severity is dg.AssetCheckSeverity.WARN
            return f"  warning: {what}" if warns else ""
        return f"  {step}: {event.message}" if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY else ""


def cause_of(event: dg.DagsterEvent) -> str:
    """Give the sentence a step failed with; of an unexpected error its type and message."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error.cause or failure.error if failure.error else None
    return error.message.strip() if error else "no reason was given"


def console_logger(summary: RunSummary) -> dg.LoggerDefinition:
    """The logger of a run whose events go to `summary`."""

    def make(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("analytics_platform", logging.DEBUG)
        logger.addHandler(summary)
        return logger

    return dg.LoggerDefinition(make, config_schema={}, description="A line per step.")
