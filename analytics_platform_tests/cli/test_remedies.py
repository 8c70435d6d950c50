"""What a failed check tells people to do clears it, word by word; and what `status` shows can be used."""

from __future__ import annotations

import datetime as dt
import getpass
import re
import shlex
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.orchestration.checks.error_rate import check_error_rate
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.ledger import unloaded_batches
from analytics_platform.warehouse.watchdog import has_every_batch
from analytics_platform_tests.cli.conftest import Call, call
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.kit import Platform, load_landed, open_platform
from analytics_platform_tests.shop_messages import load_messages, shop_message

__all__ = ["call"]


def failed_sentence(platform: Platform, source: str = "clickstream", days: DayRange | None = None) -> str | None:
    """What the run ends with; None if it goes on."""
    with platform.session() as session:
        allowed = platform.settings.max_error_rate
        return check_error_rate(session, dg.AssetKey(["cleaned", source]), allowed, {source}, days)[1]


def with_bad_batch(root: Path) -> Platform:
    """A file of which 6 % of the rows lack their client."""
    platform = open_platform(root)
    platform.landing.joinpath("bad.csv").write_text(clickstream(1000, without_client=60), "utf-8")
    with platform.session() as session:
        load_landed(platform, session)
    return platform


def with_bad_day(root: Path) -> Platform:
    """Two files with 4 % rejected rows each, all on one day, of which they are a tenth."""
    platform = open_platform(root)
    for name in "ab":
        good, bad = clickstream(900, name=name), clickstream(100, without_client=40, day="2026-03-02", name=name)
        platform.landing.joinpath(f"{name}.csv").write_text(good + bad.partition("\n")[2], "utf-8")
    with platform.session() as session:
        load_landed(platform, session)
    return platform


@pytest.mark.parametrize("kind", [with_bad_batch, with_bad_day])
@pytest.mark.parametrize("command", ["withdraw", "accept"])
def test_each_command_of_the_failed_check_clears_it(call: Call, tmp_path: Path, kind: object, command: str) -> None:
    platform = kind(tmp_path)  # type: ignore[operator]
    sentence = failed_sentence(platform)
    assert sentence is not None and "\n" not in sentence
    (words,) = [found for found in re.findall(r"`analytics-platform ([^`]+)`", sentence) if found.startswith(command)]
    ended = call(tmp_path, *shlex.split(words))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert failed_sentence(platform) is None


def test_the_corrected_file_under_the_same_name_clears_the_failed_check(tmp_path: Path) -> None:
    platform = with_bad_batch(tmp_path)
    sentence = failed_sentence(platform)
    assert sentence is not None and "drop clickstream/bad.csv corrected into LANDING_DIR again" in sentence
    for rejected, is_clear in ((80, False), (10, True)):
        platform.landing.joinpath("bad.csv").write_text(clickstream(1000, without_client=rejected), "utf-8")
        with platform.session() as session:
            load_landed(platform, session)
        assert (failed_sentence(platform) is None) is is_clear


def test_a_replay_after_the_contract_was_corrected_clears_the_failed_check(call: Call, tmp_path: Path) -> None:
    platform = open_platform(tmp_path, partition_start="2026-03-02")
    platform.landing.joinpath("early.csv").write_text(clickstream(100, day="2026-03-01"), "utf-8")
    with platform.session() as session:
        load_landed(platform, session)
    sentence = failed_sentence(platform)
    assert sentence is not None
    (words,) = re.findall(r"correct the contract and run `analytics-platform (replay [^`]+)`", sentence)
    assert call(tmp_path, *shlex.split(words), PARTITION_START="2026-03-01").returncode == 0
    assert failed_sentence(platform) is None


def test_batches_of_a_queue_do_not_supersede_each_other_and_few_rows_say_nothing(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    good = [shop_message("ada", f"2026-10-01T10:{number:02}:00Z") for number in range(60)]
    with platform.session() as session:
        load_messages(platform, session, [f"{{few {number}" for number in range(90)])
    assert failed_sentence(platform, "ecommerce_events") is None
    with platform.session() as session:
        load_messages(platform, session, [f"{{{number}" for number in range(120)])
        load_messages(platform, session, good)
    sentence = failed_sentence(platform, "ecommerce_events")
    assert sentence is not None and "drop" not in sentence


def test_commands_name_batches_by_their_whole_ids(call: Call, tmp_path: Path) -> None:
    platform = with_bad_batch(tmp_path)
    with platform.session() as session:
        ((batch,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs")
    start, withdrawals = str(batch)[:6], list[str]()
    for arguments in (
        ("status",),
        ("accept", start, "--reason", "an outage"),
        ("replay", start),
        ("withdraw", start, "--reason", "a wrong\x1b[31m export"),
        ("accept", start, "--reason", "an outage"),
        ("withdraw", start, "--reason", "another reason"),
        ("replay", start),
    ):
        ended = call(tmp_path, *arguments, COLUMNS="80")
        said = ended.stdout + ended.stderr
        assert all(map(str.isprintable, said.splitlines()))
        assert str(batch) in said, arguments
        withdrawals += re.findall(rf"withdrawn by {getpass.getuser()} on 20\S+ \S+ UTC: a wrong\S+ export[;.]", said)
        assert ended.returncode == (2 if "load it again" in said else 0), said
    assert len(withdrawals) == 3


@pytest.mark.parametrize("command", ["replay", "withdraw"])
def test_each_command_for_a_batch_that_is_set_aside_clears_the_failed_check(
    call: Call, tmp_path: Path, command: str
) -> None:
    platform = open_platform(tmp_path)
    content = clickstream(10).encode()
    batch = platform.lake.put_bytes("clickstream", "a.csv", ".csv", content)
    batch.path.write_bytes(content[:-1])
    for is_mended in (False, True):
        with platform.session() as session:
            load_landed(platform, session)
            observation = has_every_batch(session, platform.settings, dt.datetime.now(dt.UTC))
            sentences = [observation.remedy, *map(str, unloaded_batches(session))]
        assert observation.passed is is_mended
        if not is_mended:
            assert sentences[0] == sentences[1] and "put it back from a backup" in sentences[0]
            (words,) = re.findall(f"`analytics-platform ({command} [^`]+)`", sentences[0])
            batch.path.write_bytes(content)
            assert call(tmp_path, *shlex.split(words)).returncode == 0


def test_a_batch_that_comes_again_after_it_was_accepted_and_withdrawn_fails_the_check_again(
    call: Call, tmp_path: Path
) -> None:
    platform = with_bad_batch(tmp_path)
    with platform.session() as session:
        ((batch,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs")
    for words in (("accept", "--reason", "known"), ("withdraw", "--reason", "a wrong export"), ("replay",)):
        assert call(tmp_path, words[0], str(batch), *words[1:]).returncode == 0
    assert failed_sentence(platform) is not None
