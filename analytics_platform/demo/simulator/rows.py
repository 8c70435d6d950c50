"""How a clickstream file looks (order and names of columns, time format, line ends), and events as rows of it."""

from dataclasses import dataclass
from datetime import timedelta, timezone
from enum import Enum

from analytics_platform.demo.simulator.events import Event, instant_of

COLUMNS = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent", "app_version")
"""The seven columns of the agreed header, and the extra one that some files have."""

CLIENT_ID, PAGE_URL, REFERRER, TIMESTAMP, EVENT_NAME, EVENT_DATA, USER_AGENT, APP_VERSION = range(len(COLUMNS))

_AGREED = (CLIENT_ID, PAGE_URL, REFERRER, TIMESTAMP, EVENT_NAME, EVENT_DATA, USER_AGENT)
_SHUFFLED = (TIMESTAMP, CLIENT_ID, EVENT_NAME, PAGE_URL, USER_AGENT, EVENT_DATA, REFERRER)
_NO_REFERRER = (CLIENT_ID, PAGE_URL, TIMESTAMP, EVENT_NAME, EVENT_DATA, USER_AGENT)
_WITH_VERSION = (CLIENT_ID, PAGE_URL, REFERRER, TIMESTAMP, EVENT_NAME, EVENT_DATA, APP_VERSION, USER_AGENT)

_VERSIONS = ("4.1.0", "4.1.2", "4.2.0")
_SUMMER_TIME = timezone(timedelta(hours=2))
_OFFSET_EVERY = 397
"""One event in so many is written at a local offset."""


class TimeFormat(Enum):
    """How most timestamps of a file are written."""

    ISO = "2026-11-01T09:30:12.345Z"
    SPACED = "2026-11-01 09:30:12.345000+00:00"


@dataclass(frozen=True, slots=True)
class FileStyle:
    """One way of writing the agreed file.

    `order` holds positions in `COLUMNS`; those that are always quoted never stand among the first two.
    """

    order: tuple[int, ...] = _AGREED
    client_header: str = "client_id"
    time_format: TimeFormat = TimeFormat.ISO
    newline: str = "\n"
    has_bom: bool = False
    has_final_newline: bool = True
    is_gzipped: bool = False

    @property
    def header(self) -> str:
        """The first line, without its end."""
        return ",".join(self.client_header if column == CLIENT_ID else COLUMNS[column] for column in self.order)

    @property
    def is_complete(self) -> bool:
        """Whether a row holds the seven agreed columns and no other, so that it may recur in another file."""
        return len(self.order) == len(_AGREED)


DAY_STYLES = (
    FileStyle(),
    FileStyle(client_header="clientId", has_final_newline=False),
    FileStyle(order=_SHUFFLED, time_format=TimeFormat.SPACED),
    FileStyle(is_gzipped=True),
    FileStyle(order=_NO_REFERRER, has_bom=True),
    FileStyle(order=_WITH_VERSION, newline="\r\n"),
    FileStyle(time_format=TimeFormat.SPACED),
)
"""The styles of the daily files, in turn."""

LATE_STYLES = (FileStyle(has_bom=True), FileStyle(order=_SHUFFLED, newline="\r\n"))
"""The styles of the late files, in turn."""


def write_time(at: int, time_format: TimeFormat) -> str:
    """Write an instant (milliseconds since 1970) as text; one in `_OFFSET_EVERY` at another offset."""
    instant = instant_of(at)
    if at % _OFFSET_EVERY == 0:
        return instant.astimezone(_SUMMER_TIME).isoformat(timespec="milliseconds")
    if time_format is TimeFormat.SPACED:
        return instant.isoformat(sep=" ", timespec="microseconds")
    return instant.isoformat(timespec="milliseconds")[:-6] + "Z"


def list_values(event: Event, style: FileStyle) -> list[str]:
    """List the text of every column of `COLUMNS`, before quoting."""
    return [
        event.client_id,
        event.page_url,
        event.referrer,
        write_time(event.at, style.time_format),
        event.name,
        event.data,
        event.user_agent,
        _VERSIONS[event.at % len(_VERSIONS)],
    ]


def quote_values(values: list[str], style: FileStyle) -> list[str]:
    """Make the cells of a row in the file's order, quoted as RFC 4180 asks; user agents always are."""
    cells = []
    for column in style.order:
        value = values[column]
        if column == USER_AGENT or '"' in value or "," in value or "\n" in value:
            value = '"' + value.replace('"', '""') + '"'
        cells.append(value)
    return cells


def write_row(event: Event, style: FileStyle) -> str:
    """Write an event as one record, without its line end."""
    return ",".join(quote_values(list_values(event, style), style))
