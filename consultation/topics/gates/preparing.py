"""Gates on the way to the deliberation (T8, T9): plan, announcement, notice."""

from consultation.calendar import local_day
from consultation.topics.bodies import TELLERS_NEEDED
from consultation.topics.facts import TopicFacts
from consultation.topics.gates.gate import GateNotMet, require
from consultation.topics.states import Layer


def groups_covered(facts: TopicFacts) -> None:
    """Every affected group that the proposal names is in the plan, and every affected group of
    the plan is invited (S3)."""
    assert facts.plan is not None
    planned = {group.name for group in facts.plan.plan.groups}
    absent = [name for name in facts.affected if name not in planned]
    uninvited = [g.name for g in facts.plan.plan.groups if g.affected and not g.invited]
    if absent or uninvited:
        raise GateNotMet(gate="groups_covered", missing=sorted(absent + uninvited))


def plan_complete(facts: TopicFacts) -> None:
    """Materials, an expert's opinion if asked, the text of the plan, a preset for layers that
    decide by vote and tellers for any vote, an end after the notice, and an answer to everybody
    who asked to take part (T8, S3)."""
    plan = facts.plan
    assert plan is not None
    decides_by_vote = facts.layer in (Layer.OWNERS, Layer.ASSEMBLY)
    votes = plan.plan.poll_preset is not None
    notice = facts.procedure.notice_for([form.form for form in plan.plan.forms])
    require(
        "plan_complete",
        text=bool(plan.plan.text.strip()),
        materials=plan.materials > 0,
        expert_opinion=not plan.plan.needs_expert or plan.expert_opinions > 0,
        poll_preset=votes or not decides_by_vote,
        tellers=not votes or len(set(plan.plan.teller_ids)) >= TELLERS_NEEDED,
        deliberation_ends=plan.plan.deliberation_ends >= local_day(notice.after(facts.now)),
        participant_requests=plan.open_requests == 0,
    )


def legality_checked(facts: TopicFacts) -> None:
    """The plan as it stands was found lawful (T8)."""
    assert facts.plan is not None
    require("legality_checked", legality=facts.plan.legality_ok is True)


def interests_declared(facts: TopicFacts) -> None:
    """Hosts and tellers have said whether they have a stake, and none who has one, the author
    included, hosts or tells (T8, domain 5)."""
    assert facts.plan is not None
    require(
        "interests_declared",
        declarations=facts.plan.undeclared == 0,
        disinterested=facts.plan.interested == 0,
    )


def two_persons_announce(facts: TopicFacts) -> None:
    """The clerk prepares, the convener announces: preset and roll are frozen by two people."""
    assert facts.plan is not None
    require("two_persons_announce", second_person=facts.plan.prepared_by != facts.actor_id)


def notice_over(facts: TopicFacts) -> None:
    """The notice period of the announcement is over (T9)."""
    plan = facts.plan
    assert plan is not None
    over = plan.notice_until is not None and facts.now >= plan.notice_until
    require("notice_over", notice=over)


def roll_settled(facts: TopicFacts) -> None:
    require(
        "roll_settled", roll_objections=facts.poll is None or not facts.poll.roll_objections_open
    )


def votable(facts: TopicFacts) -> None:
    """Rights that cannot be voted away are not put to a vote: they go another road or need
    everybody's consent (S11 c)."""
    assert facts.plan is not None
    plan = facts.plan.plan
    require("votable", votable_right=not (plan.touches_unvotable_right and plan.poll_preset))
