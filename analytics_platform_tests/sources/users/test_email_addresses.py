"""An e-mail address is one by the same pattern in Python, Polars and DuckDB."""

from __future__ import annotations

import re

import duckdb
import polars as pl
import pytest

from analytics_platform.sources.users.source import EMAIL_PATTERN

EMAILS = [
    ("sincere@april.biz", True),
    ("julianne.oconner@kory.org", True),
    ("a+b%c_d-e'f@sub.domain.example.co.uk", True),
    ("x@1.io", True),
    ("nobody", False),
    ("anna@", False),
    ("@mail.example", False),
    ("anna at mail.example", False),
    ("anna@@mail.example", False),
    ("an na@mail.example", False),
    ("anna@mail", False),
    ("anna@-mail.example", False),
    ("anna@mail-.example", False),
    ("anna@mail..example", False),
    ("anna@mail.example.", False),
    ("anna@mail.example\n", False),
    ("jörg@mail.example", False),
    ("anna@" + "a" * 64 + ".example", False),
    ("anna@mail.example, ben@mail.example", False),
]


@pytest.mark.parametrize(("email", "good"), EMAILS)
def test_python_polars_and_duckdb_agree_on_what_an_address_is(email: str, good: bool) -> None:
    assert bool(re.search(EMAIL_PATTERN.removesuffix("$") + r"\Z", email)) == good
    assert pl.Series([email]).str.contains(EMAIL_PATTERN).to_list() == [good]
    assert duckdb.execute("SELECT regexp_matches(?, ?)", [email, EMAIL_PATTERN]).fetchall() == [(good,)]
