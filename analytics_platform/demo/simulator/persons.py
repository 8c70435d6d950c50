"""Who is who: the persons that a correct platform must find behind browsers and users."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

SHARED_DEVICE_USERS = 3


def find_persons(links: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Find the person of every client and user in pairs of both, named by one of the users.

    A client with more than `SHARED_DEVICE_USERS` users is nobody's, and joins nobody.
    """
    users, persons = defaultdict[str, set[str]](set), dict[str, set[str]]()
    for client_id, user in links:
        users[client_id].add(user)
        persons[user] = {user}
    owned = {client_id: each for client_id, each in users.items() if len(each) <= SHARED_DEVICE_USERS}
    for each in owned.values():
        joined = set[str]().union(*(persons[user] for user in each))
        persons |= dict.fromkeys(joined, joined)
    members = persons | {client_id: persons[min(each)] for client_id, each in owned.items()}
    return {member: min(person) for member, person in members.items()}
