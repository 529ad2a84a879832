from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from consultation.community import residence_queries as queries
from consultation.community.commands.identity import bind_phone
from consultation.community.identity import (
    AccountJoined,
    AccountNotProvisional,
    PhoneInUse,
    mask_phone,
    phone_text,
)
from consultation.community.tables import (
    Household,
    Ownership,
    Person,
    PersonKey,
    Residence,
    ResidenceKind,
    RoleAssignment,
)
from consultation.database import Database, Transaction
from consultation.permissions import Actor, Role
from tests.world import World


@pytest.mark.parametrize(
    ("country", "number", "text", "masked"),
    [
        ("86", "19900000001", "19900000001", "199****0001"),
        ("86", "199-0000 0001", "19900000001", "199****0001"),
        ("", "19900000001", "19900000001", "199****0001"),
        ("852", "91234567", "+85291234567", "+85****4567"),
        ("86", "12345", "12345", "****45"),
    ],
)
def test_a_number_has_one_spelling_and_a_mask(
    country: str, number: str, text: str, masked: str
) -> None:
    assert phone_text(country, number) == text
    assert mask_phone(text) == masked


Known = Callable[[Transaction, World, Person], Any]
KNOWN: dict[str, Known] = {
    "a key of the register": lambda _, world, who: PersonKey(
        community_id=world.community.id, key_lookup=uuid4().hex, person_id=who.id
    ),
    "a home of one's own": lambda _, world, who: Ownership(
        unit_id=world.units[0].id, person_id=who.id, community_id=world.community.id
    ),
    "a household to represent": lambda tx, world, who: Household(
        id=tx.new_id(),
        community_id=world.community.id,
        estate_id=world.nodes["estate"].id,
        code=uuid4().hex,
        adults=1,
        representative_id=who.id,
    ),
    "a role, though it has ended": lambda tx, world, who: RoleAssignment(
        id=tx.new_id(),
        person_id=who.id,
        role=Role.CLERK,
        org_id=world.orgs["committee"].id,
        node_id=world.community.id,
        node_path=world.community.path,
        valid_from=tx.now,
        valid_to=tx.now,
        basis="test",
    ),
    "a residence of the register": lambda tx, world, who: Residence(
        id=tx.new_id(),
        person_id=who.id,
        community_id=world.community.id,
        kind=ResidenceKind.OWNER,
        level=1,
        created_at=tx.now,
    ),
    "a verified residence": lambda tx, world, who: Residence(
        id=tx.new_id(),
        person_id=who.id,
        community_id=world.community.id,
        kind=ResidenceKind.TENANT,
        level=2,
        claim_sealed=b"x",
        created_at=tx.now,
    ),
}


async def somebody(db: Database, phone: str | None = None) -> Person:
    async with db.begin() as tx:
        person = Person(id=tx.new_id(), created_at=tx.now)
        if phone is not None:
            person.phone_sealed = tx.vault.seal(person.id, phone)
            person.phone_lookup = tx.vault.lookup("phone", phone)
        tx.session.add(person)
    return person


async def test_whoever_a_register_or_a_role_knows_is_somebody_and_may_be_found_by_phone(
    db: Database, world: World
) -> None:
    for number, (name, make) in enumerate(KNOWN.items()):
        phone = f"1370000000{number}"
        known, account = await somebody(db, phone), await somebody(db)
        async with db.begin() as tx:
            tx.session.add(make(tx, world, known))

        async with db.begin(Actor(person_id=account.id)) as tx:
            assert not await queries.is_provisional(tx, known), name
            assert await queries.is_provisional(tx, account)
            assert await bind_phone(tx, phone) == known.id


async def test_whoever_is_somebody_does_not_become_somebody_else(
    db: Database, world: World
) -> None:
    other = world.people["resident1"]
    assert other.phone_sealed is not None
    phone = db.vault.open(other.id, other.phone_sealed)
    for name, make in KNOWN.items():
        known = await somebody(db)
        async with db.begin() as tx:
            tx.session.add(make(tx, world, known))

        with pytest.raises(AccountNotProvisional):
            async with db.begin(Actor(person_id=known.id)) as tx:
                await bind_phone(tx, phone)
        async with db.read() as tx:
            kept = await tx.session.get(Person, known.id)
            assert kept is not None
            assert kept.same_as_id is None, name


async def test_a_claim_alone_makes_nobody_and_a_joined_account_is_done_for(
    db: Database, world: World
) -> None:
    claimant = await somebody(db, "13700000001")
    async with db.begin() as tx:
        tx.session.add(
            Residence(
                id=tx.new_id(),
                person_id=claimant.id,
                community_id=world.community.id,
                kind=ResidenceKind.OWNER,
                level=1,
                claim_sealed=b"x",
                created_at=tx.now,
            )
        )
    late = await somebody(db)
    with pytest.raises(PhoneInUse):
        async with db.begin(Actor(person_id=late.id)) as tx:
            await bind_phone(tx, "13700000001")

    owner = world.people["resident1"]
    assert owner.phone_sealed is not None
    async with db.begin(Actor(person_id=claimant.id)) as tx:
        await bind_phone(tx, db.vault.open(owner.id, owner.phone_sealed))
    with pytest.raises(AccountJoined):
        async with db.begin(Actor(person_id=claimant.id)) as tx:
            await bind_phone(tx, "13700000002")
    async with db.begin(Actor(person_id=late.id)) as tx:
        assert await bind_phone(tx, "13700000001") == late.id  # the number is free again
