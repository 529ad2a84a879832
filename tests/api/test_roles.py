from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from consultation.community.tables import Person, RoleAssignment
from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Role
from tests.conftest import ManualClock
from tests.world import World

SECRETARY = ("secretary", Role.PARTY_SECRETARY)
OFFICIAL = ("official", Role.GOVERNMENT)


class Office:
    """Proposes, confirms and ends over HTTP."""

    def __init__(self, client: httpx.AsyncClient, world: World) -> None:
        self.client, self.world = client, world

    def body(self, role: Role, who: str = "resident1", **more: Any) -> dict[str, Any]:
        return {
            "person_id": str(self.world.id(who)),
            "role": role.value,
            "org_id": str(self.world.orgs["committee"].id),
            "node_id": str(self.world.community.id),
            "first_day": "2026-03-01",
            "basis": "居委会决定",
        } | more

    async def propose(
        self, by: tuple[str, Role], role: Role, who: str = "resident1", **more: Any
    ) -> httpx.Response:
        return await self.client.post(
            f"/v1/communities/{self.world.community.id}/roles",
            json=self.body(role, who, **more),
            headers=self.world.headers(*by),
        )

    async def confirm(self, by: tuple[str, Role | None], role_id: str) -> httpx.Response:
        return await self.client.post(
            f"/v1/roles/{role_id}/confirm", headers=self.world.headers(*by)
        )

    async def end(self, by: tuple[str, Role | None], role_id: str) -> httpx.Response:
        return await self.client.post(
            f"/v1/roles/{role_id}/end", json={"basis": "调离"}, headers=self.world.headers(*by)
        )


@pytest.fixture
def office(client: httpx.AsyncClient, world: World) -> Office:
    return Office(client, world)


def code(answer: httpx.Response) -> str:
    return answer.json()["code"]


async def test_a_role_needs_a_second_person_and_then_works_at_once(
    office: Office, world: World, db: Database
) -> None:
    proposed = await office.propose(SECRETARY, Role.CLERK)
    assert proposed.status_code == 201
    role_id = proposed.json()["id"]
    clerk = {**world.headers("resident1"), "minyi-role": role_id}
    units = f"/v1/nodes/{world.community.id}/units"

    assert code(await office.client.get(units, headers=clerk)) == "role-not-held"
    listed = await office.client.get(
        f"/v1/communities/{world.community.id}/role-proposals", headers=world.headers(*OFFICIAL)
    )
    assert [item["id"] for item in listed.json()["items"]] == [role_id]
    assert code(await office.confirm(SECRETARY, role_id)) == "second-person-needed"

    confirmed = await office.confirm(OFFICIAL, role_id)
    assert confirmed.json()["holder"] == "居*"
    assert (await office.client.get(units, headers=clerk)).status_code == 200
    assert code(await office.confirm(OFFICIAL, role_id)) == "role-proposal-decided"
    assert code(await office.propose(SECRETARY, Role.CLERK)) == "role-already-held"

    assert (await office.end(SECRETARY, role_id)).status_code == 200
    assert code(await office.client.get(units, headers=clerk)) == "role-not-held"
    assert code(await office.end(SECRETARY, role_id)) == "role-already-ended"

    async with db.read() as tx:
        row = await tx.session.get(RoleAssignment, UUID(role_id))
        assert row is not None
        assert (row.granted_by_id, row.confirmed_by_id, row.ended_by_id) == (
            world.id("secretary"),
            world.id("official"),
            world.id("secretary"),
        )
        entries = await tx.session.exec(select(JournalEntry.stream, JournalEntry.type))
        person = f"user:{world.id('resident1')}"
        assert {type for stream, type in entries if stream == person} == {
            "user.role_granted",
            "user.role_ended",
        }


async def test_separation_is_kept_when_proposing_and_again_when_confirming(
    office: Office, world: World, db: Database
) -> None:
    watch = {"org_id": str(world.orgs["supervision"].id)}
    assert code(await office.propose(OFFICIAL, Role.SUPERVISOR, "clerk", **watch)) == (
        "roles-exclude-each-other"
    )
    assert code(await office.propose(SECRETARY, Role.CLERK, "supervisor")) == (
        "roles-exclude-each-other"
    )
    relative = watch | {"close_relative_of_committee": True}
    assert code(await office.propose(OFFICIAL, Role.SUPERVISOR, **relative)) == (
        "relative-cannot-supervise"
    )
    assert code(await office.propose(SECRETARY, Role.TELLER, "company")) == "company-cannot-count"
    assert code(await office.propose(SECRETARY, Role.TELLER, "admin")) == (
        "roles-exclude-each-other"
    )

    supervisor = (await office.propose(OFFICIAL, Role.SUPERVISOR, **watch)).json()["id"]
    clerk = (await office.propose(SECRETARY, Role.CLERK)).json()["id"]
    assert (await office.confirm(OFFICIAL, clerk)).status_code == 200
    await second_official(db, world)
    answer = await office.confirm(("official2", Role.GOVERNMENT), supervisor)
    assert code(answer) == "roles-exclude-each-other"


async def second_official(db: Database, world: World) -> None:
    """A colleague of the official, in the same office."""
    async with db.begin() as tx:
        colleague = Person(id=uuid4(), masked_name="宋*", created_at=tx.now)
        tx.session.add(colleague)
        await tx.session.flush()
        theirs = world.assignments["official", Role.GOVERNMENT].model_dump()
        assignment = RoleAssignment(**theirs | {"id": uuid4(), "person_id": colleague.id})
        tx.session.add(assignment)
    world.people["official2"] = colleague
    world.assignments["official2", Role.GOVERNMENT] = assignment


async def test_who_may_give_what_and_where(office: Office, world: World) -> None:
    for role in (Role.PARTY_SECRETARY, Role.COMMITTEE_HEAD, Role.SUPERVISOR):
        assert code(await office.propose(SECRETARY, role)) == "role-not-yours-to-give"
    for nobody in (("clerk", Role.CLERK), ("supervisor", Role.SUPERVISOR)):
        assert code(await office.propose(nobody, Role.TELLER)) == "not-permitted"
    department = ("enforcer", Role.GOVERNMENT)
    assert code(await office.propose(department, Role.CLERK)) == "role-not-yours-to-give"
    elsewhere = {"node_id": str(world.nodes["other"].id)}
    assert (await office.propose(SECRETARY, Role.TELLER, **elsewhere)).status_code == 403
    below = {"node_id": str(world.nodes["grid"].id)}
    assert (await office.propose(SECRETARY, Role.GRID_WORKER, **below)).status_code == 201
    assert code(await office.propose(("admin", Role.SYSTEM_ADMIN), Role.CLERK)) == (
        "role-not-yours-to-give"
    )


async def test_a_role_is_for_a_known_person_an_organisation_near_and_a_term_to_come(
    office: Office, world: World
) -> None:
    by_phone = {"person_id": None, "phone": "199 0000 0013"}
    assert (await office.propose(SECRETARY, Role.TELLER, **by_phone)).status_code == 201
    assert (
        code(await office.propose(SECRETARY, Role.TELLER, person_id=None, phone="13800138000"))
        == "person-unknown"
    )
    assert code(await office.propose(SECRETARY, Role.TELLER, phone="13800138000")) == (
        "malformed-request"
    )
    assert code(await office.propose(SECRETARY, Role.TELLER, last_day="2026-03-10")) == (
        "role-period-empty"
    )
    far = {"org_id": str(world.orgs["hotline"].id)}  # of a level above: near enough
    assert (await office.propose(SECRETARY, Role.HOST, "tenant", **far)).status_code == 201
    nowhere = {"org_id": str(uuid4())}
    assert code(await office.propose(SECRETARY, Role.HOST, **nowhere)) == "organisation-elsewhere"
    today = await office.propose(SECRETARY, Role.TELLER, last_day="2026-03-11")
    assert today.json()["valid_to"] == "2026-03-11T16:00:00Z"


async def test_a_proposal_is_declined_or_expires(
    office: Office, world: World, clock: ManualClock
) -> None:
    declined = (await office.propose(SECRETARY, Role.TELLER)).json()["id"]
    assert (await office.end(OFFICIAL, declined)).status_code == 200
    assert code(await office.confirm(OFFICIAL, declined)) == "role-proposal-decided"
    late = (await office.propose(SECRETARY, Role.TELLER, last_day="2026-03-12")).json()["id"]
    clock.advance(days=2)
    assert code(await office.confirm(OFFICIAL, late)) == "role-proposal-expired"


async def test_the_holder_may_resign_and_nobody_else_may_end_what_they_cannot_give(
    office: Office, world: World
) -> None:
    supervisor = str(world.assignments["supervisor", Role.SUPERVISOR].id)
    assert code(await office.end(SECRETARY, supervisor)) == "role-not-yours-to-give"
    assert code(await office.end(("clerk", Role.CLERK), supervisor)) == "not-permitted"
    assert code(await office.end(("resident1", None), supervisor)) == "not-permitted"
    assert (await office.end(("supervisor", None), supervisor)).status_code == 200


async def test_offices_are_public_by_title_and_masked_name(office: Office, world: World) -> None:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (
            await office.client.get(f"/v1/communities/{world.community.id}/roles?limit=4{cursor}")
        ).json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(found) == len({item["id"] for item in found}) == 11
    assert {item["holder"] for item in found} >= {"周*", "许*"}
    assert "周文静" not in str(found)
