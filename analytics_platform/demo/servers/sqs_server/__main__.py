"""`python -m analytics_platform.demo.servers.sqs_server --port 9324`."""

from __future__ import annotations

from analytics_platform.demo.servers.sqs_server.run import main

main()
