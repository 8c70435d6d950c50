"""From the users of an API's answer to the records that the gate validates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np
import polars as pl

from analytics_platform.connectors.rest_api import decode_pages, records
from analytics_platform.contracts.base import ContractType
from analytics_platform.gate.records import Records, malformed_frame, no_records
from analytics_platform.lake import Batch
from analytics_platform.sources.source import Format
from analytics_platform.sources.users.decode import COLUMNS, REASONS, USUAL_TYPES, User, decode_user

_RECORDS_AT_A_TIME = 10_000
_NAMES_TOLD = 20


class Answers(Format):
    """The pages of an API's answer, which lists users."""

    reasons = REASONS

    def read(
        self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Collection[int] | None
    ) -> Iterator[Records]:
        """Parse the users."""
        found = records(decode_pages(stream.read()))
        return read_users(((record.position, record.raw) for record in found), only)


def read_users(rows: Iterable[tuple[int, str]], only: Collection[int] | None = None) -> Iterator[Records]:
    """Records of users, `(position, JSON text)`, for the gate; with `only`, those at these positions.

    The last ones say how all of them differ from the usual: fields nobody has, unknown fields, other types.
    """
    wanted = iter(rows) if only is None else (row for row in rows if row[0] in only)
    fields: set[str] = set()
    unknown: dict[str, None] = {}
    retyped: dict[str, None] = {}
    while stack := [(*row, decode_user(row[1])) for row in islice(wanted, _RECORDS_AT_A_TIME)]:
        for _, _, user in stack:
            fields |= user.fields
            unknown |= dict.fromkeys(user.unknown)
            retyped |= dict.fromkeys(user.retyped)
        yield _to_records(stack)
    if only is None:
        yield no_records(*_describe_drift(fields, list(unknown), list(retyped)))


def _to_records(stack: Iterable[tuple[int, str, User]]) -> Records:
    rows = list(stack)
    good = [(position, raw, user) for position, raw, user in rows if not user.reasons]
    return Records(
        values=pl.DataFrame([user.values for _, _, user in good], schema=dict.fromkeys(COLUMNS, pl.String)),
        positions=np.array([position for position, _, _ in good], np.int64),
        raws=lambda index: [good[row][1] for row in index],
        malformed=malformed_frame(
            (position, raw, "; ".join(user.reasons)) for position, raw, user in rows if user.reasons
        ),
    )


def _describe_drift(fields: Collection[str], unknown: list[str], retyped: list[str]) -> list[str]:
    if not fields and not unknown:
        return ["no users"]
    notes = [f"no field {name}" for name in USUAL_TYPES if name not in fields]
    notes += [f"{name} is not {USUAL_TYPES[name]} as usual" for name in retyped]
    if unknown:
        more = ", …" if len(unknown) > _NAMES_TOLD else ""
        notes.append(f"unknown fields kept in extra: {', '.join(map(_tell_name, unknown[:_NAMES_TOLD]))}{more}")
    return notes


def _tell_name(name: str) -> str:
    """A foreign name as it may be shown."""
    return (name if name.isprintable() else ascii(name))[:60]
