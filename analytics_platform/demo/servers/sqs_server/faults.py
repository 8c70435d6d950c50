"""What the local queue does wrong on demand; a standard queue of the real service may do all of it at any time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields
from math import inf


@dataclass(slots=True)
class Faults:
    """The chance (0 to 1) of each fault, drawn from one seeded generator. May be changed while the server runs."""

    seed: int = 0
    at_most: float = inf
    """So many faults happen in all."""
    shuffle: float = 0.0
    """A message is received at a random place in the order, not after those sent before it."""
    duplicates: float = 0.0
    """A received message stays visible, so that it is received again at once, with a new receipt handle."""
    empty_receives: float = 0.0
    """A receive comes back empty at once, as if it had asked the wrong part of the queue."""
    failed_entries: float = 0.0
    """An entry of a batch (send, delete, change of visibility) fails while others succeed."""
    lost_deletes: float = 0.0
    """A delete is answered as successful, and the message stays."""
    server_errors: float = 0.0
    """A request is answered with status 500; half of these were carried out all the same."""
    draws: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.draws = random.Random(self.seed)

    def strike(self, chance: float) -> bool:
        """Whether a fault of this chance happens now."""
        struck = chance > 0 and self.at_most > 0 and self.draws.random() < chance
        self.at_most -= struck
        return struck


CHANCES = tuple(knob.name for knob in fields(Faults) if knob.name not in ("seed", "at_most", "draws"))
"""The names of the faults."""
