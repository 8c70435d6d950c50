"""Who the signed-in users are: customers, the two channels they use, and strangers nobody knows as customers."""

from typing import NamedTuple

STAGED = 12
"""The first customers are made by hand: chance leaves them alone."""

_FEWEST = 40
_STRANGERS_PER_CUSTOMER = 0.04


class Population(NamedTuple):
    """User ids. The users of the app and of the web shop's logs overlap; every stranger uses the web shop."""

    customers: range
    app_users: range
    web_users: range
    strangers: range

    @property
    def newcomers(self) -> range:
        """The strangers that the users answer names later."""
        return self.strangers[: len(self.strangers) // 2]


def plan_population(visitors: int) -> Population:
    """The users of a shop with about that many visitors a day."""
    last = max(_FEWEST, visitors)
    chosen = last - STAGED
    return Population(
        customers=range(1, last + 1),
        app_users=range(STAGED + 1 + chosen // 3, last + 1),
        web_users=range(STAGED + 1, STAGED + 1 + chosen * 3 // 4),
        strangers=range(last + 1, last + 1 + max(4, round(last * _STRANGERS_PER_CUSTOMER))),
    )


def client_of(user_id: int | str) -> str:
    """The client id of a source that only knows users (DESIGN section 4)."""
    return f"user:{user_id}"
