"""How many people are here, by lease: a person counts for 70 seconds after their client was last
heard on a stream, on however many sockets. So somebody whose phone slept for a minute was never
away, and nobody learns who is here, only how many.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from notifications.hub import Hub

LEASE_SECONDS = 70.0
SWEEP_SECONDS = 5.0


class Presence:
    """``changed`` holds the streams whose number may have changed since somebody took it away;
    ``renewed`` what other processes have not been told yet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._leases: dict[str, dict[UUID, float]] = {}
        self._swept = 0.0
        self.changed: set[str] = set()
        self.renewed: dict[UUID, set[str]] = {}
        self.shared = False
        """Whether other processes are to be told."""

    def renew(self, person_id: UUID, streams: Sequence[str], *, heard_here: bool = True) -> None:
        until = asyncio.get_running_loop().time() + LEASE_SECONDS
        for stream in streams:
            if stream.startswith("user:") or self._hub.channel(stream) is None:
                continue
            leases = self._leases.setdefault(stream, {})
            if person_id not in leases:
                self.changed.add(stream)
            leases[person_id] = until
        if self.shared and heard_here:
            self.renewed.setdefault(person_id, set()).update(streams)

    def count(self, stream: str) -> int:
        return len(self._leases.get(stream, ()))

    def sweep(self) -> None:
        """End the leases that ran out."""
        now = asyncio.get_running_loop().time()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for stream, leases in list(self._leases.items()):
            over = [person for person, until in leases.items() if until <= now]
            if over:
                self.changed.add(stream)
                for person in over:
                    del leases[person]
            if not leases:
                del self._leases[stream]
