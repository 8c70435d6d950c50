"""moto over HTTP on loopback: SQS and S3 written by others, to check our own local queue and the code against."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def serve_moto(port: int = 0) -> Iterator[str]:
    """Serve SQS and S3 in threads of this process; yields the endpoint's URL.

    moto keeps its queues and buckets in the process, not in the server: two servers in one process share them.
    Its receive looks at the whole queue, so keep queues short (15 messages/s at 3,000 queued).
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        host, bound = server.get_host_and_port()
        yield f"http://{host}:{bound}"
    finally:
        server.stop()
