"""A long query ends when a signal stops the process, and leaves nothing of it behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from analytics_platform.warehouse import LEDGER_TABLES
from analytics_platform.warehouse.ledger import accept_batch
from analytics_platform_tests.kit import Platform

CENTURIES = "SELECT sum(hash(a.range + b.range)) AS n FROM range(1_000_000_000) AS a, range(1_000_000_000) AS b"

COUNTING = (
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000) SELECT max(i) FROM n"
)


@contextmanager
def told_to_stop() -> Iterator[None]:
    """Send the signal a moment after the block has begun."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_long_query_of_a_model_is_broken_off_and_the_next_one_runs(platform: Platform) -> None:
    with told_to_stop(), platform.session() as session:
        session.frame(CENTURIES)

    with platform.session() as session:
        assert session.frame("SELECT 1 AS n")["n"].to_list() == [1]


def test_a_long_question_is_broken_off_and_so_is_what_was_written_with_it(platform: Platform) -> None:
    with platform.session() as session:
        session.ensure(*LEDGER_TABLES)

    # The session is inside the block: it is the session that raises KeyboardInterrupt for what DuckDB raises.
    with told_to_stop(), platform.session() as session, session.transaction():
        accept_batch(session, "a" * 16, "seen", "ada")
        session.rows(COUNTING)

    with platform.session() as session:
        assert session.rows("SELECT * FROM ops.acceptances") == []


def test_who_listened_for_signals_before_still_hears_them(platform: Platform) -> None:
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before = signal.set_wakeup_fd(told)
    try:
        with told_to_stop(), platform.session() as session:
            session.frame(CENTURIES)
        assert (os.read(heard, 9), signal.set_wakeup_fd(before)) == (bytes([signal.SIGTERM]), told)
    finally:
        signal.set_wakeup_fd(before)
        os.close(heard)
        os.close(told)
