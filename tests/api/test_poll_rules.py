"""What a client sees of the rules of a poll: the meter, the steps, elections, confirmations; and
that nobody can word a result."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, func, select

from api import contract
from api.phrases import speak, write
from consultation.community.tables import Household, NodeKind, OrgKind, Residence, ResidenceKind
from consultation.database import Database
from consultation.permissions import Actor, Role
from consultation.polls import registers, terms
from consultation.polls.commands import casting, drafting
from consultation.polls.counting import Count, turnout_progress
from consultation.polls.disclosure import without_areas
from consultation.polls.preset_files import procedures
from consultation.polls.presets import Electorate, QuestionKind
from consultation.polls.result_wording import result as result_words
from consultation.polls.rules import Option, PollItem
from consultation.polls.wording import meter
from consultation.topics.tables import Document
from tests.api.test_polls import bearer
from tests.conftest import ManualClock
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import World

ENGLISH = {"accept-language": "en"}


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


def test_d5_still_needs_55_heads_and_6802_92_square_metres() -> None:
    rule = preset("civil278_general")
    everybody = Count(heads=489, area_dm2=5821120)
    progress = turnout_progress(rule, everybody, Count(heads=271, area_dm2=3200455))

    assert [check.missing for check in progress] == [55, 680292]
    said = meter(rule, progress)
    assert said is not None
    assert speak("zh-CN", said) == "参与还差55人、6802.92平方米。"
    assert speak("en", said) == "The turnout still needs 55 heads and 6802.92 m²."

    for came, text in (
        (Count(heads=326, area_dm2=3200455), "参与还差6802.92平方米。"),
        (Count(heads=325, area_dm2=5821120), "参与还差1人。"),
        (Count(heads=326, area_dm2=3880747), "已达到参与要求。"),
    ):
        said = meter(rule, turnout_progress(rule, everybody, came))
        assert said is not None
        assert speak("zh-CN", said) == text
    assert meter(preset("open_poll"), []) is None


async def test_the_meter_is_shown_while_the_poll_is_open_and_approval_only_after(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners[:6], "ffffff")

    shown = (await client.get(f"/v1/polls/{poll.id}", headers=ENGLISH)).json()
    assert [check["missing"] for check in shown["turnout_progress"]] == [2, 57020 - 3 * 14255]
    assert shown["meter"] == "The turnout still needs 2 heads and 142.55 m²."
    assert (shown["result"], shown["steps"], shown["ballot_warning"]) == (None, [], None)

    await stage.vote(poll.id, owners[6:], "ffffaa")
    assert (await client.get(f"/v1/polls/{poll.id}")).json()["meter"] == "已达到参与要求。"
    await stage.published(poll.id)
    visitor = (await client.get(f"/v1/polls/{poll.id}", headers=ENGLISH)).json()
    assert [step["key"] for step in visitor["steps"]] == [
        "turnout_heads_reached",
        "approval_heads_reached",
    ]
    mine = bearer(stage.world, owners[0])
    shown = (await client.get(f"/v1/polls/{poll.id}", headers=mine)).json()
    assert shown["meter"] is None
    assert [(step["item"], step["key"]) for step in shown["steps"]] == [
        (None, "turnout_heads_reached"),
        (None, "turnout_area_reached"),
        (1, "approval_heads_reached"),
        (1, "approval_area_reached"),
    ]
    assert shown["steps"][3]["text"] == "同意:712.75平方米,须641.48(基数855.30),达到。"
    assert shown["steps"][2]["facts"] == {"option": "for", "value": 10, "needed": 9, "base": 12}
    english = (await client.get(f"/v1/polls/{poll.id}", headers=ENGLISH | mine)).json()
    assert english["steps"][2]["text"] == "For: 10 votes, needed 9 of 12: reached."


async def test_owners_elect_their_committee_and_two_stand_again(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    estate = await stage.place(NodeKind.ESTATE, "新苑", world.community)
    building = await stage.place(NodeKind.BUILDING, "1幢", estate)
    owners = await stage.people(6, world.community.id)
    await stage.homes(estate, building, [9000] * 6, owners)
    topic = await stage.topic("civil278_general", estate)
    item = PollItem(
        number=1,
        text="选举业主委员会委员",
        kind=QuestionKind.ELECTION,
        options=[Option(code=code, text=name) for code, name in zip("abc", ("张", "王", "李"),
                                                                    strict=True)],
        most=2,
        seats=2,
    )  # fmt: skip
    poll = await stage.opened("civil278_general", topic, estate, items=[item])
    for owner, marks in zip(owners, ("ab", "ab", "ac", "ac", "a", "none"), strict=True):
        codes = ["none"] if marks == "none" else list(marks)
        async with stage.db.begin(Actor(person_id=owner)) as tx:
            await casting.cast_ballot(tx, poll.id, [(1, codes)])
    await stage.published(poll.id)

    shown = (await client.get(f"/v1/polls/{poll.id}")).json()
    (counts,) = shown["result"]["items"]
    assert (counts["chosen"], counts["runoff"], counts["open_seats"]) == (["a"], ["b", "c"], 1)
    assert shown["result"]["verdict"] == "partly_passed"
    assert "当选(按得票多少排列,应选2名):张。" in shown["wording"]
    assert "当选人数不足,就以下各人另行选举,缺额1名:王、李。" in shown["wording"]
    english = (await client.get(f"/v1/polls/{poll.id}", headers=ENGLISH)).json()["wording"]
    assert "Too few are elected; these stand again for 1 open seats: 王, 李." in english
    page = (await client.get(f"/t/{topic.id}")).text
    assert '<td>张</td><td class="n">5</td>' in page
    assert '<td>以上都不</td><td class="n">1</td>' in page


async def test_a_rule_to_be_confirmed_needs_the_word_of_who_announces(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    members = await stage.assembly(world.community, 5, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", world.community)
    meeting = await stage.meeting(topic, members)
    poll = await stage.drafted("urban_reps_2026", topic, world.community, meeting_id=meeting.id)
    path = f"/v1/polls/{poll.id}/announcement"
    secretary = world.headers("secretary", Role.PARTY_SECRETARY)

    for body in (None, {}, {"confirm_preset": False}):
        refused = await client.put(path, json=body, headers=secretary)
        assert (refused.status_code, refused.json()["code"]) == (403, "preset-needs-confirmation")
        assert "urban_reps_2026@2026-01-01" in refused.json()["detail"]
    announced = await client.put(path, json={"confirm_preset": True}, headers=secretary)

    assert announced.status_code == 200, announced.text
    assert [one["code"] for one in announced.json()["warnings"]] == ["preset_to_confirm"]
    async with stage.db.read() as tx:
        notice = await tx.session.get(Document, UUID(announced.json()["notice_id"]))
        assert notice is not None
        assert "公告人已确认对照现行法律文本核对" in notice.body


async def test_a_roll_that_no_register_can_make_stops_the_announcement(
    stage: Stage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = await stage.topic("open_poll", world.community)
    poll = await stage.drafted("open_poll", topic, world.community)
    monkeypatch.delitem(registers._ROLLS, Electorate.OPEN_POLL)  # type: ignore[arg-type]

    with pytest.raises(terms.RollNotAvailable) as refused:
        async with stage.db.begin(stage.secretary) as tx:
            await drafting.announce_poll(tx, poll.id, write=write)
    assert refused.value.facts == {"electorate": "open_poll"}


async def test_procedures_are_public_and_no_poll_is_held_under_one(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    found = (await client.get("/v1/poll-procedures", headers=ENGLISH)).json()
    assert [one["key"] for one in found] == list(procedures())
    steps = next(one for one in found if one["key"].startswith("village"))["procedure"]["steps"]
    assert steps[3]["presets"][0] == "village_reps"

    topic = await stage.topic("open_poll", world.community)
    draft = stage.draft("open_poll", world.community)
    body = {
        "preset": "village_4y2g@2026-01-01",
        "scope_node_id": str(world.community.id),
        "question": "是否同意",
        "items": [{"text": "事项"}],
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": (draft.opens_at + timedelta(days=7)).isoformat(),
    }
    refused = await client.put(
        f"/v1/topics/{topic.id}/poll", json=body, headers=world.headers("clerk", Role.CLERK)
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "preset-not-polled")


# ---- nobody words a result


async def test_the_published_sheet_is_made_of_the_counts_alone(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "aafo" + "f" * 8)
    published = await stage.published(poll.id)

    assert published.result is not None
    async with stage.db.read() as tx:
        sheet = await tx.session.get(Document, published.tally_sheet_id)
        assert sheet is not None
        assert sheet.body == write(
            result_words(
                published.preset,
                published.items,
                without_areas(published.result),
                areas_rounded=True,
            )
        )


WORDS_OF_A_RESULT = {
    "result", "results", "verdict", "outcome_text", "conclusion", "wording", "tally",
    "tally_sheet", "decision_text", "result_text", "summary",
}  # fmt: skip


def test_no_request_about_a_poll_takes_the_words_of_a_result() -> None:
    """Of the operations on polls none has such a field; and the one that publishes takes a digest
    of fixed length and nothing else."""
    described = contract.openapi()
    schemas = described["components"]["schemas"]
    fields: dict[str, set[str]] = {}
    for path, operations in described["paths"].items():
        if "/poll" not in path and "/ballot" not in path:
            continue
        for method, operation in operations.items():
            body = operation.get("requestBody") if isinstance(operation, dict) else None
            if body is not None:
                content = body["content"].get("application/json", {}).get("schema", {})
                fields[f"{method} {path}"] = _fields(content, schemas)

    assert "put /v1/polls/{poll_id}/signature" in fields
    assert fields["put /v1/polls/{poll_id}/signature"] == {"result_digest"}
    assert {where: found & WORDS_OF_A_RESULT for where, found in fields.items()
            if found & WORDS_OF_A_RESULT} == {}  # fmt: skip
    digest = schemas["SignatureIn"]["properties"]["result_digest"]
    assert (digest["minLength"], digest["maxLength"]) == (64, 64)


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """The names of all fields of a schema, at every depth."""
    found: set[str] = set()
    if "$ref" in schema:
        return _fields(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    for name, part in schema.get("properties", {}).items():
        found |= {name} | _fields(part, schemas)
    for part in [*schema.get("anyOf", []), *schema.get("oneOf", []), schema.get("items", {})]:
        if part:
            found |= _fields(part, schemas)
    return found


@pytest.mark.parametrize("kind", ["tally_sheet", "poll_notice"])
async def test_nobody_files_a_tally_sheet_or_a_notice_of_their_own(
    client: httpx.AsyncClient, stage: Stage, world: World, kind: str
) -> None:
    poll, _ = await stage.lift_poll()

    refused = await client.post(
        f"/v1/topics/{poll.topic_id}/documents",
        json={"kind": kind, "title": "表决结果", "body": "表决通过"},
        headers=world.headers("clerk", Role.CLERK),
    )
    assert refused.status_code in (409, 422), refused.text


async def test_a_roll_of_adults_that_is_not_the_registers_is_confirmed_by_who_announces(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    """Who is not verified is not on the roll, and the fewer they are the easier is a half."""
    members = await stage.people(4, world.community.id)
    async with stage.db.begin() as tx:
        rows = await tx.session.exec(select(Residence).where(col(Residence.person_id).in_(members)))
        for row in rows:
            row.kind = ResidenceKind.TENANT
    topic = await stage.topic("urban_assembly_2026", world.community)
    meeting = await stage.meeting(topic, members)
    poll = await stage.drafted("urban_assembly_2026", topic, world.community, meeting_id=meeting.id)
    home = f"/v1/polls/{poll.id}"
    clerk = world.headers("clerk", Role.CLERK)
    secretary = world.headers("secretary", Role.PARTY_SECRETARY)
    seen = (await client.get(f"{home}/roll-check", headers=clerk)).json()
    async with stage.db.read() as tx:
        adults = (await tx.session.exec(select(func.sum(Household.adults)))).one()
    assert seen["registered_adults"] == adults
    assert seen["on_roll"] not in (0, adults)
    assert seen["needs_confirmation"] is True
    hidden = await client.get(f"{home}/roll-check", headers=world.headers("resident1"))
    assert hidden.status_code == 404  # a draft

    for number in (None, adults, seen["on_roll"] + 1):
        body = {"confirm_preset": True, "confirm_roll": number}
        refused = await client.put(f"{home}/announcement", json=body, headers=secretary)
        assert (refused.status_code, refused.json()["code"]) == (403, "roll-needs-confirmation")
        assert refused.json()["facts"] == {"on_roll": seen["on_roll"], "adults": adults}
    body = {"confirm_preset": True, "confirm_roll": seen["on_roll"]}
    announced = await client.put(f"{home}/announcement", json=body, headers=secretary)
    assert announced.status_code == 200, announced.text
    shown = (await client.get(home)).json()
    assert (shown["eligible"]["heads"], shown["registered_adults"]) == (seen["on_roll"], adults)


async def test_a_roll_that_holds_every_adult_of_the_register_needs_no_word(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    async with stage.db.begin() as tx:
        first, *others = list(await tx.session.exec(select(Household)))
        living = (ResidenceKind.OWNER, ResidenceKind.TENANT, ResidenceKind.FAMILY)
        here = await tx.session.exec(
            select(func.count())
            .select_from(Residence)
            .where(
                Residence.community_id == world.community.id,
                col(Residence.level) >= 2,
                col(Residence.kind).in_(living),
            )
        )
        first.adults = here.one()
        for other in others:
            other.adults = 0
    topic = await stage.topic("urban_assembly_2026", world.community)
    meeting = await stage.meeting(topic, [])
    poll = await stage.drafted("urban_assembly_2026", topic, world.community, meeting_id=meeting.id)
    announced = await client.put(
        f"/v1/polls/{poll.id}/announcement",
        json={"confirm_preset": True},
        headers=world.headers("secretary", Role.PARTY_SECRETARY),
    )
    assert announced.status_code == 200, announced.text
