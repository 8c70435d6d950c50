"""`python -m analytics_platform.local.sqs_server --port 9324`."""

from __future__ import annotations

from analytics_platform.local.sqs_server.run import main

main()
