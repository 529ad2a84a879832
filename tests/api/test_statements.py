import asyncio
from typing import Any

import httpx

from consultation.database import Database, statements
from consultation.deliberation.commands.marking import MarkRequest, mark_statements
from consultation.deliberation.commands.statements import add_statement
from consultation.deliberation.rules import Mark
from consultation.permissions import SYSTEM, Role
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.world import RESIDENTS, World, a_topic

CLERK = Role.CLERK


async def a_statement(
    client: httpx.AsyncClient, world: World, topic: Topic, text: str, who: str = "resident1"
) -> dict[str, Any]:
    answer = await client.post(
        f"/v1/topics/{topic.id}/statements", json={"text": text}, headers=world.headers(who)
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def mark(
    client: httpx.AsyncClient,
    world: World,
    statement: dict[str, Any],
    who: str,
    it: str,
    key: str | None = None,
) -> httpx.Response:
    headers = world.headers(who)
    headers.pop("idempotency-key")
    return await client.put(
        f"/v1/statements/{statement['id']}/mark",
        json={"mark": it},
        headers=headers | ({} if key is None else {"idempotency-key": key}),
    )


async def listed(
    client: httpx.AsyncClient, topic: Topic, headers: dict[str, str] | None = None, **params: str
) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/topics/{topic.id}/statements", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_people_mark_change_their_mind_and_see_their_own_mark(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    one = await a_statement(client, world, topic, "投放点要有水池")
    await a_statement(client, world, topic, "夜里十点后不收运", "resident2")
    for who, it in (("resident1", "agree"), ("resident2", "agree"), ("resident2", "disagree")):
        assert (await mark(client, world, one, who, it)).status_code == 200

    shown = await listed(client, topic)
    assert [(s["number"], s["agrees"], s["disagrees"], s["agree_events"]) for s in shown] == [
        (1, 1, 1, 2),
        (2, 0, 0, 0),
    ]
    assert {s["my_mark"] for s in shown} == {None}
    mine = await listed(client, topic, world.headers("resident2"))
    assert [s["my_mark"] for s in mine] == ["disagree", None]
    assert [s["mine"] for s in mine] == [False, True]
    text = str(mine) + str(shown)
    for name in world.people:
        assert str(world.id(name)) not in text


async def test_a_retry_is_not_counted_and_a_new_tap_is(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    one = await a_statement(client, world, topic, "要有水池")
    for key in (None, None, "tap-00001", "tap-00001", "tap-00002"):
        answer = await mark(client, world, one, "resident1", "pass", key)
        assert answer.json() == {"mark": "pass", "agrees": 0, "disagrees": 0, "passes": 1}
    (shown,) = await listed(client, topic)
    assert (shown["passes"], shown["pass_events"]) == (1, 3)


async def test_marks_that_come_together_are_answered_each_by_itself(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    one = await a_statement(client, world, topic, "要有水池")
    who = [*RESIDENTS, "visitor", "neighbour", *RESIDENTS]
    answers = await asyncio.gather(
        *(mark(client, world, one, name, "agree", f"tap-{n:05d}") for n, name in enumerate(who))
    )
    codes = [answer.status_code for answer in answers]
    assert codes == [200] * 6 + [403] * 2 + [200] * 6
    (shown,) = await listed(client, topic)
    assert (shown["agrees"], shown["agree_events"]) == (6, 12)
    in_office = await client.put(
        f"/v1/statements/{one['id']}/mark",
        json={"mark": "agree"},
        headers=world.headers("clerk", CLERK),
    )
    assert in_office.json()["code"] == "residents-only"


async def test_a_batch_of_marks_costs_as_much_as_one(db: Database, world: World) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    async with db.begin(world.as_("resident1")) as tx:
        made = [(await add_statement(tx, topic.id, text=f"观点{n}")).id for n in range(5)]

    async def cost(requests: list[MarkRequest]) -> int:
        counter = [0]
        token = statements.set(counter)
        async with db.begin(SYSTEM) as tx:
            await mark_statements(tx, requests)
        statements.reset(token)
        return counter[0]

    one = await cost([MarkRequest(made[0], world.id("resident1"), Mark.AGREE)])
    many = await cost(
        [MarkRequest(id, world.id(who), Mark.PASS) for id in made[1:] for who in RESIDENTS]
    )
    assert one == many
    assert one <= 8


async def test_statements_come_in_pages_by_number(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    for number in range(5):
        await a_statement(client, world, topic, f"观点{number}")
    numbers: list[int] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            f"/v1/topics/{topic.id}/statements",
            params={"limit": 2} | ({"cursor": cursor} if cursor else {}),
        )
        numbers += [statement["number"] for statement in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert numbers == [1, 2, 3, 4, 5]
    bad = await client.get(f"/v1/topics/{topic.id}/statements", params={"cursor": "AAAA"})
    assert bad.json()["code"] == "bad-cursor"


async def test_a_rejected_statement_leaves_the_list_with_a_reason_for_its_author(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    one = await a_statement(client, world, topic, "买电梯找我")
    url = f"/v1/statements/{one['id']}"
    rejected = await client.put(
        f"{url}/moderation",
        json={"accept": False, "reason_code": "advertising", "reason": "推销"},
        headers=world.headers("clerk", CLERK),
    )
    assert rejected.json()["state"] == "rejected"
    assert await listed(client, topic) == []
    (own,) = await listed(client, topic, world.headers("resident1"))
    assert (own["reason_text"], own["reason"]) == ("广告", "推销")
    refused = await mark(client, world, one, "resident2", "agree")
    assert (refused.status_code, refused.json()["code"]) == (409, "statement-rejected")

    waiting = await listed(client, topic, world.headers("clerk", CLERK), state="rejected")
    assert [s["id"] for s in waiting] == [one["id"]]
    restored = await client.put(
        f"{url}/restoring",
        json={"opinion": "并非推销"},
        headers=world.headers("supervisor", Role.SUPERVISOR),
    )
    assert restored.json()["state"] == "accepted"
    assert len(await listed(client, topic)) == 1
