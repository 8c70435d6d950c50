"""Every error of the server is one sentence without secrets, and no document is lost."""

from __future__ import annotations

import datetime as dt
import socket
import traceback

import bson
import pytest

from analytics_platform.connectors.mongo.address import address_of
from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.source import MongoSource
from analytics_platform_tests.connectors.mongo.scripted_server import CommandError, Faults, ScriptedServer
from analytics_platform_tests.connectors.mongo.shop import MINUTE, SMALL, START, Shop, ids, log

SECRET = "s3cr3t"


def source(uri: str) -> MongoSource:
    return MongoSource(uri, "shop", "web_logs", timeout=dt.timedelta(milliseconds=300))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_unreachable_server_is_named_without_its_password() -> None:
    port = closed_port()
    wanted = source(f"mongodb://ada:{SECRET}@127.0.0.1:{port}/?authSource=admin")
    with pytest.raises(MongoError) as caught:
        list(wanted.read(None))
    assert f"mongodb://127.0.0.1:{port}" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(wanted)


def test_a_view_without_ids_is_named_in_one_sentence(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    server.replica_set = False
    server.store("web_logs", {b"1": bson.encode({"user_id": 1, "timestamp": START})})
    with pytest.raises(MongoError, match=r"The documents of scripted\.web_logs have no _id, as those of a view may"):
        shop.read()


@pytest.mark.filterwarnings("ignore::UserWarning:pymongo")
@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://ada:{SECRET}@host@127.0.0.1",
        f"mongodb://ada:{SECRET}:x@127.0.0.1",
        f"mongodb://ada:{SECRET}/y@127.0.0.1",
        f"mongodb://127.0.0.1:{SECRET}",
        f"http://ada:{SECRET}@127.0.0.1",
        f"mongodb://ada:{SECRET}@127.0.0.1/?authMechanism=NONE",
        f"mongodb://ada:{SECRET}@127.0.0.1/?directConnection=maybe&connectTimeoutMS=x",
        "",
        "mongodb://",
    ],
)
def test_a_wrong_address_is_said_to_be_wrong_and_not_shown(uri: str) -> None:
    with pytest.raises(MongoError) as caught:
        list(source(uri).read(None))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("mongodb://a:b@h1:1,h2:2/db?x=1", "mongodb://h1:1,h2:2"),
        ("mongodb+srv://a:p@ss/w@cluster.example/?x=y", "mongodb+srv://cluster.example"),
        ("mongodb://host", "mongodb://host"),
        ("mongodb://host/?tlsCertificateKeyFilePassword=b", "mongodb://host"),
        ("secret", "the given address"),
    ],
)
def test_an_address_is_shown_without_user_password_and_options(uri: str, address: str) -> None:
    assert address_of(uri) == address


@pytest.mark.parametrize(
    ("command", "code", "name", "words"),
    [
        ("hello", 18, "AuthenticationFailed", "rejected user or password"),
        ("find", 13, "Unauthorized", "grant it the role 'read'"),
        ("aggregate", 13, "Unauthorized", "grant it the role 'read'"),
        ("getMore", 43, "CursorNotFound", "run again"),
        ("aggregate", 40573, "Location40573", "MONGODB_COLLECTION"),
        ("find", 96, "OperationFailed", "error 96 (OperationFailed)"),
    ],
)
def test_each_error_of_the_server_says_what_to_do(
    scripted: tuple[Shop, ScriptedServer], command: str, code: int, name: str, words: str
) -> None:
    shop, server = scripted
    shop.insert(*(log(START) for _ in range(20)))
    with shop.database.client:
        server.faults.errors[command] = CommandError(code, name)
        with pytest.raises(MongoError) as caught:
            shop.read(mode=None, batch=SMALL, timeout=dt.timedelta(seconds=1))
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_user_who_may_not_list_collections_can_still_read(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    everything = shop.insert(*(log(START) for _ in range(5)))
    server.faults.errors["listCollections"] = CommandError(13, "Unauthorized")
    assert shop.read().ids == everything


@pytest.mark.parametrize("mode", ["keyset", "change_stream"])
def test_a_connection_cut_in_the_middle_costs_no_document(scripted: tuple[Shop, ScriptedServer], mode: str) -> None:
    shop, server = scripted
    everything = shop.insert(*(log(START + n * MINUTE) for n in range(40)))
    stored = []
    position = None
    for cut in (1, 2):
        server.faults = Faults(cut_at=("getMore", cut))
        with pytest.raises(MongoError, match="goes on after the last committed batch"):
            for batch in shop.source(mode=mode, batch=SMALL).read(position):
                stored += list(batch.documents)
                position = batch.position
    rest = shop.read(position, mode=mode)
    assert len(stored) + len(rest.documents) == 40
    assert set(everything) == {*rest.ids, *ids(stored)}


def test_a_server_that_is_too_slow_is_given_up(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    shop.insert(log(START))
    server.faults.delay["find"] = 1.0
    with pytest.raises(MongoError, match=r"did not answer in time for .*web_logs: give the collection an index"):
        shop.read(answer_timeout=dt.timedelta(milliseconds=200))
