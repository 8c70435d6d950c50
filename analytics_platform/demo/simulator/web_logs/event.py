"""A logged interaction as the generator knows it, before it becomes a document."""

from typing import NamedTuple

from analytics_platform.demo.simulator.population import client_of


class LogEvent(NamedTuple):
    """One thing one signed-in user did in the web shop; `at` is in milliseconds since 1970 UTC."""

    user_id: int
    at: int
    action: str
    item_name: str | None
    device: str
    session_id: int

    @property
    def client_id(self) -> str:
        """The client in the shape of all sources."""
        return client_of(self.user_id)
