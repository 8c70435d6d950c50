"""Which clients and users are one person: against networkx-like search in plain Python, on random pairs."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform.lookups.persons import find_members

PAIRS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 12).map("c{}".format), st.just(""), st.integers(0, 12).map(str)),
        st.tuples(st.just(""), st.integers(0, 6).map("{}@shop.example".format), st.integers(0, 12).map(str)),
    ),
    max_size=30,
)


def members(pairs: list[tuple[str, str, str]], most_users: int = 3) -> dict[tuple[str, str], str]:
    """Client and user (one is empty) → person."""
    links = pl.DataFrame(pairs, dict.fromkeys(("client_id", "email", "user_id"), pl.String), orient="row")
    return {(client, user): person for client, user, person in find_members(links, most_users).rows()}


def searched(pairs: list[tuple[str, str, str]], most_users: int) -> dict[tuple[str, str], str]:
    """The same by search from user to user."""
    users_of: dict[tuple[str, str], set[str]] = {}
    for client, email, user in pairs:
        users_of.setdefault((client, email), set()).add(user)
    joins = {link: users for link, users in users_of.items() if len(users) <= most_users}
    found: dict[tuple[str, str], str] = {}
    for start in {user for *_, user in pairs}:
        reached, waiting = {start}, [start]
        while waiting:
            user = waiting.pop()
            for users in joins.values():
                waiting += (users - reached) if user in users else ()
                reached |= users if user in users else set()
        found["", start] = f"user:{min(reached)}"
    return found | {(client, ""): found["", min(users)] for (client, _), users in joins.items() if client}


@given(PAIRS, st.integers(1, 4))
def test_persons_are_all_who_can_be_reached_over_pairs(pairs: list[tuple[str, str, str]], most_users: int) -> None:
    assert members(pairs, most_users) == searched(pairs, most_users)


def test_a_long_chain_of_browsers_is_one_person() -> None:
    chain = [(f"c{n}", "", f"{user:05}") for n in range(2000) for user in (n, n + 1)]
    assert set(members(chain).values()) == {"user:00000"}


@pytest.mark.parametrize(
    ("pairs", "persons"),
    [
        ([], set()),
        ([("phone", "", "1"), ("laptop", "", "1")], {"user:1"}),
        ([("phone", "", "1"), ("phone", "", "2")], {"user:1"}),
        ([("", "a@b.example", "1"), ("", "a@b.example", "2"), ("phone", "", "2")], {"user:1"}),
        ([("kiosk", "", str(user)) for user in range(4)], {"user:0", "user:1", "user:2", "user:3"}),
    ],
)
def test_a_shared_device_joins_nobody(pairs: list[tuple[str, str, str]], persons: set[str]) -> None:
    assert set(members(pairs).values()) == persons
