"""Log documents as lines of a file."""

from random import Random

from analytics_platform.demo.simulator.web_logs.breakage import BREAKAGES
from analytics_platform.demo.simulator.web_logs.documents import Form, describe_document, draw_form, encode
from analytics_platform.demo.simulator.web_logs.event import LogEvent


class LogWriter:
    """How documents are exported: a few stand in the late file once more, as they were."""

    copy_share = 0.01
    copy_targets = (0, 0, 1)
    kinds = len(BREAKAGES)

    def draw_form(self, rng: Random, event: LogEvent) -> Form:
        """The document's id and further fields."""
        return draw_form(rng, event)

    def draw_copy_form(self, rng: Random, form: Form) -> Form:
        """The same document."""
        return form

    def write(self, event: LogEvent, form: Form) -> str:
        """A document as a line."""
        return encode(describe_document(event, form))

    def spoil(self, rng: Random, kind: int, model: LogEvent) -> tuple[str, str]:
        """The reason and the line of a broken document; its id is its own."""
        document = describe_document(model, draw_form(rng, model))
        return BREAKAGES[kind].reason, encode(BREAKAGES[kind].break_document(rng, document))
