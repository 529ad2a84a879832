"""The table of a topic's life: what it allows, to whom, and nothing else."""

import itertools

import pytest

from consultation.database import Database
from consultation.permissions import ALLOWED, Deed, Role, Standing
from consultation.refusals import NotPermitted
from consultation.topics.documents import Paper
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.lifecycle import advance
from consultation.topics.plan import procedure
from consultation.topics.queries import access_topic
from consultation.topics.rules import GROUPS, TERMINAL, deadline_key, is_public
from consultation.topics.states import Act, DocumentKind, Publication, State, StateGroup, Track
from consultation.topics.steps import (
    DocumentRequired,
    TransitionNotAllowed,
    TransitionNotBuilt,
    permitted_acts,
    transition,
)
from consultation.topics.transitions import NEXT, TRANSITIONS
from tests.world import World, a_topic

R = Role
AUTHORS = {
    R.RESIDENT,
    R.REPRESENTATIVE,
    R.STAKEHOLDER,
    R.GRID_WORKER,
    R.CLERK,
    R.PARTY_SECRETARY,
    R.SUPERVISOR,
    R.OWNERS_COMMITTEE,
    R.PROPERTY_COMPANY,
    R.GOVERNMENT,
}
CONVENER = {R.PARTY_SECRETARY}
SCREENERS = {R.CLERK, R.PARTY_SECRETARY}
SYSTEM = {R.SYSTEM}

WHO: dict[Act, set[Role]] = {
    Act.SUBMIT: AUTHORS,
    Act.RESUBMIT: AUTHORS,
    Act.WITHDRAW: AUTHORS,
    Act.RETURN: SCREENERS,
    Act.ACCEPT: CONVENER,
    Act.REJECT: CONVENER,  # after another person proposed it
    Act.UPHOLD_APPEAL: {R.SUPERVISOR, R.GOVERNMENT},
    Act.MERGE: CONVENER,
    Act.TRANSFER: CONVENER,
    Act.TAKE_BACK: CONVENER,
    Act.AGREE_WITHDRAWAL: CONVENER,
    Act.PREPARE: SCREENERS,
    Act.ANNOUNCE: CONVENER,
    Act.OPEN_DELIBERATION: SYSTEM,
    Act.CLOSE_DELIBERATION: SCREENERS | {R.HOST},
    Act.OPEN_VOTING: SYSTEM,
    Act.CONSENSUS: CONVENER,
    Act.PUBLISH_RESULT: SYSTEM,
    Act.FAIL_QUORUM: SYSTEM,
    Act.ANNUL_VOTE: SYSTEM,  # by the supervisor and the convener, see polls
    Act.ESCALATE: CONVENER,
    Act.PREPARE_ASSEMBLY: SCREENERS,
    Act.RECONSULT: CONVENER,
    Act.START_ADOPTION: SYSTEM,
    Act.ADOPT: SYSTEM,
    Act.ADOPT_PARTIALLY: SYSTEM,
    Act.NOT_ADOPT: SYSTEM,
    Act.IMPLEMENT: SCREENERS | {R.GOVERNMENT},
    Act.REPORT: CONVENER,
    Act.ANSWER: CONVENER,
    Act.EVALUATE: SYSTEM,
    Act.CLOSE: SYSTEM,
}
"""Domain 3.2, column "who", written out by hand and compared with the table's deeds."""

LATER = {
    Act.OBJECT,
    Act.RULE_OBJECTION,
    Act.SUSPEND,
    Act.RESUME,
    Act.CHALLENGE,
    Act.CORRECT,
    Act.ANNUL,
}


def test_a_step_that_the_state_does_not_know_is_refused() -> None:
    unknown = [pair for pair in itertools.product(State, Act) if pair not in NEXT]
    assert len(unknown) + len(NEXT) == len(State) * len(Act)

    for state, act in unknown:
        with pytest.raises(TransitionNotAllowed) as refusal:
            transition(state, act)
        assert refusal.value.facts == {"state": state.value, "act": act.value}


def test_steps_of_a_later_release_keep_their_place_and_are_refused() -> None:
    later = {pair: row for pair, row in NEXT.items() if not row.built}

    assert {act for _, act in later} == LATER
    for state, act in later:
        with pytest.raises(TransitionNotBuilt):
            transition(state, act)


def test_every_step_of_this_release_may_be_taken_by_those_the_notes_name() -> None:
    built = [row for row in TRANSITIONS if row.built]

    assert {row.act for row in built} == WHO.keys()
    assert [
        (row.rule, row.act)
        for row in built
        if {role for role in Role if role in ALLOWED[row.deed]} != WHO[row.act]
    ] == []


async def test_advance_refuses_every_role_that_the_notes_do_not_name(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world)
    async with db.begin(world.as_("resident2")) as tx:
        for (state, act), row in NEXT.items():
            if not row.built:
                continue
            topic.state = state
            for role in set(Role) - WHO[act]:
                tx.standing = Standing(role, level=2)
                with pytest.raises(NotPermitted):
                    await advance(tx, topic, act)


async def test_a_system_step_is_open_to_nobody_but_as_a_consequence(
    db: Database, world: World
) -> None:
    topic = await a_topic(db, world, state=State.ANNOUNCED)

    async with db.begin(world.as_("secretary", Role.PARTY_SECRETARY)) as tx:
        found = await access_topic(tx, topic.id, Deed.CONVENE, lock=True)
        with pytest.raises(NotPermitted):
            await advance(tx, found, Act.OPEN_DELIBERATION)
        step = await advance(tx, found, Act.OPEN_DELIBERATION, consequence=True)
    assert step.to_state is State.DELIBERATING


async def test_a_step_with_a_document_is_not_taken_without_it(db: Database, world: World) -> None:
    topic = await a_topic(db, world)

    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        found = await access_topic(tx, topic.id, Deed.SCREEN, lock=True)
        with pytest.raises(DocumentRequired):
            await advance(tx, found, Act.RETURN, reason="缺少地点")
        with pytest.raises(GateNotMet):
            await advance(tx, found, Act.RETURN, paper=Paper("退回", "缺少地点"))
    assert found.state is State.SUBMITTED


def test_every_state_can_be_reached_and_every_one_but_the_last_left() -> None:
    reached = {row.target for row in TRANSITIONS} | {State.DRAFT}
    left = {state for state, _ in NEXT}

    assert set(State) - reached == set()
    assert set(State) - left == TERMINAL - {State.CLOSED}  # a closed topic can still be annulled
    assert {act for (state, act), row in NEXT.items() if state in TERMINAL and row.built} == set()


def test_documents_stand_where_the_notes_put_them() -> None:
    assert {row.act: row.document for row in TRANSITIONS if row.document is not None} == {
        Act.SUBMIT: DocumentKind.PROPOSAL,
        Act.RESUBMIT: DocumentKind.PROPOSAL,
        Act.RETURN: DocumentKind.RETURN_NOTE,
        Act.ACCEPT: DocumentKind.ACCEPTANCE_NOTE,
        Act.REJECT: DocumentKind.REJECTION_NOTICE,
        Act.UPHOLD_APPEAL: DocumentKind.APPEAL_DECISION,
        Act.MERGE: DocumentKind.MERGE_NOTE,
        Act.TRANSFER: DocumentKind.TRANSFER_SHEET,
        Act.TAKE_BACK: DocumentKind.ACCEPTANCE_NOTE,
        Act.ANNOUNCE: DocumentKind.NOTICE,
        Act.ESCALATE: DocumentKind.MOTION,
        Act.RECONSULT: DocumentKind.RECONSULTATION_NOTE,
        Act.IMPLEMENT: DocumentKind.IMPLEMENTATION_PLAN,
        Act.REPORT: DocumentKind.COMPLETION_RECORD,
    }


def test_only_what_concerns_the_author_alone_is_kept_from_the_public() -> None:
    assert {row.act for row in TRANSITIONS if row.published_to is Publication.AUTHOR} == {
        Act.SUBMIT,
        Act.RESUBMIT,
        Act.RETURN,
        Act.REJECT,
        Act.UPHOLD_APPEAL,
        Act.MERGE,
        Act.TRANSFER,
        Act.WITHDRAW,
    }


@pytest.mark.parametrize("state", State)
def test_what_is_public_stays_public(state: State) -> None:
    assert is_public(state, was_public=True)


def test_the_public_sees_a_topic_from_acceptance_on() -> None:
    hidden = {state for state in State if not is_public(state)}

    assert hidden == {
        State.DRAFT,
        State.SUBMITTED,
        State.RETURNED,
        State.REJECTED,
        State.WITHDRAWN,
        State.MERGED,
    }


def test_a_round_begins_with_a_new_plan_and_no_other_step() -> None:
    rounds = {(state, row.act) for row in TRANSITIONS if row.new_round for state in row.sources}

    assert rounds == {
        (State.RECONSULTATION, Act.PREPARE),
        (State.ESCALATED_TO_ASSEMBLY, Act.PREPARE_ASSEMBLY),
    }


def test_every_state_but_a_draft_is_in_exactly_one_group_of_the_list() -> None:
    grouped = [state for group in StateGroup for state in GROUPS[group]]

    assert sorted(grouped) == sorted(set(State) - {State.DRAFT})


def test_the_commissioner_has_more_time_than_the_committees() -> None:
    deadlines = procedure().deadlines

    assert deadlines[deadline_key(State.ADOPTION_PENDING, Track.COMMUNITY)].days == 10
    assert deadlines[deadline_key(State.ADOPTION_PENDING, Track.COMMISSIONED)].days == 20


def test_a_client_offers_what_state_role_and_authorship_allow() -> None:
    def offered(state: State, role: Role, *, by_author: bool = False) -> set[Act]:
        return set(permitted_acts(state, role, by_author=by_author))

    assert offered(State.DRAFT, R.RESIDENT, by_author=True) == {Act.SUBMIT, Act.WITHDRAW}
    assert offered(State.DRAFT, R.RESIDENT) == set()
    assert offered(State.SUBMITTED, R.CLERK) == {Act.RETURN}
    assert offered(State.SUBMITTED, R.PARTY_SECRETARY) == {
        Act.RETURN,
        Act.ACCEPT,
        Act.REJECT,
        Act.MERGE,
        Act.TRANSFER,
    }
    assert offered(State.ANNOUNCED, R.PARTY_SECRETARY) == {Act.AGREE_WITHDRAWAL}
    assert offered(State.REJECTED, R.SUPERVISOR) == {Act.UPHOLD_APPEAL}
    assert offered(State.CLOSED, R.PARTY_SECRETARY) == set()
    assert offered(State.DELIBERATING, R.VISITOR) == set()
