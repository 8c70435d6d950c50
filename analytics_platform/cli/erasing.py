"""What the command `erase` does and prints, from the search to the proof."""

from __future__ import annotations

import getpass
import sys

from analytics_platform.cli.terminal import print_places
from analytics_platform.errors import printable
from analytics_platform.lake import open_lake
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.launch import materialize as run
from analytics_platform.settings import load_settings
from analytics_platform.sources.person import Person
from analytics_platform.warehouse import erase as erasing
from analytics_platform.warehouse import open_warehouse


def erase_person(person: Person, dry_run: bool) -> bool:
    """Erase a person and print the proof, or with `dry_run` only search. Returns whether nothing went wrong."""
    settings, faults = load_settings(), list[str]()
    lake = open_lake(settings)
    erasure = erasing.open_erasure(lake, person)
    print(printable(f"To erase: {erasure.person}"))
    if not dry_run:
        with open_warehouse(settings).session() as session:
            removed, faults = erasing.erase(session, settings, lake, erasure, getpass.getuser())
        print_places(removed, "Removed", "removed")
        if not run(build_definitions(settings), settings, "*", None, False, load=False):
            faults.append("Tables were not built: put right what is said above, then run the same command again.")
    with open_warehouse(settings).session(read_only=True) as session:
        places = list(erasing.search(session, settings, lake, erasure))
    print_places(places, "Found" if dry_run else "Proof: what a search finds now", "found")
    faults += [place.fault for place in places if place.fault]
    left = sum(place.found for place in places)
    for sentence in dict.fromkeys(faults):
        print(printable(sentence), file=sys.stderr)
    if dry_run:
        print(f"{left:,} records, rows and files name the person. Nothing was changed.")
    elif left or faults:
        print("Not all of it is erased: run the same command again after that is put right.", file=sys.stderr)
    else:
        erasing.end(lake)
        print(f"{len(places)} places were searched, nothing is left.")
    return not (faults or (left and not dry_run))
