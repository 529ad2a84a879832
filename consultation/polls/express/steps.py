"""One transaction of many casts, the same on both databases.

    hold     the polls, shared: a close, which holds one alone, waits for this or shuts it out
    look     at the clock, the voters and their places, in one statement
    judge    each cast by itself
    insert   the admitted, in one statement with one turnout counter per poll; the key refuses
    again    those whose key is taken: the equal one's receipt, a re-vote, or *already voted*

Rows go in sorted, so that two processes take their locks in the same order.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from secrets import token_bytes
from typing import Any, Protocol
from uuid import UUID

from consultation.polls import rules
from consultation.polls.express import judging
from consultation.polls.express.judging import (
    ALONE,
    Admitted,
    Alone,
    Another,
    Known,
    OwnCast,
    PollText,
    Receipt,
    Seen,
)
from consultation.polls.express.ledgers import LEDGERS, RANDOM_BYTES, Entry, Ledger
from consultation.polls.presets import BallotMode
from consultation.polls.rules import PollState
from consultation.refusals import Refusal

TEXTS = 4096
"""Polls whose text a process remembers."""

Answer = Receipt | Alone | Refusal
Key = tuple[UUID, Any]
"""Poll and place on its roll."""


class Store(Protocol):
    """A transaction that is under way, with the SQL of one database."""

    async def hold(self, poll_ids: Sequence[UUID]) -> None: ...

    async def texts(self, poll_ids: Collection[UUID]) -> Mapping[UUID, tuple[PollState, PollText]]:
        """Text and present state of the polls that there are."""
        ...

    async def look(self, casts: Sequence[OwnCast]) -> tuple[datetime, list[Seen | None]]:
        """The time by the clock that decides, and what is there for each cast."""
        ...

    async def insert(
        self,
        ledger: Ledger,
        rows: Sequence[tuple[Any, ...]],
        same: tuple[Any, ...],
        areas: Sequence[int] | None,
    ) -> Collection[Key]:
        """Which rows went in. With ``areas``, one for each row, each that went in counts as a head
        with its area."""
        ...

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, list[Known]]:
        """All casts in the ledger of named ballots, in their order."""
        ...


class Texts:
    """What is frozen is read once."""

    def __init__(self) -> None:
        self._texts: OrderedDict[UUID, PollText] = OrderedDict()

    async def of(self, store: Store, poll_ids: Sequence[UUID]) -> dict[UUID, PollText]:
        known = self._texts
        found = {id: known[id] for id in poll_ids if id in known}
        missing = [id for id in poll_ids if id not in found]
        if missing:
            for id, (state, text) in (await store.texts(missing)).items():
                found[id] = text
                if state is not PollState.DRAFT:
                    known[id] = text
            while len(known) > TEXTS:
                known.popitem(last=False)
        return found


async def put_in_together(store: Store, texts: Texts, casts: Sequence[OwnCast]) -> list[Answer]:
    """Casts of different voters (a voter may cast in several polls); an answer for each."""
    poll_ids = sorted({cast.poll_id.int: cast.poll_id for cast in casts}.values())
    await store.hold(poll_ids)
    text_of = await texts.of(store, poll_ids)
    now, seen = await store.look(casts)

    answers: list[Answer | None] = [None] * len(casts)
    waiting: dict[BallotMode, list[_Case]] = defaultdict(list)
    late: list[_Case] = []
    for index, (cast, place) in enumerate(zip(casts, seen, strict=True)):
        text = text_of.get(cast.poll_id)
        judged = judging.judge(cast, text, place, now, modes=_MODES)
        if not isinstance(judged, Admitted):
            answers[index] = judged
            continue
        assert text is not None
        assert place is not None
        case = _Case(index, cast, text, place, judged)
        (late if judged.late else waiting[text.mode]).append(case)

    for mode, cases in waiting.items():
        for case, answer in await _insert(store, LEDGERS[mode], cases, now):
            answers[case.index] = answer
    taken = [c for cases in waiting.values() for c in cases if answers[c.index] is None]
    if taken or late:
        for case, answer in await _again(store, taken, late, now):
            answers[case.index] = answer
    return [answer for answer in answers if answer is not None]


_MODES = frozenset(LEDGERS)


class _Case:
    __slots__ = ("admitted", "cast", "index", "key", "seen", "text")

    def __init__(
        self, index: int, cast: OwnCast, text: PollText, seen: Seen, admitted: Admitted
    ) -> None:
        self.index = index
        self.cast = cast
        self.text = text
        self.seen = seen
        self.admitted = admitted
        self.key: Key = (cast.poll_id, seen.entry)

    def order(self) -> tuple[int, int]:
        return (self.cast.poll_id.int, self.seen.number)

    def entry(self, now: datetime, random: bytes, cast_no: int = 1) -> Entry:
        seen = self.seen
        return Entry(
            self.cast.poll_id,
            seen.entry,
            seen.number,
            seen.community,
            self.admitted.choices,
            cast_no,
            now,
            random,
            self.text,
            self.admitted.once,
        )


async def _insert(
    store: Store, ledger: Ledger, cases: list[_Case], now: datetime
) -> list[tuple[_Case, Receipt]]:
    cases.sort(key=_Case.order)
    salts = _random(len(cases))
    made = [ledger.row(case.entry(now, salt)) for case, salt in zip(cases, salts, strict=True)]
    areas = [case.seen.area_dm2 for case in cases]
    same = ledger.same(1, False, now)
    new = await store.insert(ledger, [row for row, _ in made], same, areas)
    return [
        (case, receipt) for case, (_, receipt) in zip(cases, made, strict=True) if case.key in new
    ]


def _random(count: int) -> list[bytes]:
    """Fresh random bytes for each, fetched at once."""
    together = token_bytes(RANDOM_BYTES * count)
    return [together[at : at + RANDOM_BYTES] for at in range(0, len(together), RANDOM_BYTES)]


async def _again(
    store: Store, taken: list[_Case], late: list[_Case], now: datetime
) -> list[tuple[_Case, Answer]]:
    """Voters of whom a cast is in, and those who come after the close."""
    answers: list[tuple[_Case, Answer]] = []
    known = await store.known([case.key for case in (*taken, *late)])
    for case in late:
        if case.text.mode is not BallotMode.NAMED:
            answers.append((case, ALONE))
            continue
        assert case.admitted.late is not None
        equal = judging.equal_after_close(known.get(case.key, ()), case.admitted.choices)
        answers.append((case, case.admitted.late if equal is None else _receipt(case, equal)))
    more: list[tuple[_Case, Another]] = []
    for case in taken:
        if case.text.mode is not BallotMode.NAMED:
            answers.append((case, ALONE))
            continue
        try:
            outcome = judging.again(
                case.text.preset, known[case.key], case.admitted.choices, case.seen.number
            )
        except rules.AlreadyVoted as refusal:
            answers.append((case, refusal))
            continue
        if isinstance(outcome, Known):
            answers.append((case, _receipt(case, outcome)))
        else:
            more.append((case, outcome))
    ledger = LEDGERS[BallotMode.NAMED]
    for another in sorted({next for _, next in more}, key=astuple):
        made = [
            (case, *ledger.row(case.entry(now, token_bytes(RANDOM_BYTES), another.cast_no)))
            for case, next in more
            if next == another
        ]
        same = ledger.same(another.cast_no, another.set_aside, now)
        new = await store.insert(ledger, [row for _, row, _ in made], same, None)
        for case, _, receipt in made:
            # not new: another cast of the same voter came just now, through another process
            answers.append((case, receipt if case.key in new else rules.AlreadyVoted(numbers=[])))
    return answers


def _receipt(case: _Case, known: Known) -> Receipt:
    return Receipt(case.cast.poll_id, known.leaf_hash.hex(), known.cast_at)
