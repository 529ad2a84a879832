"""The rules of deliberation, read aloud."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from consultation.deliberation import rules
from consultation.deliberation.rules import HidingReason, Mark, Stance, StatementState
from consultation.permissions import Role
from consultation.refusals import Refusal
from consultation.topics.states import State

NOW = datetime(2026, 3, 11, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("state", [s for s in State if s is not State.DELIBERATING])
def test_people_speak_in_no_state_but_deliberating(state: State) -> None:
    rules.check_open(State.DELIBERATING)
    with pytest.raises(rules.NotDeliberating):
        rules.check_open(state)


@pytest.mark.parametrize(
    ("role", "longest"),
    [
        (Role.RESIDENT, 300),
        (Role.REPRESENTATIVE, 300),
        (Role.STAKEHOLDER, 300),
        (Role.CLERK, 2000),
        (Role.GOVERNMENT, 2000),
        (Role.PROPERTY_COMPANY, 2000),
    ],
)
def test_a_post_may_be_as_long_as_the_speakers_role_allows(role: Role, longest: int) -> None:
    rules.check_text("字" * longest, longest=rules.longest_post(role))
    with pytest.raises(rules.TextTooLong) as refused:
        rules.check_text("字" * (longest + 1), longest=rules.longest_post(role))
    assert refused.value.facts == {"longest": longest, "given": longest + 1}


def test_blank_text_is_no_text() -> None:
    with pytest.raises(rules.TextMissing):
        rules.check_text(" \n", longest=10)


@pytest.mark.parametrize(
    ("role", "stance", "allowed"),
    [
        (Role.HOST, Stance.FOR, False),
        (Role.HOST, Stance.AGAINST, False),
        (Role.HOST, Stance.NEUTRAL, True),
        (Role.HOST, Stance.QUESTION, True),
        (Role.RESIDENT, Stance.AGAINST, True),
        (Role.CLERK, Stance.FOR, True),
    ],
)
def test_who_hosts_takes_no_side(role: Role, stance: Stance, allowed: bool) -> None:
    if allowed:
        rules.check_stance(role, stance)
    else:
        with pytest.raises(rules.HostSpeaksToProcedure):
            rules.check_stance(role, stance)


def test_people_speak_from_their_eighteenth_birthday_on() -> None:
    rules.check_age(None, NOW)
    rules.check_age(date(2008, 3, 11), NOW)
    with pytest.raises(rules.SpeakerUnderAge):
        rules.check_age(date(2008, 3, 12), NOW)


def test_the_birthday_begins_at_midnight_in_shanghai() -> None:
    eve = datetime(2026, 3, 10, 16, 0, tzinfo=UTC)  # 2026-03-11 00:00 in Shanghai
    rules.check_age(date(2008, 3, 11), eve)
    with pytest.raises(rules.SpeakerUnderAge):
        rules.check_age(date(2008, 3, 11), eve - timedelta(microseconds=1))


def test_the_eleventh_post_in_ten_minutes_waits() -> None:
    rules.check_rate(9)
    with pytest.raises(rules.TooManyPosts):
        rules.check_rate(10)


def test_a_post_can_be_changed_for_just_less_than_fifteen_minutes() -> None:
    almost = NOW + timedelta(minutes=15) - timedelta(microseconds=1)
    rules.check_editable(created_at=NOW, replies=0, hidden=False, now=almost)
    with pytest.raises(rules.EditWindowOver):
        rules.check_editable(
            created_at=NOW, replies=0, hidden=False, now=NOW + timedelta(minutes=15)
        )


@pytest.mark.parametrize(
    ("replies", "hidden", "refusal"),
    [(1, False, rules.PostAnswered), (0, True, rules.PostIsHidden)],
)
def test_an_answered_or_hidden_post_stays_as_it_is(
    replies: int, hidden: bool, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        rules.check_editable(created_at=NOW, replies=replies, hidden=hidden, now=NOW)


def test_criticism_of_authorities_is_no_reason_to_hide() -> None:
    assert {reason.value for reason in HidingReason} == {
        "personal_attack",
        "names_a_person",
        "special_group_data",
        "advertising",
        "off_topic_repeat",
        "unlawful",
    }


def test_an_appeal_comes_within_fifteen_days_and_once() -> None:
    rules.check_appealable(hidden_at=NOW, appealed_at=None, now=NOW + timedelta(days=15))
    with pytest.raises(rules.AppealTooLate):
        rules.check_appealable(hidden_at=NOW, appealed_at=None, now=NOW + timedelta(days=16))
    with pytest.raises(rules.AppealUsed):
        rules.check_appealable(hidden_at=NOW, appealed_at=NOW, now=NOW)
    with pytest.raises(rules.NothingToAppeal):
        rules.check_appealable(hidden_at=None, appealed_at=None, now=NOW)


def test_who_hid_a_post_does_not_decide_the_appeal() -> None:
    hider, other = uuid4(), uuid4()
    rules.check_decidable(
        appealed_at=NOW, decided=False, hidden_by=hider, decider=other, reason="恢复"
    )
    for decider, decided, reason, refusal in (
        (hider, False, "恢复", rules.HiderDecidesNot),
        (other, True, "恢复", rules.NoAppealWaits),
        (other, False, " ", rules.ReasonMissing),
    ):
        with pytest.raises(refusal):
            rules.check_decidable(
                appealed_at=NOW, decided=decided, hidden_by=hider, decider=decider, reason=reason
            )


@pytest.mark.parametrize(
    ("role", "mine", "readable"),
    [
        (Role.RESIDENT, False, False),
        (Role.VISITOR, False, False),
        (Role.PARTY_SECRETARY, False, False),
        (Role.RESIDENT, True, True),
        (Role.CLERK, False, True),
        (Role.HOST, False, True),
        (Role.SUPERVISOR, False, True),
    ],
)
def test_a_hidden_text_is_read_by_its_author_and_by_moderators(
    role: Role, mine: bool, readable: bool
) -> None:
    viewer = uuid4()
    author = viewer if mine else uuid4()
    assert rules.may_read_hidden(role, viewer, author, None) is readable
    assert rules.may_read_hidden(Role.VISITOR, None, author, None) is False


@pytest.mark.parametrize(
    ("mark", "once", "retry"),
    [
        (Mark.AGREE, None, True),  # says what stands
        (Mark.PASS, None, False),
        (Mark.AGREE, "key-one-1", True),  # the same request again
        (Mark.AGREE, "key-two-2", False),  # the person tapped again
    ],
)
def test_a_retry_is_not_a_mark(mark: Mark, once: str | None, retry: bool) -> None:
    assert rules.is_retry(Mark.AGREE, "key-one-1", mark=mark, once=once) is retry


def test_open_and_accepted_statements_can_be_marked() -> None:
    rules.check_markable(StatementState.OPEN)
    rules.check_markable(StatementState.ACCEPTED)
    with pytest.raises(rules.StatementIsRejected):
        rules.check_markable(StatementState.REJECTED)
