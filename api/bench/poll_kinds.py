"""The kinds of poll that packs are invented of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from consultation.polls.countersigning import CountersignState
from consultation.polls.presets import BallotChannel, BallotMode, QuestionKind

OPENS = datetime(2026, 6, 9, 16, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=7)

GENERAL = ("at_least", "2/3"), ("more_than", "1/2")
STRICT = ("at_least", "2/3"), ("at_least", "3/4")
LOW = ("more_than", "1/10"), ("at_least", "1/3")
OPEN: tuple[None, None] = None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What sort of poll to invent. ``bounds`` are turnout and approval; ``vote`` is the chance that
    a place votes; ``agree`` that it votes for the first answer."""

    name: str
    questions: tuple[QuestionKind, ...] = (QuestionKind.MOTION,)
    area: bool = False
    mode: BallotMode = BallotMode.NAMED
    bounds: tuple[tuple[str, str] | None, tuple[str, str] | None] = GENERAL
    binding: bool = True
    channels: tuple[BallotChannel, ...] = (BallotChannel.ELECTRONIC,)
    invalid: float = 0.0
    again: float = 0.0
    vote: float = 0.85
    agree: float = 0.7
    meeting: bool = False
    hands: bool = False
    budget: bool = False
    even: bool = False
    deemed: bool = False
    corrected: bool = False
    extended: bool = False
    corrected_early: bool = False  # before anybody heard of the first count
    late: bool = False  # the server was down at the close, and for days after it
    first_format: bool = False
    places: tuple[int, int] = (3, 60)
    rule: Mapping[str, Any] = field(default_factory=dict)


E, PAPER, HOME = BallotChannel.ELECTRONIC, BallotChannel.PAPER, BallotChannel.HOME_VISIT
ASSISTED, PROXY = BallotChannel.ASSISTED, BallotChannel.PROXY
MOTION, SINGLE, MULTIPLE = (
    QuestionKind.MOTION,
    QuestionKind.SINGLE_CHOICE,
    QuestionKind.MULTIPLE_CHOICE,
)
ELECTION, RATING = QuestionKind.ELECTION, QuestionKind.RATING
PROXIES = {"proxies": {"max_principals": 3}}
REVOTE = {"revote": "last_valid_before_close"}
INVALID_COUNTS = {"invalid": "participating"}
CONFIRMED = CountersignState.CONFIRMED
SEALED = BallotMode.CONFIDENTIAL
RECOUNT = {"recount": {"ballots": 3, "share": "1/200"}}

KINDS: tuple[Kind, ...] = (
    Kind(name="owners", area=True),
    Kind(name="owners-special", area=True, bounds=STRICT, channels=(E, PAPER, ASSISTED)),
    Kind(name="owners-all-channels", area=True, channels=(E, PAPER, HOME, ASSISTED, PROXY),
         again=0.5, invalid=0.1, rule=REVOTE | PROXIES),
    Kind(name="owners-paper-prevails", area=True, channels=(E, PAPER, PROXY), again=0.6,
         rule={"duplicates": "paper_prevails"} | PROXIES),
    Kind(name="several-motions", questions=(MOTION,) * 5, channels=(E, PAPER)),
    Kind(name="revotes", again=0.8, rule=REVOTE),
    Kind(name="invalid-not-taking-part", invalid=0.3, channels=(PAPER,)),
    Kind(name="invalid-taking-part", invalid=0.3, channels=(PAPER,), rule=INVALID_COUNTS),
    Kind(name="single-choice", questions=(SINGLE,), bounds=LOW),
    Kind(name="multiple-choice", questions=(MULTIPLE, MULTIPLE), bounds=LOW),
    Kind(name="election", questions=(ELECTION,), bounds=LOW, rule=INVALID_COUNTS, invalid=0.1),
    Kind(name="election-run-off", questions=(ELECTION,), bounds=STRICT, agree=0.3),
    Kind(name="election-tied", questions=(ELECTION,), bounds=LOW, even=True, vote=1.0),
    Kind(name="rating", questions=(RATING, RATING), bounds=OPEN, binding=False),
    Kind(name="mixed-kinds", questions=(MOTION, SINGLE, MULTIPLE, RATING), bounds=LOW),
    Kind(name="indicative", binding=False),
    Kind(name="opinions", bounds=OPEN, binding=False, questions=(MOTION, SINGLE)),
    Kind(name="meeting", meeting=True, channels=(BallotChannel.SHOW_OF_HANDS,)),
    Kind(name="meeting-hands", meeting=True, hands=True, vote=0.0,
         channels=(E, PAPER, BallotChannel.SHOW_OF_HANDS)),
    Kind(name="meeting-hands-on-items", questions=(MOTION, SINGLE), bounds=LOW, meeting=True,
         hands=True, vote=0.0, channels=(PAPER, BallotChannel.SHOW_OF_HANDS)),
    Kind(name="budget", questions=(MOTION,) * 6, meeting=True, budget=True,
         channels=(BallotChannel.SHOW_OF_HANDS,)),
    Kind(name="budget-tied", questions=(MOTION,) * 4, budget=True, even=True, vote=1.0),
    Kind(name="zero-ballots", area=True, vote=0.0),
    Kind(name="zero-ballots-sealed", mode=SEALED, vote=0.0),
    Kind(name="one-place", area=True, places=(1, 1), vote=1.0),
    Kind(name="tied", even=True, vote=1.0),
    Kind(name="no-quorum", area=True, vote=0.3),
    Kind(name="deemed", area=True, deemed=True, rule={"silent": "deemed_majority"}),
    Kind(name="sealed", mode=SEALED),
    Kind(name="sealed-paper", mode=SEALED, channels=(E, PAPER), invalid=0.1),
    Kind(name="sealed-election", mode=SEALED, questions=(ELECTION,), bounds=LOW, invalid=0.1),
    Kind(name="sealed-ratings", mode=SEALED, questions=(RATING,) * 3, bounds=OPEN, binding=False),
    Kind(name="sealed-revotes", mode=SEALED, again=0.5, questions=(MOTION, SINGLE), bounds=LOW,
         rule=REVOTE),
    Kind(name="sealed-late", mode=SEALED, late=True),
    Kind(name="sealed-first-format", mode=SEALED, again=0.3, rule=REVOTE, first_format=True),
    Kind(name="closed-late", area=True, late=True),
    Kind(name="first-format", area=True, channels=(E, PAPER), first_format=True),
    Kind(name="corrected", area=True, corrected=True, channels=(PAPER, ASSISTED)),
    Kind(name="extended", area=True, extended=True, rule={"extensions": 1}),
    Kind(name="counted-twice", even=True, vote=1.0, rule=RECOUNT),
    Kind(name="election-counted-twice", questions=(ELECTION,), bounds=LOW, even=True, vote=1.0,
         rule=RECOUNT),
    Kind(name="sealed-counted-twice", mode=SEALED, questions=(MOTION, SINGLE, MULTIPLE),
         bounds=LOW, rule=RECOUNT),
    Kind(name="corrected-early-counted-twice", even=True, vote=1.0, rule=RECOUNT,
         corrected_early=True),
    Kind(name="owners-counted-twice", area=True, agree=0.5, rule=RECOUNT),
    Kind(name="large", area=True, places=(400, 900), channels=(E, PAPER)),
)  # fmt: skip
