"""A small, fast SQS on loopback for load and faults, speaking the protocol of the AWS SDKs (AWS JSON 1.0).

`python -m analytics_platform.demo.servers.sqs_server` runs it alone, `serve()` in a thread, `serve_in_process()` in a
process. Clients differ from those of the real service by AWS_ENDPOINT_URL only. Queues live in memory and are
standard ones: no FIFO order, no redrive policy, no signature is checked.
"""

from __future__ import annotations

from analytics_platform.demo.servers.sqs_server.faults import Faults
from analytics_platform.demo.servers.sqs_server.run import serve, serve_in_process

__all__ = ["Faults", "serve", "serve_in_process"]
