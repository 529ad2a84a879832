"""Where the law of a place takes another system's count for an owners' vote, a poll here is
indicative: it says so before and after, and passes nothing."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from api.settings import Settings
from consultation.community.tables import OrgKind
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls.rules import Verdict
from consultation.topics.tables import Document
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.world import World


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"owners_system_of_record": False})


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


def test_owners_votes_are_indicative_unless_the_operator_says_otherwise() -> None:
    assert Settings.model_fields["owners_system_of_record"].default is False


@pytest.mark.parametrize(
    ("against", "verdict", "said"),
    [(2, Verdict.SUPPORTED, "获得多数支持。"), (6, Verdict.NOT_SUPPORTED, "未获得多数支持。")],
)
async def test_an_owners_poll_is_indicative(
    client: httpx.AsyncClient, stage: Stage, world: World, against: int, verdict: str, said: str
) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    draft = stage.draft("lift_scope_owners", entrance)
    body = {
        "preset": draft.preset,
        "scope_node_id": str(entrance.id),
        "question": "是否同意加装电梯",
        "items": [{"text": "在北侧加装电梯"}],
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": draft.closes_at.isoformat(),
    }
    drafted = await client.put(
        f"/v1/topics/{topic.id}/poll", json=body, headers=world.headers("clerk", Role.CLERK)
    )
    assert drafted.status_code == 200, drafted.text
    poll = drafted.json()
    assert poll["legal_system_of_record"] is False
    assert poll["preset"]["rule"]["binding"] is False
    announced = await client.put(
        f"/v1/polls/{poll['id']}/announcement",
        headers=world.headers("secretary", Role.PARTY_SECRETARY),
    )
    async with stage.db.read() as tx:
        notice = await tx.session.get(Document, UUID(announced.json()["notice_id"]))
        assert notice is not None
        assert "不产生表决通过的效力" in notice.body
    stage.clock.now = draft.opens_at
    await stage.work()
    await stage.vote(UUID(poll["id"]), owners, "a" * against + "f" * (12 - against))
    await stage.published(UUID(poll["id"]))

    shown = (await client.get(f"/v1/polls/{poll['id']}")).json()
    assert shown["result"]["verdict"] == verdict
    text = "\n".join(shown["wording"])
    assert said in text
    assert "不具有约束力" in text
    assert "表决通过" not in text
    assert "法定" not in text


async def test_an_assembly_decides_here_all_the_same(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    await stage.assembly(world.community, 5, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", world.community)
    draft = stage.draft("urban_reps_2026", world.community)
    body = {
        "preset": draft.preset,
        "scope_node_id": str(world.community.id),
        "question": "是否同意",
        "items": [{"text": "事项"}],
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": (draft.opens_at + timedelta(hours=12)).isoformat(),
    }
    drafted = await client.put(
        f"/v1/topics/{topic.id}/poll", json=body, headers=world.headers("clerk", Role.CLERK)
    )

    assert drafted.json()["legal_system_of_record"] is True
    assert drafted.json()["preset"]["rule"]["binding"] is True


async def test_the_owners_committee_decides_here_too(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    """Rules on electronic votes of owners say nothing of their committee."""
    estate = world.nodes["estate"]
    topic = await stage.topic("owners_committee_meeting", estate)
    draft = stage.draft("owners_committee_meeting", estate)
    body = {
        "preset": draft.preset,
        "scope_node_id": str(estate.id),
        "question": "是否续聘",
        "items": [{"text": "续聘保洁"}],
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": (draft.opens_at + timedelta(hours=12)).isoformat(),
    }
    drafted = await client.put(
        f"/v1/topics/{topic.id}/poll", json=body, headers=world.headers("clerk", Role.CLERK)
    )

    assert drafted.status_code == 200, drafted.text
    assert drafted.json()["legal_system_of_record"] is True
    assert drafted.json()["preset"]["rule"]["binding"] is True
