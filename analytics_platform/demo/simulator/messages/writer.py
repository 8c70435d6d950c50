"""Messages as lines of a file: `{"body": "<the exact text>"}`."""

from random import Random

from analytics_platform.demo.simulator.messages.bodies import Form, draw_form, draw_other_form, write_body
from analytics_platform.demo.simulator.messages.event import AppEvent
from analytics_platform.demo.simulator.messages.items import encode
from analytics_platform.demo.simulator.messages.poison import POISONS

_OTHER_FORM_SHARE = 0.4


class MessageWriter:
    """How the queue's producers write: one message in ten is sent twice, some of those in another form."""

    copy_share = 0.1
    copy_targets = (7, 2, 1)
    kinds = len(POISONS)

    def draw_form(self, rng: Random, event: AppEvent) -> Form:
        """The form in which an event is first sent."""
        return draw_form(rng, event)

    def draw_copy_form(self, rng: Random, form: Form) -> Form:
        """The same form, as redelivery has it, or another one."""
        return draw_other_form(rng, form) if rng.random() < _OTHER_FORM_SHARE else form

    def write(self, event: AppEvent, form: Form) -> str:
        """A message as a line."""
        return encode({"body": write_body(event, form)})

    def spoil(self, rng: Random, kind: int, model: AppEvent) -> tuple[str, str]:
        """The reason and the line of a poison message."""
        poison = POISONS[kind]
        tag = f"{rng.getrandbits(64):016x}"
        return poison.reason, encode({"body": poison.make(rng, tag, model)})
