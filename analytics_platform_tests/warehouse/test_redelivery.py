"""Sources that deliver records again: what came before, accepted or rejected, is a duplicate and is known as such."""

from __future__ import annotations

import datetime as dt

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.gate import Verdict
from analytics_platform.gate.records import REJECTED
from analytics_platform.warehouse import BatchCard, Loaded, Session, load_batch
from analytics_platform_tests.kit import contents

MESSAGES = CONTRACTS["cleaned.ecommerce_events"]
AT = dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)


def deliver(session: Session, batch: str, accepted: str, rejected: str) -> Loaded:
    """A batch: an event for each letter of `accepted`, then a broken message for each of `rejected`."""
    schema = polars_schema(MESSAGES)
    nothing = dict.fromkeys(schema)
    events = [
        {
            **nothing,
            "event_id": letter,
            "client_id": letter,
            "event_at": AT,
            "event_date": AT.date(),
            "event_name": "view_item",
            "items": '[{"a": 1}]',
            "arrived_at": AT,
            "batch_id": batch,
            "position": place,
        }
        for place, letter in enumerate(accepted, 1)
    ]
    broken = [
        {"position": place, "raw": f'{{"{letter}\n', "error_reason": "not JSON", "event_date": None}
        for place, letter in enumerate(rejected, len(accepted) + 1)
    ]
    verdict = Verdict(pl.from_dicts(events, schema=schema), pl.from_dicts(broken, schema=REJECTED))
    card = BatchCard(batch, "ecommerce_events", batch, batch, AT, "run")
    return load_batch(session, MESSAGES, card, [verdict])


def test_an_event_that_is_delivered_again_is_a_duplicate_and_the_first_stays(session: Session) -> None:
    assert deliver(session, "b1", "aab", "x") == Loaded(2, 1, 1)
    assert deliver(session, "b2", "bcac", "y") == Loaded(1, 3, 1)
    kept = session.rows("SELECT event_id, batch_id, position FROM cleaned.ecommerce_events ORDER BY ALL")
    assert kept == [("a", "b1", 1), ("b", "b1", 3), ("c", "b2", 2)]


def test_a_broken_message_that_is_delivered_again_is_a_duplicate(session: Session) -> None:
    assert deliver(session, "b1", "a", "xxy") == Loaded(1, 1, 2)
    assert deliver(session, "b2", "b", "yzx") == Loaded(1, 2, 1)
    kept = session.rows("SELECT raw, batch_id, position FROM ops.quarantine ORDER BY ALL")
    assert kept == [('{"x\n', "b1", 2), ('{"y\n', "b1", 4), ('{"z\n', "b2", 3)]
    counted = session.rows(
        "SELECT batch_id, rows_accepted, rows_duplicate, rows_quarantined FROM ops.batch_days ORDER BY ALL"
    )
    assert counted == [("b1", 1, 1, 2), ("b2", 1, 2, 1)]


def test_a_batch_that_another_run_has_loaded_in_between_is_not_changed(session: Session) -> None:
    first = deliver(session, "b1", "ab", "x")
    before = contents(session)
    assert deliver(session, "b1", "ab", "x") == first
    assert contents(session) == before
