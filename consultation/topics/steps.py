"""Which step may be taken from where, and by whom: the table of transitions, asked."""

from consultation.permissions import Deed, Role, grant_of
from consultation.refusals import Invalid, NotNow
from consultation.topics.facts import TopicFacts
from consultation.topics.gates import raising
from consultation.topics.states import Act, State
from consultation.topics.transition import Transition
from consultation.topics.transitions import NEXT


class TransitionNotAllowed(NotNow):
    """The state the topic is in knows no such step."""

    code = "transition-not-allowed"


class TransitionNotBuilt(NotNow):
    """The step has its place in the table and is not carried out by this release."""

    code = "transition-not-built"


class DocumentRequired(Invalid):
    """The step is taken with a document of this kind, or not at all."""

    code = "document-required"


def transition(state: State, act: Act) -> Transition:
    row = NEXT.get((state, act))
    if row is None:
        raise TransitionNotAllowed(state=state.value, act=act.value)
    if not row.built:
        raise TransitionNotBuilt(state=state.value, act=act.value, rule=row.rule)
    return row


def check_gates(row: Transition, facts: TopicFacts) -> None:
    for gate in row.gates:
        gate(facts)


def permitted_acts(state: State, role: Role, *, by_author: bool) -> list[Act]:
    """What a client may offer: the steps that the state knows and the role may take. Whether the
    gates hold is seen when the step is asked for."""
    return [
        act
        for (source, act), row in NEXT.items()
        if source is state
        and row.built
        and row.deed is not Deed.RUN_SYSTEM
        and grant_of(row.deed, role) is not None
        and (by_author or raising.by_author not in row.gates)
    ]
