"""What a person reads when something is refused: also what to do next."""

import httpx
import pytest

from api.problems import MalformedRequest, problem_of
from api.words import catalogue
from consultation.meetings import rules as meetings
from consultation.permissions import Role
from consultation.polls import rules as polls
from consultation.refusals import Refusal
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.states import State
from consultation.topics.steps import TransitionNotAllowed
from tests.world import World

STARTS = "2026-06-10T11:00:00+00:00"


@pytest.mark.parametrize(
    ("refusal", "chinese", "english"),
    [
        (
            GateNotMet(gate="meetings_held", missing=["hearing", "minutes"]),
            "听证会还没有举行、会议纪要未全部确认并公布",
            "not held yet",
        ),
        (GateNotMet(gate="groups_heard", missing=["一层业主"]), "没有听取“一层业主”", "not heard"),
        (meetings.NotYetTime(starts_at=STARTS), "2026-06-10 19:00", "2026-06-10 19:00"),
        (
            meetings.MeetingActNotAllowed(state="notified", act="draft_minutes"),
            "会议还没有召开",
            "has not been held",
        ),
        (polls.NotCounted(state="open"), "表决正在进行", "is running"),
        (polls.NotCounted(state="published"), "结果已经公布", "is published"),
        (polls.PollNotOpen(state="voided"), "表决已经作废", "is void"),
        (polls.PollClosed(closes_at="2026-11-30T16:00:00+00:00"), "截止", "closed"),
        (
            TransitionNotAllowed(state="deliberating", act="adopt"),
            "议题目前处于“协商中”",
            "the topic is now",
        ),
    ],
)
def test_a_refusal_says_why_and_what_comes_first(
    refusal: Refusal, chinese: str, english: str
) -> None:
    assert chinese in problem_of(refusal, "zh-CN").detail
    assert english in problem_of(refusal, "en").detail
    assert problem_of(refusal, "en").facts == refusal.facts  # codes and instants for programs


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_every_state_that_may_refuse_has_its_words(locale: str) -> None:
    texts = catalogue(locale)

    wanted = {f"states.meeting-act-not-allowed.{state}" for state in meetings.MeetingState}
    wanted |= {f"states.poll-not-counted.{state}" for state in polls.PollState}
    wanted |= {f"states.transition-not-allowed.{state}" for state in State}
    assert wanted - texts.keys() == set()


def test_what_was_filled_in_wrong_is_named_as_people_call_it() -> None:
    wrong = MalformedRequest(
        fields=[
            {"field": "body.title", "problem": "missing"},
            {"field": "body.items.0.text", "problem": "string_too_short"},
            {"field": "body.items.1.text", "problem": "string_too_short"},
            {"field": "query.nobody_knows", "problem": "int_parsing"},
        ]
    )

    detail = problem_of(wrong, "zh-CN").detail
    assert "标题、内容、nobody_knows" in detail
    assert "title, text, nobody_knows" in problem_of(wrong, "en").detail


async def test_whoever_forgets_the_role_is_asked_to_choose_one_that_may(
    client: httpx.AsyncClient, world: World
) -> None:
    for name in ("clerk", "resident1"):
        client.headers["authorization"] = world.headers(name)["authorization"]
        refused = await client.get("/v1/worklist")
        if name == "resident1":
            assert (refused.status_code, refused.json()["code"]) == (403, "not-permitted")
            continue
        assert (refused.status_code, refused.json()["code"]) == (403, "role-not-chosen")
        (role,) = refused.json()["facts"]["roles"]
        assert role["role"] == "clerk"
        assert role["id"] == str(world.assignments["clerk", Role.CLERK].id)
        assert f"{role['org']}的社区(村)工作人员" in refused.json()["detail"]
        chosen = await client.get("/v1/worklist", headers={"minyi-role": role["id"]})
        assert chosen.status_code == 200
