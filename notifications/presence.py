"""How many people are here, by lease: a person counts for 70 seconds after their client was last
heard on a stream, on however many sockets. So somebody whose phone slept for a minute was never
away, and nobody learns who is here, only how many.

Every process keeps what the others tell it, also of streams that nobody follows here yet: who comes
to one finds those who are there. Only a process that has just started counts too few, until
everybody has been heard once.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from notifications.bus import Bus
from notifications.hub import Hub

LEASE_SECONDS = 70.0
SWEEP_SECONDS = 5.0
HELD = 200_000
"""Leases, beyond which those of streams that nobody follows here are not kept."""


class Presence:
    """``changed`` holds the streams whose number may have changed since somebody took it away."""

    def __init__(self, hub: Hub, bus: Bus) -> None:
        self._hub = hub
        self._bus = bus
        bus.on("here", self._hear)
        self._leases: dict[str, dict[UUID, float]] = {}
        self._held = 0
        self._swept = 0.0
        self._renewed: dict[UUID, set[str]] = {}
        self.changed: set[str] = set()

    def renew(self, person_id: UUID, streams: Sequence[str]) -> None:
        """The person's client was heard, and follows these."""
        self._renew(person_id, streams)
        if self._bus.shared:
            self._renewed.setdefault(person_id, set()).update(streams)

    def share(self) -> None:
        """Tell the other processes who was heard here since the last time."""
        if self._renewed:
            people = {str(id): sorted(streams) for id, streams in self._renewed.items()}
            self._renewed = {}
            self._bus.tell("here", people=people)

    def _hear(self, message: dict[str, Any]) -> None:
        for person, streams in message["people"].items():
            self._renew(UUID(person), streams)

    def _renew(self, person_id: UUID, streams: Sequence[str]) -> None:
        until = asyncio.get_running_loop().time() + LEASE_SECONDS
        for stream in streams:
            channel = self._hub.channel(stream)
            if stream.startswith("user:") or (channel is None and self._held >= HELD):
                continue
            leases = self._leases.setdefault(stream, {})
            new = person_id not in leases
            self._held += new
            leases[person_id] = until
            # Who was counted before the channel was there, was told to nobody.
            if channel is not None and (new or "online" not in (channel.volatile or ())):
                self.changed.add(stream)

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
                self._held -= len(over)
                for person in over:
                    del leases[person]
            if not leases:
                del self._leases[stream]
