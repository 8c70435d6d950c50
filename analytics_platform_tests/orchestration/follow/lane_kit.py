"""A platform whose batches the job `follow` loads and builds, and random traffic for it."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from analytics_platform.connectors.sqs import Message
from analytics_platform.lake import Batch
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.follow.lane import QUIET
from analytics_platform.orchestration.jobs import BUILT_UP_TO, FOLLOW, FOLLOWED_UP_TO
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.arrivals.queue import put_messages
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.ledger import known_days
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.kit import Contents, Platform, build, click, contents, open_with_tables, to_csv
from analytics_platform_tests.names import CLICKSTREAM, ECOMMERCE_EVENTS
from analytics_platform_tests.shop_messages import SENT_AT, shop_message

FIRST = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@dataclass
class Followed:
    """A platform, the job, and where it stands."""

    platform: Platform
    instance: dg.DagsterInstance
    built: str = ""
    followed: str = ""
    failed: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.job = build_definitions(self.platform.settings).resolve_job_def(FOLLOW)

    def put(self, bodies: Sequence[str]) -> Batch:
        """Put messages into the lake, as the lane does."""
        received = [Message(f"m{next(self.numbers)}", body, SENT_AT, 1, {}) for body in bodies]
        return put_messages(self.platform.lake, ECOMMERCE_EVENTS, "events", received)

    def drop(self, name: str, rows: str) -> list[str]:
        """Put a file of clickstream into landing folder and lake; returns contents, as the lane gives them."""
        self.platform.landing.joinpath(name).write_text(rows, "utf-8")
        source = SOURCES[CLICKSTREAM]
        landed = land_files(source, self.platform.settings, self.platform.lake)
        return [batch.content_sha256 for batch in landed.batches]

    def run(
        self, batches: dict[str, list[str]] | None = None, with_summaries: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Run the job on these contents, or on all that was not loaded, and keep the marks it left."""
        marks = {"built_up_to": self.built, "followed_up_to": self.followed}
        config = {"batches": batches, "failed": self.failed, "with_summaries": with_summaries, **marks}
        result = self.job.execute_in_process(
            {"ops": {"follow_batch": {"config": config}}, "loggers": QUIET},
            self.instance,
            tags=self.tags,
            raise_on_error=False,
        )
        run = self.instance.get_run_by_id(result.run_id)
        assert run is not None
        self.built, self.followed = (
            run.tags.get(tag, mark) for tag, mark in ((BUILT_UP_TO, self.built), (FOLLOWED_UP_TO, self.followed))
        )
        return result

    def follow(self, *bodies: str) -> dg.ExecuteInProcessResult:
        """Let a batch of messages arrive, and run."""
        return self.run({ECOMMERCE_EVENTS: [self.put(bodies).content_sha256]})

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the warehouse."""
        with self.platform.session(read_only=True) as session:
            return session.rows(sql)

    def contents(self) -> Contents:
        """All tables but the ledger."""
        with self.platform.session() as session:
            return _tables(contents(session))

    def unlike(self, expected: Contents) -> set[str]:
        """Name the tables that hold something else."""
        found = self.contents()
        return {name for name in expected if expected[name] != found[name]}

    def rebuilt(self, folder: Path) -> Contents:
        """What a new DuckDB warehouse holds after all of the lake was loaded and every day was built at once."""
        other = open_with_tables(folder, lake_url=str(self.platform.lake.root))
        with other.session() as session:
            for source in SOURCES.values():
                list(load_new_batches(source, session, other.settings, other.lake, "rebuild"))
            known = known_days(session)
            assert known is not None
            build(session, DayRange(*known), other.settings)
            return _tables(contents(session))


def _tables(found: Contents) -> Contents:
    return {name: rows for name, rows in found.items() if not name.startswith("ops.")}


def messages(
    seed: int, count: int, users: int = 6, without_id: float = 0.2, called: Sequence[str] = ("u%d",)
) -> list[str]:
    """Random messages of some users on three days: late and repeated ones, some around midnight, orders, refunds.

    The users are `called` so in turn, with their number. A share of the items has no id, some amounts another currency,
    and some pages the domain of another one's referrer.
    """
    chance, made = random.Random(seed), list[str]()
    for _ in range(count):
        if made and chance.random() < 0.1:
            made.append(chance.choice(made))
            continue
        seconds = chance.choice([chance.randrange(3 * 86400), 86400 + chance.randrange(-900, 900)])
        name = chance.choice(["view_item_list", "view_item", "select_item", "add_to_cart", "purchase", "refund"])
        number = chance.randrange(4)
        item: dict[str, object] = {"item_name": f"Product {number}", "price": 10 + number, "quantity": 1}
        item |= {"item_id": f"p{number}"} if chance.random() >= without_id else {}
        item |= {"item_list_name": f"list {chance.randrange(3)}"} if chance.random() < 0.7 else {}
        fields: dict[str, object] = {"items": [item]}
        if "u" in name[1:]:
            fields |= {"transaction_id": f"t{chance.randrange(users)}", "revenue": 10 + number}
            fields |= {"currency": "EUR" if chance.random() < 0.98 else "USD"}
        if chance.random() < 0.3:
            fields |= {chance.choice(["page_location", "page_referrer"]): f"https://{chance.randrange(4)}.example/a"}
        at = FIRST + dt.timedelta(seconds=seconds)
        user = chance.randrange(users)
        made.append(shop_message(called[user % len(called)] % user, at, name, **fields))
    return made


def clicks(seed: int, count: int, clients: int = 8) -> str:
    """A file of random clicks on the same days; some clients are bots, and some sign in."""
    chance = random.Random(seed)
    bot = {"user_agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}
    return to_csv(
        [
            click(
                f"c{(client := chance.randrange(clients))}",
                FIRST + dt.timedelta(seconds=chance.randrange(3 * 86400)),
                chance.choice(["page_viewed", "product_added_to_cart", "checkout_started"]),
                **(bot if client < 2 else {}),
                **({"user_id": f"u{chance.randrange(client + 1)}"} if chance.random() < 0.1 else {}),
            )
            for _ in range(count)
        ]
    )
