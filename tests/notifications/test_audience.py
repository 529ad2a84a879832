"""Every event has its row in the table of who is told, and every row its words."""

import re
from pathlib import Path

import pytest

import consultation
from api import contract
from api.notice_words import speak_at_the_door, speak_notice, write
from api.words import catalogue
from consultation.events.every import every_event
from consultation.permissions import Role, grant_of
from consultation.topics.rules import DUTIES, ESCALATION
from notifications import audience
from notifications.audience import AUDIENCE, DIGEST_WORDS, Told, Urgency, Who
from notifications.debts import HOMES
from notifications.policy import policy

UNDER_A_ROLE = {Who.STAFF, Who.COMMISSIONER, Who.RECEIVER, Who.OFFICE, Who.RESPONSIBLE}
ALL = [(name, told) for name, rows in AUDIENCE.items() for told in rows]


def test_every_event_has_a_row_also_that_nobody_is_told() -> None:
    assert AUDIENCE.keys() == {kind.type for kind in every_event()}


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_every_row_has_its_words_and_nothing_else_has(locale: str) -> None:
    wanted = {told.words for told in audience.rows()} | {"sheet"}
    texts = catalogue(locale)

    assert {key.split(".")[1] for key in texts if key.startswith("notices.")} == wanted
    for words in wanted - {"sheet"}:
        assert f"notices.{words}.title" in texts
        assert f"notices.{words}.text" in texts


def test_the_words_of_a_row_ask_for_no_fact_that_its_event_has_not() -> None:
    given = {"title"}
    for name, told in ALL:
        if told.urgency is Urgency.DIGEST:
            continue
        facts = given | contract.events()[name].keys()
        for part in ("title", "text"):
            asked = contract.placeholders(catalogue("zh-CN")[f"notices.{told.words}.{part}"])
            assert asked <= facts, (name, told.words)


def test_every_chain_that_a_row_names_exists_and_none_for_nothing() -> None:
    assert {told.chain for told in audience.rows()} == policy().chains.keys()


def test_conditions_name_fields_that_the_event_has() -> None:
    events = contract.events()

    assert [(n, told) for n, told in ALL if not told.when.keys() <= events[n].keys()] == []
    window = {"opens_at", "closes_at"}
    assert [n for n, told in ALL if told.has_a_day and not window <= events[n].keys()] == []


def test_what_is_urgent_or_serves_a_poll_is_for_its_voters_and_may_exceed_the_budget() -> None:
    for _, told in ALL:
        if told.serves or told.urgency is Urgency.URGENT:
            assert told.who is Who.ROLL
            assert policy().chains[told.chain].exceeds_budget
        assert (told.urgency is Urgency.DIGEST) == (told.words == DIGEST_WORDS)
        assert (told.who in UNDER_A_ROLE) == bool(told.roles)
        assert (told.who is Who.OFFICE) == bool(told.kinds)


def test_whoever_has_a_step_on_the_worklist_is_told_when_it_is_late() -> None:
    late = AUDIENCE["topic.overdue"]
    for state, deeds in DUTIES.items():
        facts = {"state": state.value, "escalated_to": ESCALATION[0]}
        told = {role for one in late if one.fits(facts) for role in one.roles}
        owes = {role for deed in deeds for role in Role if grant_of(deed, role) is not None}
        assert owes <= told, state


def test_a_vote_reaches_people_without_a_phone() -> None:
    steps = [step.channel.value for step in policy().chains["vote"].steps]

    assert steps == ["wechat", "sms", "printed"]
    assert {told.chain for told in AUDIENCE["poll.opened"]} == {"vote"}


def test_what_one_person_said_or_chose_is_told_to_nobody_else() -> None:
    """A follower's phone must not show how somebody voted, marked or disagreed."""
    for name in ("statement.marked", "dissent.counted", "poll.ballots_read", "poll.voters_served"):
        assert AUDIENCE[name] == ()
    for name, told in ALL:
        if name.startswith("user."):
            assert told.who is Who.PERSON


def test_an_event_is_taken_up_on_one_of_its_streams() -> None:
    assert HOMES["topic.state_changed"] == "topic"
    assert HOMES["poll.opened"] == "poll"
    assert HOMES["user.notified"] == "user"
    assert HOMES.keys() == AUDIENCE.keys()


def abouts() -> set[str]:
    """What the domain tells single people about, as it stands in the source."""
    folder = Path(consultation.__file__).parent
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        text = re.sub(r"reason_code=.*", "", path.read_text("utf-8"))
        found |= set(re.findall(r'\babout="(\w+)"', text))
        found |= set(re.findall(r'"(\w+)" if \w+ else "(?:\w+)",\n\s+topic_id', text))
        calls = re.findall(r"\b(?:tell|_notify|_tell)\(\s*tx,([^()]*(?:\([^()]*\)[^()]*)*)\)", text)
        found |= {word for call in calls for word in re.findall(r'"(\w+)"', call)}
    return found


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_whatever_a_single_person_is_told_about_has_words(locale: str) -> None:
    found = abouts()
    assert {"dissent_explained", "topic_returned", "post_hidden", "account_joined"} <= found
    assert [about for about in found if f"words.told.{about}" not in catalogue(locale)] == []


def test_what_leaves_the_house_says_no_more_than_that_there_is_a_reply() -> None:
    """Lock screens are read over shoulders."""
    facts = {"title": "加装电梯", "about": "dissent_explained"}

    assert "不同意见" in " ".join(speak_notice("zh-CN", "reply", facts))
    assert "不同意见" not in " ".join(write("reply", facts))


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
@pytest.mark.parametrize("reason", ["stolen", "not_the_person", "harm", "order"])
def test_why_an_account_is_barred_is_said_to_its_person_and_not_outside_nor_at_the_door(
    locale: str, reason: str
) -> None:
    facts = {"bar_reason": reason}
    why = catalogue(locale)[f"words.bar_reason.{reason}"]

    assert why in " ".join(speak_notice(locale, "barred", facts))
    assert why not in " ".join(speak_at_the_door(locale, "barred", facts))
    said = " ".join(write("barred", facts))
    assert catalogue("zh-CN")[f"words.bar_reason.{reason}"] not in said
    assert "{" not in said


def test_whose_voter_was_named_reads_which_home_and_the_lock_screen_does_not() -> None:
    facts = {"home": "桐荫苑-3-2-601"}

    assert "桐荫苑-3-2-601" in speak_notice("zh-CN", "voter_named", facts)[1]
    assert write("voter_named", facts)[1] == "您的某处房屋的投票人已经指定,请核对。"


def test_words_say_codes_and_times_as_people_do() -> None:
    facts = {"title": "加装电梯", "closes_at": "2026-06-10T00:00:00+00:00", "to_state": "adopted"}

    assert write("poll_opened", facts) == (
        "表决开始",
        "《加装电梯》的表决已经开始,请在2026-06-10 08:00前投票。",
    )
    assert "采纳" in write("topic_answered", facts)[1]
    assert speak_notice("en", "topic_answered", facts)[0].startswith("A topic has its answer")


def test_an_end_at_midnight_is_said_as_the_end_of_the_last_day() -> None:
    facts = {
        "title": "加装电梯",
        "opens_at": "2026-10-31T16:00:00+00:00",
        "closes_at": "2026-11-30T16:00:00+00:00",
    }

    text = write("poll_announced", facts)[1]
    assert "2026-11-01 00:00至2026-11-30 24:00" in text
    assert "请在2026-11-30 24:00前" in write("poll_opened", facts)[1]
    assert "before 2026-11-30 24:00" in speak_notice("en", "survey_opened", facts)[1]


def test_a_row_fits_where_the_fields_have_the_values_it_names() -> None:
    told = Told(
        who=Who.FOLLOWERS,
        urgency=Urgency.NORMAL,
        chain="told",
        words="x",
        when={"state": frozenset({"a", None})},
    )
    assert told.fits({"state": "a"})
    assert told.fits({})
    assert not told.fits({"state": "b"})
