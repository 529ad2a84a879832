"""The many who vote while the demo is built: through the same box, without the way over
WeChat and HTTP that ``minyi demo --check`` goes for each of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from api.demo.registers import phones
from api.dependencies import Services
from consultation.community.register_queries import people_by_phone
from consultation.polls.express.judging import OwnCast


@dataclass
class Crowd:
    services: Services
    ids: dict[str, UUID]

    @classmethod
    async def of(cls, services: Services) -> "Crowd":
        """Everybody in the registers, told apart by one look."""
        async with services.db.read() as tx:
            lookups = {tx.vault.lookup("phone", phone): phone for phone in phones().values()}
            found = await people_by_phone(tx, lookups)
        return cls(services, {lookups[lookup]: person.id for lookup, person in found.items()})

    def access_token(self, phone: str) -> str:
        new_id = self.services.db.new_id
        return self.services.tokens.issue(self.ids[phone], new_id(), new_id())

    async def cast(self, poll: str, votes: Mapping[str, str]) -> None:
        """Phone to choice on a poll of one item; all at once, as on the last evening."""
        cast = self.services.casts.cast
        await asyncio.gather(
            *(
                cast(OwnCast(UUID(poll), self.ids[phone], ((1, (choice,)),)))
                for phone, choice in votes.items()
            )
        )
