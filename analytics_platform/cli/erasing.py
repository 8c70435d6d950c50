"""What the command `erase` does and prints, from the search to the proof."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Collection, Iterable, Mapping

from analytics_platform.cli.terminal import print_places
from analytics_platform.contracts.missing import known_id
from analytics_platform.errors import UserError, complain, count, printable
from analytics_platform.lake import Lake, open_lake
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.launch import materialize as run
from analytics_platform.settings import Settings, load_settings
from analytics_platform.sources.person import Person
from analytics_platform.warehouse import Session, Warehouse, open_warehouse
from analytics_platform.warehouse import erasure as erasing
from analytics_platform.warehouse.erase import drop, drop_members, erase


def erase_person(identifiers: Mapping[str, Collection[str]], dry_run: bool) -> bool:
    """Erase a person and print the proof, or with `dry_run` only search. Returns whether nothing went wrong.

    Raises `UserError` for what is no identifier, and where there is no platform.
    """
    person, settings = _read_person(identifiers), load_settings()
    lake, warehouse = _open(settings)
    pending = erasing.unfinished(lake) is not None
    if person == Person() and not pending:
        raise UserError("No erasure waits to go on: give --client, --user or --email at least once.")
    erasure = erasing.open_erasure(lake, person)
    print(printable(f"To erase: {erasure.person}"))
    with warehouse.session(read_only=True) as session:
        found, faults = _search(session, settings, lake, erasure, "Found")
    named = sum(place.found for place in found)
    if dry_run or not (named or pending):
        words = f"The person is named {count(named, 'time')}: in records, names, rows and files. Nothing was changed."
        print(words if named else f"Nothing was found: none of {len(found)} places names the person.")
        return _say(faults)
    with warehouse.session() as session:
        faults = erase(session, settings, lake, erasure, getpass.getuser(), complain)
    if not run(build_definitions(settings), settings, "*", None, False, load=False):
        faults.append("Tables were not built: put right what is said above, then run the same command again.")
    with warehouse.session() as session:
        drop_members(session, erasure.person)
    with warehouse.session(read_only=True) as session:
        left, unread = _search(session, settings, lake, erasure, "Proof: what a search finds now")
    if not _say([*faults, *unread, *(remedy for place in left for remedy in place.remedies)]):
        words = "Not all of it is erased: after that is put right, run the same command again"
        print(f"{words}, or go on without it by `analytics-platform erase --drop`.", file=sys.stderr)
        return False
    erasing.end(lake)
    print(f"{len(left)} places were searched, nothing is left.")
    return True


def drop_erasure() -> bool:
    """Go on without the erasure that has not ended. Returns whether all batches could be loaded."""
    settings = load_settings()
    lake, warehouse = _open(settings)
    if (erasure := erasing.unfinished(lake)) is None:
        print("There is no erasure to drop.")
        return True
    with warehouse.session() as session:
        faults = drop(session, settings, lake, erasure, getpass.getuser())
    print(printable(f"Dropped: the erasure of {erasure.person}. What it took out stays out."))
    print("Build the days that change: analytics-platform materialize")
    return _say(faults)


def _read_person(identifiers: Mapping[str, Collection[str]]) -> Person:
    """Make a person of what was typed. Raises `UserError` for what cannot be an identifier."""
    for kind, text in ((kind, text) for kind, texts in identifiers.items() for text in texts):
        shown = printable(f"--{kind} {text!r}")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise UserError(f"{shown} is not UTF-8: write its bytes as tables show them, such as '\\xff'.")
        if known_id(text) is None:
            raise UserError(f"{shown} is no identifier: the platform reads it as a missing value.")
        user, _, domain = text.strip().rpartition("@")
        if kind == "email" and not (user and domain):
            raise UserError(f"{shown} is no e-mail address: give it whole, such as ada@example.com.")
    return Person.of(**identifiers)


def _open(settings: Settings) -> tuple[Lake, Warehouse]:
    """Open lake and warehouse. Raises `UserError` if one of them is not there: a search would find nothing in it."""
    lake, warehouse, there = open_lake(settings), open_warehouse(settings), False
    if warehouse.exists():
        with warehouse.session(read_only=True) as session:
            there = "ops.pipeline_logs" in session.tables()
    if not (there and lake.exists()):
        where = f"lake {lake.root}" if there else f"warehouse {warehouse.name}"
        remedy = "check DATA_DIR, LAKE_URL and WAREHOUSE_URL, or load it by `analytics-platform materialize`"
        raise UserError(f"Nothing was ever loaded into the {where}: {remedy}.")
    return lake, warehouse


def _search(
    session: Session, settings: Settings, lake: Lake, erasure: erasing.Erasure, title: str
) -> tuple[list[erasing.Place], list[str]]:
    places = list(erasing.search(session, settings, lake, erasure))
    print_places(places, title)
    return places, [fault for place in places for fault in place.faults]


def _say(sentences: Iterable[str]) -> bool:
    """Print each sentence once, for people to act on. Returns whether there is none."""
    distinct = dict.fromkeys(sentences)
    for sentence in distinct:
        complain(sentence)
    return not distinct
