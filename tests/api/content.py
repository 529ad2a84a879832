"""Words that people write on a running backend, and the reviews that come of them."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from consultation.deliberation.tables import Post, Thread
from consultation.permissions import Role
from consultation.topics.states import State
from tests.api.wechat_house import House
from tests.world import a_topic


async def a_thread(house: House) -> UUID:
    topic = await a_topic(house.db, house.world, state=State.DELIBERATING)
    async with house.db.begin() as tx:
        thread = Thread(
            id=uuid4(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=1,
            title="怎样出资",
            opened_by_id=house.world.id("clerk"),
            created_at=tx.now,
        )
        tx.session.add(thread)
    return thread.id


async def say(
    house: House, body: str, name: str = "resident1", *, thread: UUID | None = None
) -> dict[str, Any]:
    """Somebody posts; the check is asked for, not yet done."""
    at = thread or await a_thread(house)
    answer = await house.http.post(
        f"/v1/threads/{at}/posts",
        headers=house.world.headers(name),
        json={"body": body, "stance": "for"},
    )
    return answer.raise_for_status().json()


async def queue(house: House, **query: str) -> list[dict[str, Any]]:
    answer = await house.http.get(
        f"/v1/communities/{house.world.community.id}/content-reviews",
        headers=house.world.headers("clerk", Role.CLERK),
        params=query,
    )
    return answer.raise_for_status().json()["items"]


async def decide(
    house: House, review: str, name: str = "clerk", role: Role = Role.CLERK, **body: str
) -> httpx.Response:
    return await house.http.put(
        f"/v1/content-reviews/{review}/decision", headers=house.world.headers(name, role), json=body
    )


HIDE = {"decision": "hide", "reason_code": "personal_attack", "reason": "含有辱骂,请改后再发"}


async def shown(house: House, post_id: str) -> bool:
    [post] = [p for p in await house.rows(Post) if str(p.id) == post_id]
    return post.hidden_at is None
