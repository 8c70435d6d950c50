"""Messages from an SQS queue: received by several threads, stored in batches, deleted only when stored.

queue = Queue("https://sqs.eu-west-1.amazonaws.com/123456789012/shop-events")
drained = drain(queue, store=write_batch_durably)

Delivery is at least once: `store` must accept a message that comes again.
"""

from __future__ import annotations

from analytics_platform.connectors.sqs.client import Depth, Message, Queue
from analytics_platform.connectors.sqs.dead_letters import redrive, send_copies
from analytics_platform.connectors.sqs.drain import drain
from analytics_platform.connectors.sqs.errors import QueueError
from analytics_platform.connectors.sqs.in_flight import Drained

__all__ = ["Depth", "Drained", "Message", "Queue", "QueueError", "drain", "redrive", "send_copies"]
