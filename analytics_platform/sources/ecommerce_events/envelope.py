"""Takes a message out of its envelopes: JSON in a JSON string, an SNS notification, an EventBridge event."""

from __future__ import annotations

from analytics_platform.gate.exact_json import JsonError, read_json
from analytics_platform.gate.records import MalformedError

MAX_LAYERS = 8
"""A message is taken out of so many envelopes at most."""


class MessageError(MalformedError):
    """A message cannot be decoded: `rule` is the broken rule (`items: cannot be parsed`), one of `RULES`.

    `detail` says where and how (`position 42: …`, characters counted from 0), or is empty.
    """

    def __init__(self, rule: str, detail: str = "") -> None:
        detail = detail.replace(";", ",")  # a semicolon separates the reasons of a record
        super().__init__(f"{rule} ({detail})" if detail else rule)
        self.rule = rule
        self.detail = detail


def unwrap(body: str) -> dict[str, object]:
    """Take the message's own JSON object out of up to `MAX_LAYERS` envelopes.

    An envelope is a JSON string, the `Message` of an SNS notification (`"Type": "Notification"`), or the `detail`
    of an EventBridge event (`detail-type`). Numbers with point or exponent are Decimals, see `read_json`. Raises
    `MessageError` for anything else, and for what `read_json` rejects: it is not stored in part or changed.
    """
    found: object = body
    for layer in range(MAX_LAYERS + 1):
        if isinstance(found, str):
            found = _read(found, layer)
        inner = found
        if isinstance(found, dict):
            is_sns, is_event = found.get("Type") == "Notification", "detail-type" in found
            inner = found.get("Message") if is_sns else found.get("detail") if is_event else None
        if not isinstance(inner, str | dict):
            break
        found = inner
    else:
        raise MessageError("body: nested too deep", f"more than {MAX_LAYERS} envelopes")
    if not isinstance(found, dict):
        raise MessageError("body: not a JSON object")
    return found


def _read(text: str, layer: int) -> object:
    try:
        return read_json(text)
    except JsonError as error:
        place = "" if error.position is None else f"position {error.position}: "
        depth = f", inside {layer} envelope{'s' if layer > 1 else ''}" if layer else ""
        raise MessageError(f"body: {error.fault}", f"{place}{error.detail}{depth}") from error
