"""A webhook and a mail server on loopback that keep messages, or reject them."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """`messages` are the documents posted. `status` is what it answers; "slow" never ends its answer."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status: int | str = 200
        self.asked = 0
        self.url = ""


@contextmanager
def serve_webhook() -> Iterator[Webhook]:
    """A webhook for the length of a `with` block."""
    hook, end = Webhook(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.asked += 1
            if hook.status == "slow":
                with suppress(OSError):
                    self._drip()
                return
            if hook.status == 200:  # kept before it is answered: who asks next must find it
                hook.messages.append(json.loads(body))
            self.send_response(int(hook.status))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not end.is_set():
                self.wfile.write(b"x")
                time.sleep(0.02)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    hook.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/s3cretpath"
    try:
        yield hook
    finally:
        end.set()
        server.shutdown()
        server.server_close()


class MailServer:
    """`mails` are the mails taken, headers and body as they came; `commands` all lines before them."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.commands: list[str] = []
        self.refuses = False
        self.url = ""


@contextmanager
def serve_mail() -> Iterator[MailServer]:
    """A mail server without TLS for the length of a `with` block."""
    kept = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 ready")
            for line in iter(self.rfile.readline, b""):
                command = line.decode().strip()
                kept.commands.append(command)
                verb = command.partition(" ")[0].upper()
                if verb == "QUIT":
                    return self._say("221 bye")
                if verb == "RCPT" and kept.refuses:
                    self._say("550 no such mailbox")
                elif verb == "DATA":
                    self._say("354 go on")
                    kept.mails.append(self._read_mail())
                    self._say("250 taken")
                else:
                    self._say("250 ok")
            return None

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

        def _read_mail(self) -> str:
            return b"".join(iter(self.rfile.readline, b".\r\n")).decode()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        kept.url = f"smtp://127.0.0.1:{server.server_address[1]}"
        try:
            yield kept
        finally:
            server.shutdown()
