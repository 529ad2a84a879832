"""What was given up is seen without people, and sent again."""

from uuid import UUID, uuid4

import httpx
from sqlmodel import select

from consultation.community.tables import Person, Residence
from consultation.database import Database
from consultation.permissions import SYSTEM, Role
from consultation.polls.tables import Poll
from notifications.channels import Outcome
from tests.api.serving.doorstep import owed_a_reply
from tests.notifications.house import House, always
from tests.world import World


async def test_dead_letters_about_accounts_are_found_and_sent_again_too(
    client: httpx.AsyncClient, world: World, house: House, db: Database
) -> None:
    stranger = uuid4()
    async with db.begin(SYSTEM) as tx:
        tx.session.add(Person(id=stranger, created_at=tx.now))
    await house.give_accounts([stranger])
    house.wechat.answer = house.sms.answer = always(Outcome.FAULTY)
    for person_id in (world.id("resident1"), stranger):
        await owed_a_reply(house, person_id, None)
    await house.later(hours=12)

    admin = world.headers("admin", Role.SYSTEM_ADMIN)
    address = f"/v1/communities/{world.community.id}/dead-letters"
    dead = (await client.get(address, headers=admin)).json()["items"]
    assert len(dead) == 4  # by WeChat and by SMS, of somebody who lives here and of nobody's
    for one in dead:
        resend = f"/v1/deliveries/{one['id']}/resending"
        for name, role in (("clerk", Role.CLERK), ("resident2", None)):
            headers = world.headers(name, role)
            assert (await client.put(resend, headers=headers)).status_code == 403
        again = await client.put(resend, headers=admin)
        assert (again.status_code, again.json()["state"]) == (200, "waiting")

    async with db.begin() as tx:  # somebody of another community is that one's
        home = (
            await tx.session.exec(
                select(Residence).where(Residence.person_id == world.id("resident1"))
            )
        ).one()
        home.community_id = world.nodes["other"].id
    await house.later(minutes=1)
    dead = (await client.get(address, headers=admin)).json()["items"]
    assert len(dead) == 2


async def test_an_operator_sees_dead_letters_without_people_and_sends_them_again(
    client: httpx.AsyncClient, world: World, poll: Poll, house: House
) -> None:
    house.wechat.answer = always(Outcome.FAULTY)
    house.sms.answer = lambda letter: (
        Outcome.SENT if letter.person_id != world.id("resident2") else Outcome.FAULTY
    )
    await house.later(hours=12)
    admin = world.headers("admin", Role.SYSTEM_ADMIN)
    address = f"/v1/communities/{world.community.id}/dead-letters"
    page = await client.get(address, headers=admin, params={"limit": 50})
    dead = page.json()["items"]
    assert len(dead) == 6 + 6 + 1
    assert {one["error"] for one in dead} == {"faulty"}
    people = [str(person.id) for person in world.people.values()]
    assert [one for one in (*people, "居*", "1990000") if one in page.text] == []

    sms = next(one for one in dead if one["channel"] == "sms")
    house.sms.answer = house.wechat.answer = always(Outcome.SENT)
    again = await client.put(f"/v1/deliveries/{sms['id']}/resending", headers=admin)
    assert again.json()["state"] == "waiting"
    for one in dead:
        if one["channel"] == "wechat" and one["template"] == "poll_opened":
            await client.put(f"/v1/deliveries/{one['id']}/resending", headers=admin)
    before = len(house.wechat.sent) + len(house.sms.sent)
    await house.later(minutes=1)

    # only resident2 had not been reached; of both messages one goes out
    assert len(house.wechat.sent) + len(house.sms.sent) == before + 1
    for name, role in (("clerk", Role.CLERK), ("resident1", None)):
        headers = world.headers(name, role)
        assert (await client.get(address, headers=headers)).status_code == 403
        resend = f"/v1/deliveries/{sms['id']}/resending"
        assert (await client.put(resend, headers=headers)).status_code == 403
    unknown = await client.put(f"/v1/deliveries/{UUID(int=5)}/resending", headers=admin)
    assert unknown.status_code == 404
