"""Reading what was written, for those who send it on."""

import json
from collections.abc import Iterator
from pathlib import Path


def read_messages(path: Path) -> Iterator[str]:
    """The message bodies of a file of `messages`, in sending order, each the exact text."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            body: str = json.loads(line)["body"]
            yield body


def read_documents(path: Path) -> Iterator[str]:
    """The documents of a file of `web_logs`, in order, each as canonical Extended JSON."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.rstrip("\n")
