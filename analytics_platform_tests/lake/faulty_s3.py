"""Serves a bucket when it is run as a module, and prints its address, and others where requests to it fail.

It is a process by itself: while deltalake waits for an answer, no thread of the tests' own process runs.
"""

from __future__ import annotations

import random
import sys
from contextlib import ExitStack

from analytics_platform_tests.lake.s3_kit import DONE, HALF, Fault, serve_bucket, serve_faults


def failing(share: float) -> Fault:
    """All kinds of faults, of this share of requests."""
    chance, kinds = random.Random(1), (500, 503, 0, HALF, DONE)
    return lambda method, path: chance.choice(kinds) if chance.random() < share else None


def main() -> None:
    """Serve until standard input ends. Each argument is a share of requests that fail."""
    with ExitStack() as servers, serve_bucket() as bucket:
        faulty = [servers.enter_context(serve_faults(bucket.endpoint, failing(float(x)))) for x in sys.argv[1:]]
        print(bucket.endpoint, *faulty, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
