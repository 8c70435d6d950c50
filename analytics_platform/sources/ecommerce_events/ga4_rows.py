"""Makes a message of a row of GA4's BigQuery export: no lists of keys and values, and no objects in objects.

https://support.google.com/analytics/answer/7029846 describes the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from analytics_platform.contracts.missing import known
from analytics_platform.gate.exact_json import unnest

_NOTHING = frozenset({"(direct)", "(organic)", "(referral)", "(other)", "(not provided)", "(data deleted)"})
"""What GA4 writes for nothing, or derived itself, beside what all sources write (`contracts/missing.py`)."""

_TAGS = {
    "utm_source": ("manual_source", "source"),
    "utm_medium": ("manual_medium", "medium"),
    "utm_campaign": ("manual_campaign_name", "campaign"),
    **{click: (click, click) for click in ("gclid", "dclid", "gbraid", "wbraid", "msclkid")},
}
"""Parameter of an address → its field in `collected_traffic_source`, and in `event_params`."""


def flatten(row: Mapping[str, object]) -> dict[str, object]:
    """Give a row of the export the form of a message; any other object comes back as it is.

    Objects become fields with their path (`geo.country`), `event_params` the object `params`, and what GA4 collected
    of campaign parameters `campaign_tags`, written as the query of an address. Fields that say nothing are left out.
    """
    if "params" in row or not row.keys() & {"event_params", "user_pseudo_id"}:
        return dict(row)
    fields, params = dict(_leaves(row)), dict[str, object]()
    pairs = fields.get("event_params", [])
    pairs = unnest(pairs) if isinstance(pairs, str) else pairs
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        match pair:
            case {"key": str() as name, **rest} if isinstance(typed := rest.get("value") or {}, dict):
                params.setdefault(name, next(filter(_says, typed.values()), None))
            case _:  # in another form: it stays in one piece
                return fields
    fields.pop("event_params", None)
    if "user_pseudo_id" in fields:  # a parameter client_id, as tag managers add to purchases, made it another visitor
        fields["client_id"] = fields.pop("user_pseudo_id")
    fields.pop("event_date", None)  # the day of event_timestamp, in the time zone of the property
    for name in ("tax", "shipping"):
        if name not in params and (found := fields.pop(f"ecommerce.{name}_value", None)) is not None:
            params[name] = found
    if params.get("medium") == "referral":
        # GA4 made it of page_referrer. The platform reads that itself: a payment provider, for one, is no source.
        params = {name: value for name, value in params.items() if name not in ("source", "medium", "campaign")}
    tags = dict[str, object]()
    for tag, (collected, name) in _TAGS.items():
        given = fields.pop(f"collected_traffic_source.{collected}", None), params.pop(name, None)
        if value := given[0] or given[1]:
            tags[tag] = value
    if tags:
        fields["campaign_tags"] = f"?{urlencode(tags)}"
    return {**fields, "params": {name: value for name, value in params.items() if value is not None}}


def _leaves(value: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values in an object and in the objects in it, each with its path, that say something."""
    for name, inner in value.items():
        if isinstance(inner, dict) and path + name != "items":  # of which one object is one item
            yield from _leaves(inner, f"{path}{name}.")
        elif _says(inner):
            yield path + name, inner


def _says(value: object) -> bool:
    if isinstance(value, str):
        return known(value) is not None and value not in _NOTHING
    return value is not None and value != []
