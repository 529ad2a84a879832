"""What happens to a community itself."""

from dataclasses import dataclass

from consultation.events.event import Event
from consultation.events.streams import community_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterImported(Event):
    type = "community.register_imported"
    kind: str
    rows: int

    def streams(self) -> list[str]:
        return [] if self.community_id is None else [community_stream(self.community_id)]
