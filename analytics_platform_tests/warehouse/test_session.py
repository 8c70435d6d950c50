"""What a session promises on either warehouse."""

from __future__ import annotations

import pytest

from analytics_platform.contracts.ops import Acceptances
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import accept_batch
from analytics_platform_tests.kit import Platform


def test_a_transaction_that_raises_leaves_nothing(session: Session) -> None:
    accept_batch(session, "b1", "seen", "ada")
    with pytest.raises(KeyboardInterrupt), session.transaction():
        session.execute("DELETE FROM ops.acceptances")
        raise KeyboardInterrupt
    assert session.count("ops.acceptances") == 1


def test_times_are_utc_whatever_the_machine(session: Session) -> None:
    assert session.rows("SELECT CAST(TIMESTAMPTZ '2024-03-01 23:30:00-01' AS DATE)::VARCHAR") == [("2024-03-02",)]


@pytest.mark.parametrize("platform", ["duckdb", "postgres"], indirect=True)  # by means of a database
def test_a_table_is_compared_with_its_contract_once_in_a_session(platform: Platform, session: Session) -> None:
    session.execute("ALTER TABLE ops.acceptances DROP COLUMN reason")
    session.ensure(Acceptances)
    with pytest.raises(Exception, match="reason"):
        session.rows("SELECT reason FROM ops.acceptances")
    with platform.session() as later:
        later.ensure(Acceptances)
        assert later.rows("SELECT count(reason) FROM ops.acceptances") == [(0,)]


@pytest.mark.parametrize("platform", ["duckdb", "postgres"], indirect=True)  # by means of a database
def test_a_column_added_in_a_transaction_that_raises_is_added_again(platform: Platform, session: Session) -> None:
    session.execute("ALTER TABLE ops.acceptances DROP COLUMN reason")
    with platform.session() as later:
        with pytest.raises(KeyboardInterrupt), later.transaction():
            later.ensure(Acceptances)
            raise KeyboardInterrupt
        later.ensure(Acceptances)
        assert later.rows("SELECT count(reason) FROM ops.acceptances") == [(0,)]
