"""What can go wrong with the shop's database, each in one sentence that says what to do and holds no credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from analytics_platform.errors import UserError


class ShopDatabaseError(UserError):
    """The shop's database cannot be read; the message is one sentence that says why and what to do."""


@contextmanager
def clear_errors(place: str, table: str) -> Iterator[None]:
    """Turn the driver's errors into `ShopDatabaseError`. `place` is the address without credentials.

    The driver's own words are left out where they may quote the address.
    """
    where = f"The shop's database {place}"
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise ShopDatabaseError(
            f"{where} does not let this user read shop.{table}: grant USAGE on the schema and SELECT on its tables."
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise ShopDatabaseError(
            f"{where} has no table shop.{table} as expected: run its migrations, or correct SHOP_DATABASE_URL."
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise ShopDatabaseError(
            f"{where} took too long to read shop.{table}: look for what holds it up, and run again."
        ) from error
    except psycopg.OperationalError as error:
        raise ShopDatabaseError(_unreachable(where, error)) from None
    except psycopg.Error as error:
        code = error.sqlstate or type(error).__name__
        raise ShopDatabaseError(f"{where} cannot be read ({code}): check SHOP_DATABASE_URL.") from None


def _unreachable(where: str, error: psycopg.OperationalError) -> str:
    if error.sqlstate in ("28P01", "28000") or "authentication failed" in str(error):
        return f"{where} refused user or password: check SHOP_DATABASE_URL."
    if error.sqlstate == "3D000" or "does not exist" in str(error):
        return f"{where} does not exist on that server: check SHOP_DATABASE_URL."
    return (
        f"{where} did not answer or the connection broke: check that it runs and that SHOP_DATABASE_URL is right; the "
        "next run goes on after the last committed batch."
    )
