"""Message bodies: one event in any of the forms in which producers send it."""

from enum import Enum
from random import Random
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from analytics_platform.demo.simulator.drift import TimeFormat, write_time
from analytics_platform.demo.simulator.event import SECOND, instant_of
from analytics_platform.demo.simulator.messages.event import AppEvent, Item
from analytics_platform.demo.simulator.messages.items import Value, encode, write_ga4, write_json

_TOPIC = "arn:aws:sns:eu-central-1:000000000000:shop-events"
_VERSIONS = ("5.2.0", "5.2.1", "5.3.0")
_NUMERIC_USER_EVERY = 5
"""One user in so many is named by a number, the others by a text."""


class Stamp(Enum):
    """How the time is written; only a whole second can be written in seconds."""

    SECONDS = 0
    MILLISECONDS = 1
    MICROSECONDS = 2
    ISO = 3
    SPACED = 4
    NAIVE = 5


class ItemsForm(Enum):
    """How items are written: as a list, as its JSON text, or as the GA4 export's text."""

    LIST = 0
    TEXT = 1
    GA4 = 2


class Wrap(Enum):
    """What is around the JSON object: nothing, a JSON string, or the envelope of SNS."""

    NONE = 0
    TEXT = 1
    SNS = 2


class Form(NamedTuple):
    """One way of writing an event."""

    stamp: Stamp
    items: ItemsForm
    wrap: Wrap


_STAMPS, _STAMP_WEIGHTS = tuple(Stamp), (0, 40, 25, 20, 10, 5)
_ITEMS, _ITEMS_WEIGHTS = tuple(ItemsForm), (35, 20, 45)
_WRAPS, _WRAP_WEIGHTS = tuple(Wrap), (88, 5, 7)


def draw_form(rng: Random, event: AppEvent) -> Form:
    """The form in which an event is first sent."""
    stamp = rng.choices(_STAMPS, _STAMP_WEIGHTS)[0]
    if event.at % SECOND == 0 and rng.random() < 0.8:
        stamp = Stamp.SECONDS
    return Form(stamp, rng.choices(_ITEMS, _ITEMS_WEIGHTS)[0], rng.choices(_WRAPS, _WRAP_WEIGHTS)[0])


def draw_other_form(rng: Random, form: Form) -> Form:
    """Another form of the same event: with other items text, another wrap, or both."""
    others = [Form(form.stamp, items, wrap) for items in ItemsForm for wrap in Wrap]
    others.remove(form)
    return rng.choice(others)


def write_body(event: AppEvent, form: Form) -> str:
    """The message body of an event."""
    return wrap_body(write_object(describe_event(event, form), event.items, form.items), event, form.wrap)


def describe_event(event: AppEvent, form: Form) -> dict[str, Value]:
    """The fields of the body's object, without the items."""
    names_by_number = event.user_id % _NUMERIC_USER_EVERY == 0
    fields: dict[str, Value] = {
        "event_timestamp": _write_stamp(event.at, form.stamp),
        "user_id": event.user_id if names_by_number else str(event.user_id),
        "event_name": event.name,
        "platform": event.platform,
        "app_version": _VERSIONS[event.user_id % len(_VERSIONS)],
    }
    if event.purchase is not None:
        fields |= {
            "transaction_id": event.purchase.transaction_id,
            "value": event.purchase.cents / 100,
            "currency": "EUR",
        }
    return fields


def write_object(fields: dict[str, Value], items: tuple[Item, ...], form: ItemsForm) -> str:
    """The body's object as JSON; without items it has no such field."""
    text = encode(fields)
    if not items:
        return text
    written = {
        ItemsForm.LIST: lambda: write_json(items),
        ItemsForm.TEXT: lambda: encode(write_json(items)),
        ItemsForm.GA4: lambda: encode(write_ga4(items)),
    }[form]()
    return f'{text[:-1]}, "items": {written}}}'


def wrap_body(text: str, event: AppEvent, wrap: Wrap) -> str:
    """The object as the queue gets it."""
    if wrap is Wrap.NONE:
        return text
    if wrap is Wrap.TEXT:
        return encode(text)
    envelope: dict[str, Value] = {
        "Type": "Notification",
        "MessageId": str(uuid5(NAMESPACE_URL, text)),
        "TopicArn": _TOPIC,
        "Message": text,
        "Timestamp": write_time(event.at, TimeFormat.ISO),
        "SignatureVersion": "1",
    }
    return encode(envelope)


def _write_stamp(at: int, stamp: Stamp) -> Value:
    """An instant (milliseconds since 1970) as a number told apart by its magnitude, or as text."""
    if stamp is Stamp.SECONDS:
        return at // SECOND
    if stamp is Stamp.MILLISECONDS:
        return at
    if stamp is Stamp.MICROSECONDS:
        return at * 1_000
    if stamp is Stamp.NAIVE:
        return instant_of(at).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return write_time(at, TimeFormat.ISO if stamp is Stamp.ISO else TimeFormat.SPACED)
