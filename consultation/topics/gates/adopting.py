"""Gates from the public result to the end (T19 … T25): adoption, tasks, feedback, survey."""

from consultation.topics.facts import TopicFacts
from consultation.topics.gates.gate import require
from consultation.topics.states import Track


def objection_period_over(facts: TopicFacts) -> None:
    """The result has been public for the objection period, which is that of the preset where that
    is longer (T19)."""
    days = 0 if facts.poll is None else facts.poll.objection_days
    ends = facts.procedure.objection_ends(facts.state_since, days)
    require("objection_period_over", period=facts.now >= ends)


def every_item_answered(facts: TopicFacts) -> None:
    """There is a reply to each outcome item (T20, S8)."""
    adoption = facts.adoption
    assert adoption is not None
    answered = bool(adoption.decisions) and None not in adoption.decisions
    require("every_item_answered", replies=answered)


def adoption_signed(facts: TopicFacts) -> None:
    """Track A: party organisation and committee both sign. Track B: the commissioner signs."""
    adoption = facts.adoption
    assert adoption is not None
    if facts.track is Track.COMMISSIONED:
        require("adoption_signed", commissioner=adoption.commissioner_signed)
    else:
        require(
            "adoption_signed", party_org=adoption.party_signed, committee=adoption.committee_signed
        )


def all_adopted(facts: TopicFacts) -> None:
    decisions = _decisions(facts)
    require("all_adopted", decisions=decisions <= {"adopted"})


def none_adopted(facts: TopicFacts) -> None:
    decisions = _decisions(facts)
    require("none_adopted", decisions=decisions <= {"not_adopted"})


def partly_adopted(facts: TopicFacts) -> None:
    decisions = _decisions(facts)
    require("partly_adopted", decisions=decisions not in ({"adopted"}, {"not_adopted"}))


def _decisions(facts: TopicFacts) -> set[str | None]:
    assert facts.adoption is not None
    return set(facts.adoption.decisions)


def tasks_planned(facts: TopicFacts) -> None:
    """Every adopted item has a task with responsible organisation, date and money (T21)."""
    tasks = facts.tasks
    assert tasks is not None
    require(
        "tasks_planned",
        tasks=tasks.tasks > 0 and tasks.adopted_items_without_task == 0,
        complete=tasks.incomplete == 0,
    )


def parts_agreed(facts: TopicFacts) -> None:
    """Where the vote asks for it, it is said which exclusive parts are used, and their owners agree
    (T21, domain 4.3; Civil Code art. 272)."""
    parts = facts.parts
    if parts is not None:
        require("parts_agreed", declared=parts.declared, consents=parts.missing == 0)


def tasks_finished(facts: TopicFacts) -> None:
    """Tasks are done or ended with a reason, accepted by convener and residents, accounts shown."""
    tasks = facts.tasks
    assert tasks is not None
    require(
        "tasks_finished",
        tasks=tasks.open == 0,
        accounts=tasks.unaccounted == 0,
        acceptance=tasks.not_accepted == 0,
    )


def feedback_given(facts: TopicFacts) -> None:
    """The feedback notice is online and on the board (T24, S9)."""
    feedback = facts.feedback
    assert feedback is not None
    require(
        "feedback_given",
        notice_online=feedback.notice_published,
        notice_on_board=feedback.notice_on_board,
    )


def dissent_settled(facts: TopicFacts) -> None:
    """Every dissent record has an explanation or a documented attempt (T24, S10)."""
    feedback = facts.feedback
    assert feedback is not None
    require("dissent_settled", dissent_records=feedback.dissent_unsettled == 0)


def survey_answered(facts: TopicFacts) -> None:
    """The survey is over and published by the system, the community has responded, and a low
    score has opened a rectification task (T25, S33)."""
    survey = facts.survey
    require("survey_answered", survey=survey is not None and survey.published)
    assert survey is not None
    require(
        "survey_answered",
        response=survey.response_published,
        rectification=not survey.low_score or survey.rectification_opened,
    )
