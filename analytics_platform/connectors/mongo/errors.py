"""What can go wrong with a MongoDB server, each in one sentence that says what to do and holds no credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import ConnectionFailure, NetworkTimeout, OperationFailure, PyMongoError

from analytics_platform.connectors.mongo.address import address_of
from analytics_platform.errors import UserError

UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = frozenset({18, 8000})
_CURSOR_GONE = frozenset({43, 237})
_NO_CHANGE_STREAMS = frozenset({40573, 166, 40324})
"""Not a replica set; a view; a server that does not know `$changeStream`."""


class MongoError(UserError):
    """MongoDB cannot be read; the message is one sentence that says why and what to do."""


@contextmanager
def clear_errors(uri: str, namespace: str) -> Iterator[None]:
    """Turn the driver's errors into `MongoError`. `namespace` is `database.collection`."""
    server = f"MongoDB at {address_of(uri)}"
    try:
        yield
    except OperationFailure as error:
        raise MongoError(_explain(error, server, namespace)) from error
    except NetworkTimeout as error:
        raise MongoError(
            f"{server} did not answer in time for {namespace}: give the collection an index on its timestamp, or find "
            "out what the server is busy with; the next run goes on after the last committed batch."
        ) from error
    except ConnectionFailure as error:
        raise MongoError(
            f"{server} did not answer or the connection broke: check that it runs and that MONGODB_URI is right; "
            "the next run goes on after the last committed batch."
        ) from error
    except (PyMongoError, BSONError) as error:
        raise MongoError(
            f"{server} gave an answer for {namespace} that cannot be read: correct MONGODB_URI."
        ) from error


def _explain(error: OperationFailure, server: str, namespace: str) -> str:
    code = error.code
    if code in _AUTHENTICATION_FAILED:
        return f"{server} rejected user or password: check MONGODB_URI and its authSource."
    if code == UNAUTHORIZED:
        return f"{server} does not let this user read {namespace}: grant it the role 'read' on the database."
    if code in _CURSOR_GONE:
        return f"{server} closed the cursor on {namespace}: run again, it goes on after the last committed batch."
    if code in _NO_CHANGE_STREAMS:
        return f"{server} has no change streams for {namespace}: name a collection, not a view, in MONGODB_COLLECTION."
    name = (error.details or {}).get("codeName", "no name")
    return f"{server} answered the query of {namespace} with error {code} ({name})."
