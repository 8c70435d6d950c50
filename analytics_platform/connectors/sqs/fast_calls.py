"""The two calls that a drain makes all the time, at half of botocore's work for each.

What bounds a drain is the processor time of this process for each request. botocore resolves endpoints, emits events,
serializes and parses by a model of the API. ReceiveMessage and DeleteMessageBatch need one JSON object each way, and
botocore only to sign and send it. Each call is tried once: anything but a success is left to the client, which retries
with backoff and knows the errors.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ProxyConnectionError, SSLError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies

from analytics_platform.connectors.sqs.errors import read_answer

FAST_CALLS = frozenset({"ReceiveMessage", "DeleteMessageBatch"})


class FastCalls:
    """Signed calls to the endpoint of a botocore client, with the session's credentials, proxies and certificates."""

    def __init__(self, session: Any, client: Any) -> None:
        config = client.meta.config
        self._url = client.meta.endpoint_url.rstrip("/") + "/"
        self._region = client.meta.region_name
        self._credentials = session.get_credentials()
        self._headers = {"Content-Type": "application/x-amz-json-1.0", "User-Agent": config.user_agent}
        self._http = URLLib3Session(
            verify=session.get_config_variable("ca_bundle") or True,
            proxies=get_environ_proxies(self._url),
            timeout=(config.connect_timeout, config.read_timeout),
            max_pool_connections=config.max_pool_connections,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    def call(self, action: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the answer, or None if the client has to make the call."""
        if self._credentials is None:
            return None
        headers = {**self._headers, "X-Amz-Target": f"AmazonSQS.{action}"}
        request = AWSRequest("POST", self._url, headers=headers, data=json.dumps(parameters).encode())
        try:
            SigV4Auth(self._credentials.get_frozen_credentials(), "sqs", self._region).add_auth(request)
            response = self._http.send(request.prepare())
            return read_answer(response.content) if response.status_code == 200 else None
        except (ProxyConnectionError, SSLError):  # the network needs settings that only the client knows
            self._credentials = None
            return None
        except (BotoCoreError, ResponseParserError, ValueError):
            return None
