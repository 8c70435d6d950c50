"""What a session promises on either warehouse."""

from __future__ import annotations

import pytest

from analytics_platform.warehouse import Session
from analytics_platform.warehouse.ledger import accept_batch


def test_a_transaction_that_raises_leaves_nothing(session: Session) -> None:
    accept_batch(session, "b1", "seen", "ada")
    with pytest.raises(KeyboardInterrupt), session.transaction():
        session.execute("DELETE FROM ops.acceptances")
        raise KeyboardInterrupt
    assert session.count("ops.acceptances") == 1


def test_times_are_utc_whatever_the_machine(session: Session) -> None:
    assert session.rows("SELECT CAST(TIMESTAMPTZ '2024-03-01 23:30:00-01' AS DATE)::VARCHAR") == [("2024-03-02",)]
