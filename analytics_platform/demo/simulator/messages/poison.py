"""Bodies that no delivery makes better, each with the one reason the platform must give; no two are equal."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from analytics_platform.demo.simulator import refusals
from analytics_platform.demo.simulator.messages.bodies import (
    Form,
    ItemsForm,
    describe_event,
    draw_form,
    wrap_body,
    write_object,
)
from analytics_platform.demo.simulator.messages.event import AppEvent
from analytics_platform.demo.simulator.messages.items import Value, encode, write_ga4, write_json

_MISSING_TEXTS = (None, "", "  ")
_NO_TIME_TEXTS = ("yesterday", "2026-02-30T10:00:00Z", "2026-11-01T25:61:00Z")
_NO_TIMES = (*_NO_TIME_TEXTS, True)
_FAR_TIMES = (
    "1999-12-31T23:59:59.999Z",
    "2087-06-01T12:00:00Z",
    3_706_000_000,
    3_706_000_000_000,
    3_706_000_000_000_000,
)
_NO_USERS: tuple[Value, ...] = ({"id": 7}, [7], 7.5)


class Poison(NamedTuple):
    """One kind of poison; `make` gets a tag that no other body has, and a sound event as model."""

    reason: str
    make: Callable[[Random, str, AppEvent], str]


def _describe(rng: Random, tag: str, model: AppEvent) -> tuple[dict[str, Value], Form]:
    """The fields of a body that is still sound, the tag first."""
    form = draw_form(rng, model)
    return {"trace_id": tag, **describe_event(model, form)}, form


def _replace(**choices: tuple[Value, ...]) -> Callable[[Random, str, AppEvent], str]:
    """Poison that has one of these values in each of these fields."""

    def make(rng: Random, tag: str, model: AppEvent) -> str:
        fields, form = _describe(rng, tag, model)
        fields |= {name: rng.choice(values) for name, values in choices.items()}
        return wrap_body(write_object(fields, model.items, form.items), model, form.wrap)

    return make


def _omit_user(rng: Random, tag: str, model: AppEvent) -> str:
    """The user's field is not there at all."""
    fields, form = _describe(rng, tag, model)
    del fields["user_id"]
    return wrap_body(write_object(fields, model.items, form.items), model, form.wrap)


def _say_no_json(rng: Random, tag: str, model: AppEvent) -> str:
    """Some other text."""
    return rng.choice(
        (
            f"heartbeat {tag} ok",
            f"<event id='{tag}'><name>{model.name}</name></event>",
            f"user_id={model.user_id}&event_name={model.name}&trace_id={tag}",
            f"{{'trace_id': '{tag}', 'event_name': '{model.name}'}}",
        )
    )


def _cut_off(rng: Random, tag: str, model: AppEvent) -> str:
    """A body that ends in the middle."""
    fields, form = _describe(rng, tag, model)
    text = write_object(fields, model.items, form.items)
    return text[: rng.randrange(len(encode(tag)) + 20, len(text))]


def _garble_items(rng: Random, tag: str, model: AppEvent) -> str:
    """Items that are no list in any form: cut off, or what JavaScript makes of an object."""
    fields, form = _describe(rng, tag, model)
    texts = ["[object Object]", "[{item_id=prod_1, item_name=Audífonos, neg", '[{"item_id": "prod_1", "item_na']
    if model.items:
        ga4, json = write_ga4(model.items), write_json(model.items)
        texts += [ga4[: rng.randrange(2, len(ga4) - 2)], json[: rng.randrange(2, len(json) - 2)]]
    fields["items"] = rng.choice(texts)
    return wrap_body(write_object(fields, (), ItemsForm.LIST), model, form.wrap)


POISONS = (
    Poison(refusals.BODY_NOT_JSON, _say_no_json),
    Poison(refusals.ITEMS_UNREADABLE, _garble_items),
    Poison(refusals.USER_MISSING, _replace(user_id=_MISSING_TEXTS)),
    Poison(refusals.STAMP_NO_TIME, _replace(event_timestamp=_NO_TIMES)),
    Poison(refusals.BODY_NOT_JSON, _cut_off),
    Poison(refusals.OUT_OF_RANGE, _replace(event_timestamp=_FAR_TIMES)),
    Poison(refusals.USER_NO_NAME, _replace(user_id=_NO_USERS)),
    Poison(refusals.NAME_MISSING, _replace(event_name=_MISSING_TEXTS)),
    Poison(refusals.USER_MISSING, _omit_user),
    Poison(
        refusals.join(refusals.USER_MISSING, refusals.NAME_MISSING),
        _replace(user_id=_MISSING_TEXTS, event_name=_MISSING_TEXTS),
    ),
    Poison(
        refusals.join(refusals.STAMP_NO_TIME, refusals.NAME_MISSING),
        _replace(event_timestamp=_NO_TIME_TEXTS, event_name=_MISSING_TEXTS),
    ),
)
"""Every kind of poison, dealt in turn."""
