"""What a transition is: one row of the table in ``transitions``."""

from dataclasses import dataclass

from consultation.permissions import Deed
from consultation.topics.facts import Need
from consultation.topics.gates.gate import Gate
from consultation.topics.gates.needs import NEEDS
from consultation.topics.states import Act, DocumentKind, Publication, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    rule: str
    act: Act
    sources: tuple[State, ...]
    target: State
    deed: Deed
    gates: tuple[Gate, ...] = ()
    document: DocumentKind | None = None
    """The document the step must bring, published with it."""
    published_to: Publication = Publication.EVERYBODY
    keeps_clock: bool = False
    """The deadline goes on running: T8 counts from acceptance to announcement."""
    new_round: bool = False
    """The community consults once more, with a plan, poll and outcome of their own; those of the
    round before stay as they are."""
    built: bool = True

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset().union(*(NEEDS.get(gate, frozenset()) for gate in self.gates))


def step(
    rule: str,
    act: Act,
    sources: tuple[State, ...],
    target: State,
    deed: Deed,
    *gates: Gate,
    document: DocumentKind | None = None,
    published_to: Publication = Publication.EVERYBODY,
    keeps_clock: bool = False,
    new_round: bool = False,
    built: bool = True,
) -> Transition:
    """A row of the table, as it is written there."""
    return Transition(
        rule=rule,
        act=act,
        sources=sources,
        target=target,
        deed=deed,
        gates=gates,
        document=document,
        published_to=published_to,
        keeps_clock=keeps_clock,
        new_round=new_round,
        built=built,
    )
