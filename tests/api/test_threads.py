"""D4 as its neighbours see it: a live thread, an edit, a hiding, an appeal."""

from typing import Any
from uuid import UUID

import httpx

from consultation.database import Database
from consultation.permissions import Role
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.world import World, a_topic

CLERK, HOST, SUPERVISOR, GRID = Role.CLERK, Role.HOST, Role.SUPERVISOR, Role.GRID_WORKER


async def a_thread(client: httpx.AsyncClient, db: Database, world: World) -> str:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    answer = await client.post(
        f"/v1/topics/{topic.id}/threads",
        json={"title": "三个备选点"},
        headers=world.headers("deputy", HOST),
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def say(
    client: httpx.AsyncClient,
    world: World,
    thread: str,
    who: str,
    body: str,
    *,
    role: Role | None = None,
    stance: str = "against",
    **more: Any,
) -> dict[str, Any]:
    answer = await client.post(
        f"/v1/threads/{thread}/posts",
        json={"body": body, "stance": stance, **more},
        headers=world.headers(who, role),
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def posts(client: httpx.AsyncClient, thread: str, **headers: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/threads/{thread}/posts", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_neighbours_talk_and_everybody_reads_along(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    thread = await a_thread(client, db, world)
    first = await say(client, world, thread, "resident1", "夏天味道谁受得了?")
    clock.advance(seconds=1)
    await say(
        client, world, thread, "resident2", "有盖反而更干净", stance="for", parent_id=first["id"]
    )
    clock.advance(seconds=1)
    await say(client, world, thread, "clerk", "对比表已上传", role=CLERK, stance="neutral")
    clock.advance(seconds=1)
    await say(
        client,
        world,
        thread,
        "grid_worker",
        "别放在我们散步的路上",
        role=GRID,
        on_behalf={"resident_id": str(world.id("resident3")), "consent_note": "本人口述"},
    )

    shown = await posts(client, thread)
    assert [(p["display_name"], p["stance"], p["assisted"]) for p in shown] == [
        ("3幢 居*", "against", False),
        ("3幢 居*", "for", False),
        ("社区工作人员 陶颖", "neutral", False),
        ("3幢 居*(网格员代录)", "against", True),
    ]
    assert (shown[0]["replies"], shown[1]["parent_id"]) == (1, first["id"])
    english = await posts(client, thread, **{"accept-language": "en"})
    assert english[2]["display_name"] == "Community clerk 陶颖"
    text = str(shown) + str(english)
    for name in world.people:
        assert str(world.id(name)) not in text

    topic_id = (await client.get(f"/v1/threads/{thread}")).json()["topic_id"]
    listed = (await client.get(f"/v1/topics/{topic_id}/threads")).json()["items"]
    assert [(t["posts"], t["posts_for"], t["posts_against"]) for t in listed] == [(4, 1, 2)]


async def test_a_retried_post_is_said_once(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    thread = await a_thread(client, db, world)
    headers = world.headers("resident1", key="same-key-1")
    body = {"body": "只说一次", "stance": "for"}
    for _ in range(2):
        answer = await client.post(f"/v1/threads/{thread}/posts", json=body, headers=headers)
        assert answer.status_code == 201
    assert len(await posts(client, thread)) == 1


async def test_posts_come_in_pages_in_the_order_they_came(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    thread = await a_thread(client, db, world)
    for number in range(5):  # the clock stands still: order falls to the id
        await say(client, world, thread, f"resident{number + 1}", f"意见{number}")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            f"/v1/threads/{thread}/posts",
            params={"limit": 2} | ({"cursor": cursor} if cursor else {}),
        )
        seen += [post["id"] for post in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    everything = [post["id"] for post in await posts(client, thread)]
    assert seen == everything


async def test_an_edit_shows_what_was_said_before(
    client: httpx.AsyncClient, db: Database, world: World, clock: ManualClock
) -> None:
    thread = await a_thread(client, db, world)
    post = await say(client, world, thread, "resident1", "第一稿")
    clock.advance(minutes=5)
    edited = await client.put(
        f"/v1/posts/{post['id']}",
        json={"body": "第二稿", "stance": "neutral"},
        headers=world.headers("resident1"),
    )
    assert (edited.json()["body"], edited.json()["version"]) == ("第二稿", 2)
    versions = await client.get(f"/v1/posts/{post['id']}/versions")
    assert [v["body"] for v in versions.json()] == ["第一稿", "第二稿"]

    clock.advance(minutes=15)
    late = await client.put(
        f"/v1/posts/{post['id']}",
        json={"body": "第三稿", "stance": "neutral"},
        headers=world.headers("resident1"),
    )
    assert (late.status_code, late.json()["code"]) == (409, "edit-window-over")
    assert late.json()["detail"] == "发言后 15 分钟内可以修改。"


async def test_a_hidden_text_is_gone_for_others_and_its_author_learns_why(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    thread = await a_thread(client, db, world)
    post = await say(client, world, thread, "resident1", "老王家最吵")
    url = f"/v1/posts/{post['id']}"
    hidden = await client.put(
        f"{url}/hiding",
        json={"reason_code": "names_a_person", "reason": "写出了邻居的称呼"},
        headers=world.headers("deputy", HOST),
    )
    assert hidden.status_code == 200, hidden.text

    for headers in (
        {},
        world.headers("resident2"),
        world.headers("secretary", Role.PARTY_SECRETARY),
    ):
        (seen,) = await posts(client, thread, **headers)
        assert (seen["body"], seen["hidden"]) == (None, True)
        assert seen["hiding"]["reason_text"] == "涉及他人姓名等个人信息"
        assert seen["hiding"]["reason"] is None
        assert (await client.get(f"{url}/versions", headers=headers)).json() == []
    (own,) = await posts(client, thread, **world.headers("resident1"))
    assert (own["body"], own["hiding"]["reason"]) == ("老王家最吵", "写出了邻居的称呼")
    assert (
        len((await client.get(f"{url}/versions", headers=world.headers("resident1"))).json()) == 1
    )


async def test_an_appeal_goes_to_the_supervisor_and_brings_the_post_back(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    thread = await a_thread(client, db, world)
    post = await say(client, world, thread, "resident1", "居委会办事太慢")
    url = f"/v1/posts/{post['id']}"
    criticism = await client.put(
        f"{url}/hiding",
        json={"reason_code": "criticism", "reason": "批评居委会"},
        headers=world.headers("clerk", CLERK),
    )
    assert (criticism.status_code, criticism.json()["code"]) == (422, "malformed-request")
    await client.put(
        f"{url}/hiding",
        json={"reason_code": "personal_attack", "reason": "言辞激烈"},
        headers=world.headers("clerk", CLERK),
    )
    appealed = await client.put(
        f"{url}/appeal", json={"reason": "说的是办事,不是人"}, headers=world.headers("resident1")
    )
    assert appealed.status_code == 200, appealed.text

    topic_id = (await client.get(f"/v1/threads/{thread}")).json()["topic_id"]
    waiting = await client.get(
        f"/v1/topics/{topic_id}/hidden-posts",
        params={"appealed": True},
        headers=world.headers("supervisor", SUPERVISOR),
    )
    assert [(p["id"], p["body"]) for p in waiting.json()["items"]] == [
        (post["id"], "居委会办事太慢")
    ]
    clerk = await client.put(
        f"{url}/review",
        json={"restore": False, "opinion": "维持"},
        headers=world.headers("clerk", CLERK),
    )
    assert clerk.status_code == 403
    decided = await client.put(
        f"{url}/review",
        json={"restore": True, "opinion": "批评工作不是人身攻击"},
        headers=world.headers("supervisor", SUPERVISOR),
    )
    assert decided.json()["hiding"]["appeal_upheld"] is True

    (seen,) = await posts(client, thread)
    assert (seen["body"], seen["hidden"]) == ("居委会办事太慢", False)
    public = await client.get(f"/v1/topics/{topic_id}/hidden-posts")
    assert [p["hiding"]["appeal_upheld"] for p in public.json()["items"]] == [True]


async def test_a_closed_thread_takes_no_posts(
    client: httpx.AsyncClient, db: Database, world: World
) -> None:
    thread = await a_thread(client, db, world)
    closed = await client.put(
        f"/v1/threads/{thread}/closing", headers=world.headers("clerk", CLERK)
    )
    assert closed.json()["closed_at"] is not None
    late = await client.post(
        f"/v1/threads/{thread}/posts",
        json={"body": "还有话说", "stance": "for"},
        headers=world.headers("resident1"),
    )
    assert (late.status_code, late.json()["code"]) == (409, "thread-closed")


async def test_a_thread_of_nobody_is_not_found(client: httpx.AsyncClient, world: World) -> None:
    nobody = UUID(int=1)
    for url in (
        f"/v1/threads/{nobody}",
        f"/v1/threads/{nobody}/posts",
        f"/v1/posts/{nobody}/versions",
    ):
        assert (await client.get(url)).status_code == 404
