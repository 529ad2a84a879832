"""The rules of a meeting, read aloud."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from consultation.meetings import rules
from consultation.meetings.forms import forms
from consultation.meetings.rules import Act, Form, MeetingState, Quorum
from consultation.refusals import Refusal
from consultation.topics.plan import procedure

NOW = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)  # Wednesday, 09:00 in Shanghai


def test_every_form_that_is_a_sitting_has_its_terms() -> None:
    assert set(forms()) == set(Form) - {Form.ONLINE_DELIBERATION}
    assert [party.name for party in forms()[Form.FOUR_PARTY_MEETING].parties] == [
        "社区党组织",
        "居民委员会",
        "业主委员会",
        "物业服务企业",
    ]
    assert not forms()[Form.FOUR_PARTY_MEETING].show_hands


@pytest.mark.parametrize(
    ("form", "days"),
    [
        (Form.HEART_TO_HEART_MEETING, 5),
        (Form.HEARING, 7),
        (Form.VILLAGERS_ASSEMBLY, 10),
        (Form.OWNERS_ASSEMBLY, 15),
    ],
)
def test_a_notice_runs_whole_days_by_form(form: Form, days: int) -> None:
    first = datetime(2026, 3, 11 + days, 16, 0, tzinfo=UTC)  # midnight in Shanghai after them
    rules.check_notice(procedure(), form, now=NOW, starts_at=first)
    with pytest.raises(rules.NoticeTooShort) as refused:
        rules.check_notice(procedure(), form, now=NOW, starts_at=first - timedelta(microseconds=1))
    assert refused.value.facts["days"] == days


def test_an_inner_step_only_lies_ahead() -> None:
    rules.check_notice(procedure(), Form.PARTY_BRANCH_MEETING, now=NOW, starts_at=NOW)
    with pytest.raises(rules.NoticeTooShort):
        rules.check_notice(
            procedure(),
            Form.PARTY_BRANCH_MEETING,
            now=NOW,
            starts_at=NOW - timedelta(microseconds=1),
        )


@pytest.mark.parametrize(
    ("share", "strict", "members", "least"),
    [
        ((2, 3), False, 91, 61),
        ((2, 3), False, 76, 51),
        ((2, 3), False, 15, 10),
        ((1, 2), True, 10, 6),
        ((1, 2), True, 11, 6),
    ],
)
def test_a_quorum_is_exact(share: tuple[int, int], strict: bool, members: int, least: int) -> None:
    quorum = Quorum(group="代表", share=share, strict=strict, basis="test")
    assert quorum.least(members) == least
    rules.check_quorum(quorum, present=least, members=members)
    with pytest.raises(rules.QuorumMissed) as refused:
        rules.check_quorum(quorum, present=least - 1, members=members)
    assert refused.value.facts == {"present": least - 1, "least": least}


def test_a_form_without_quorum_asks_for_none() -> None:
    rules.check_quorum(None, present=0, members=None)


def test_host_and_recorder_are_two_able_people_without_interest() -> None:
    host, recorder, other = uuid4(), uuid4(), uuid4()
    both = {host, recorder}
    rules.check_runners(host, recorder, planned_hosts=(), able=both, interested=())
    rules.check_runners(host, recorder, planned_hosts=[host], able=both, interested={other})
    for planned, able, interested, refusal in (
        ([other], both, set(), rules.NotARunner),
        ([], {host}, set(), rules.NotARunner),
        ([], both, {host}, rules.HasInterest),
        ([], both, {recorder}, rules.HasInterest),
    ):
        with pytest.raises(refusal):
            rules.check_runners(
                host, recorder, planned_hosts=planned, able=able, interested=interested
            )
    with pytest.raises(rules.TwoPeopleRunIt):
        rules.check_runners(host, host, planned_hosts=(), able={host}, interested=())


@pytest.mark.parametrize(
    ("members", "selection", "materials", "refusal"),
    [
        (None, None, True, rules.MembersMissing),
        (9, " ", True, rules.SelectionMissing),
        (9, None, False, rules.MaterialsMissing),
    ],
)
def test_a_form_is_called_with_what_it_asks_for(
    members: int | None, selection: str | None, materials: bool, refusal: type[Refusal]
) -> None:
    quorum = Quorum(group="代表", share=(2, 3), strict=False, basis="test")
    rules.check_called(quorum, members=9, selection="抽签", materials=True)
    rules.check_called(None, members=None, selection=None, materials=True)
    with pytest.raises(refusal):
        rules.check_called(quorum, members=members, selection=selection, materials=materials)


def test_hands_do_not_outnumber_those_present() -> None:
    rules.check_hands(ayes=5, noes=3, abstained=2, present=10)
    for ayes in (6, -1):
        with pytest.raises(rules.HandsDoNotAdd):
            rules.check_hands(ayes=ayes, noes=3, abstained=2, present=10)


def test_a_hearing_hears_every_affected_group_or_says_why_not() -> None:
    rules.check_heard(
        [("一层业主", True, 1, None), ("商户", True, 0, "两次上门未遇"), ("其他", False, 0, None)]
    )
    with pytest.raises(rules.GroupsNotHeard) as refused:
        rules.check_heard([("一层业主", True, 0, None), ("商户", True, 0, "")])
    assert refused.value.facts == {"missing": ["一层业主", "商户"]}


def test_a_meeting_goes_only_forward() -> None:
    path = [Act.OPEN, Act.CLOSE, Act.DRAFT_MINUTES]
    state = MeetingState.NOTIFIED
    for act in path:
        state = rules.after(state, act)
    assert state is MeetingState.MINUTES_DRAFT
    for wrong, act in (
        (MeetingState.CLOSED, Act.OPEN),
        (MeetingState.OPEN, Act.CANCEL),
        (MeetingState.MINUTES_DRAFT, Act.PUBLISH_MINUTES),
        (MeetingState.PUBLISHED, Act.DRAFT_MINUTES),
    ):
        with pytest.raises(rules.MeetingActNotAllowed):
            rules.after(wrong, act)
