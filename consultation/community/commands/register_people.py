"""The people of a register: found again by key or phone, else new; names and phones sealed."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from consultation.community.register_checks import Mention, Recorded, Roster, recognise
from consultation.community.register_queries import PersonRow, people_by_key, people_by_phone
from consultation.community.registers import Outcome
from consultation.community.rules import mask_name
from consultation.community.tables import Node, Person, PersonKey
from consultation.database import Transaction


class People:
    """Who the mentions of a register are. Built by ``find``, which only reads; ``id`` is known at
    once, ``keep`` writes."""

    def __init__(self, tx: Transaction, community: Node, roster: Roster) -> None:
        self._tx = tx
        self._community = community
        self._roster = roster
        self._ids: dict[str, UUID] = {}
        self._new: list[dict[str, Any]] = []
        self._changed: list[dict[str, Any]] = []
        self._keys: list[dict[str, Any]] = []
        self.changed: set[UUID] = set()
        """New people and those of whom something has changed."""

    def id(self, mention: Mention) -> UUID | None:
        """None for a mention that is already reported as bad."""
        identity = self._roster.identity(mention)
        return None if identity is None else self._ids.get(identity)

    async def keep(self) -> None:
        for table, rows in ((Person, self._new), (PersonKey, self._keys)):
            if rows:
                await self._tx.session.exec(insert(table), params=rows)
        for rows in _by_columns(self._changed):
            await self._tx.session.exec(update(Person), params=rows)

    async def _find(self, outcome: Outcome) -> None:
        vault = self._tx.vault
        people = self._roster.people
        keys = {i: vault.lookup("register", m.key) for i, m in people.items() if m.key}
        phones = {i: vault.lookup("phone", m.phone) for i, m in people.items() if m.phone}
        by_key = await people_by_key(self._tx, self._community.id, keys.values())
        by_phone = await people_by_phone(self._tx, phones.values())
        for identity, mention in people.items():
            known = by_key.get(keys.get(identity, ""))
            phone = phones.get(identity)
            phoned = by_phone.get(phone or "")
            self._settle(identity, mention, keys.get(identity), phone, known, phoned, outcome)

    def _settle(
        self,
        identity: str,
        mention: Mention,
        key: str | None,
        phone: str | None,
        known: PersonRow | None,
        phoned: PersonRow | None,
        outcome: Outcome,
    ) -> None:
        by_key = self._recorded(known)
        by_phone = by_key if _same(known, phoned) else self._recorded(phoned)
        reason = recognise(mention, phone, by_key, by_phone)
        if reason is not None:
            outcome.bad.append(mention.bad(0 if by_phone is None else 2, reason))
            return
        row = known or phoned
        id = self._tx.new_id() if row is None else row.same_as_id or row.id
        self._ids[identity] = id
        if key is not None and known is None:
            self._keys.append(
                {"community_id": self._community.id, "key_lookup": key, "person_id": id}
            )
        if row is None:
            self._new.append(
                {
                    "id": id,
                    "masked_name": "",
                    "name_sealed": None,
                    "phone_sealed": None,
                    "phone_lookup": None,
                    "born_on": mention.born_on,
                    "registered": True,
                    "created_at": self._tx.now,
                }
                | self._named(id, mention.name)
                | (self._phoned(id, mention.phone, phone) if phone else {})
            )
            self.changed.add(id)
            return
        content: dict[str, Any] = {} if row.registered else {"registered": True}
        recorded = by_key or by_phone
        if recorded is None or recorded.name != mention.name:
            content |= self._named(id, mention.name)
        if phone is not None and phoned is None:
            content |= self._phoned(id, mention.phone, phone)
        if mention.born_on is not None and mention.born_on != row.born_on:
            content["born_on"] = mention.born_on
        if content:
            self._changed.append(content | {"id": id})
            self.changed.add(id)

    def _recorded(self, row: PersonRow | None) -> Recorded | None:
        if row is None:
            return None
        sealed = row.name_sealed
        name = None if sealed is None else self._tx.vault.open(row.id, sealed)
        return Recorded(name, row.phone_lookup, row.registered)

    def _named(self, id: UUID, name: str) -> dict[str, Any]:
        return {"masked_name": mask_name(name), "name_sealed": self._tx.vault.seal(id, name)}

    def _phoned(self, id: UUID, phone: str | None, lookup: str) -> dict[str, Any]:
        return {"phone_sealed": self._tx.vault.seal(id, phone or ""), "phone_lookup": lookup}


async def find_people(
    tx: Transaction, community: Node, every: Iterable[Mention], outcome: Outcome
) -> People:
    """Adds to ``outcome.bad`` whoever cannot be told apart from somebody else."""
    roster = Roster(every)
    outcome.bad.extend(roster.bad)
    people = People(tx, community, roster)
    await people._find(outcome)
    return people


def _same(one: PersonRow | None, other: PersonRow | None) -> bool:
    return one is not None and other is not None and one.id in (other.id, other.same_as_id)


def _by_columns(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Rows of like columns together: one statement updates one set of columns."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(row)
    return list(groups.values())
