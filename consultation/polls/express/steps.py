"""Many casts at once, the same on both databases.

    look     at the clock, the voters and their places, in one statement
    judge    each cast by itself
    insert   the admitted, in one durable transaction with one turnout counter per poll. It holds
             the polls, shared: a close, which holds one alone, waits for this or shuts it out.
             The key refuses
    again    those whose key is taken: the equal one's receipt, a re-vote, or *already voted*;
             and from the start those whose poll is no longer as it was

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
from consultation.polls.express.ledgers import LEDGERS, SALT_BYTES, Case, Ledger
from consultation.polls.presets import BallotMode
from consultation.polls.rules import PollState
from consultation.refusals import Refusal

TEXTS = 4096
"""Polls whose text a process remembers."""

Answer = Receipt | Alone | Refusal
Answers = dict[int, Answer]
"""By the place of the cast in its batch."""
Key = tuple[UUID, Any]
"""Poll and place on its roll."""


class Store(Protocol):
    """The SQL of one database."""

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
    ) -> tuple[Collection[Key] | None, Collection[UUID]]:
        """Which rows went in, in one durable transaction (None: all of them), and which polls still
        take ballots. Only their rows could. With ``areas``, one for each row, each that went in
        counts as a head with its area."""
        ...

    async def known(self, keys: Sequence[Key]) -> Mapping[Key, list[Known]]:
        """All casts in the ledger of named ballots, in their order."""
        ...


class Texts:
    """What is frozen is read once. By the number of a poll's id, which is cheaper to look up."""

    def __init__(self) -> None:
        self._texts: OrderedDict[int, PollText] = OrderedDict()

    async def of(self, store: Store, polls: Mapping[int, UUID]) -> Mapping[int, PollText]:
        known = self._texts
        missing = [id for number, id in polls.items() if number not in known]
        if not missing:
            return known
        found = {number: known[number] for number in polls if number in known}
        for id, (state, text) in (await store.texts(missing)).items():
            found[id.int] = text
            if state is not PollState.DRAFT:
                known[id.int] = text
        while len(known) > TEXTS:
            known.popitem(last=False)
        return found


async def put_in_together(store: Store, texts: Texts, casts: Sequence[OwnCast]) -> list[Answer]:
    """Casts of different voters (a voter may cast in several polls); an answer for each."""
    answers: Answers = {}
    waiting = list(enumerate(casts))
    while waiting:  # a poll that closed meanwhile is closed when it is looked at again
        answers |= await _once(store, texts, waiting)
        waiting = [(index, cast) for index, cast in waiting if index not in answers]
    return [answers[index] for index in range(len(casts))]


async def _once(store: Store, texts: Texts, waiting: Sequence[tuple[int, OwnCast]]) -> Answers:
    """Without those whose poll was not as it had looked."""
    casts = [cast for _, cast in waiting]
    text_of = await texts.of(store, {cast.poll_id.int: cast.poll_id for cast in casts})
    now, seen = await store.look(casts)

    answers: Answers = {}
    admitted: dict[BallotMode, list[Case]] = defaultdict(list)
    late: list[Case] = []
    for (index, cast), place in zip(waiting, seen, strict=True):
        text = text_of.get(cast.poll_id.int)
        judged = judging.judge(cast, text, place, now, modes=_MODES)
        if not isinstance(judged, Admitted):
            answers[index] = judged
            continue
        assert text is not None
        assert place is not None
        case = Case(index, cast, text, place, judged)
        (late if judged.late else admitted[text.mode]).append(case)

    taken: list[Case] = []
    for mode, cases in admitted.items():
        new, refused = await _insert(store, LEDGERS[mode], cases, now)
        answers |= new
        taken += refused
    if taken or late:
        answers |= await _again(store, taken, late, now)
    return answers


_MODES = frozenset(LEDGERS)


async def _insert(
    store: Store, ledger: Ledger, cases: list[Case], now: datetime
) -> tuple[Answers, list[Case]]:
    """The receipts of what went in, and the cases whose key is taken."""
    cases.sort(key=Case.order)
    salts = _random(len(cases))
    made = [ledger.row(case, 1, now, salt) for case, salt in zip(cases, salts, strict=True)]
    areas = [case.seen.area_dm2 for case in cases]
    same = ledger.same(1, False, now)
    new, open_polls = await store.insert(ledger, [row for row, _ in made], same, areas)
    if new is None:
        return {case.index: made[n][1] for n, case in enumerate(cases)}, []
    receipts: Answers = {}
    taken: list[Case] = []
    for case, (_, receipt) in zip(cases, made, strict=True):
        if case.key in new:
            receipts[case.index] = receipt
        elif case.cast.poll_id in open_polls:
            taken.append(case)
    return receipts, taken


def _random(count: int) -> list[bytes]:
    """Fresh random bytes for each, fetched at once."""
    together = token_bytes(SALT_BYTES * count)
    return [together[at : at + SALT_BYTES] for at in range(0, len(together), SALT_BYTES)]


async def _again(store: Store, taken: list[Case], late: list[Case], now: datetime) -> Answers:
    """Voters of whom a cast is in, and those who come after the close."""
    answers: Answers = {}
    known = await store.known([case.key for case in (*taken, *late)])
    for case in late:
        if case.text.mode is not BallotMode.NAMED:
            answers[case.index] = ALONE
            continue
        assert case.admitted.late is not None
        mine = known.get(case.key, ())
        equal = judging.equal_after_close(
            case.cast, case.text, case.seen, mine, case.admitted.choices
        )
        answers[case.index] = case.admitted.late if equal is None else _receipt(case, equal)
    more: list[tuple[Case, Another]] = []
    for case in taken:
        if case.text.mode is not BallotMode.NAMED:
            answers[case.index] = ALONE
            continue
        try:
            outcome = judging.again(
                case.cast, case.text, case.seen, known[case.key], case.admitted.choices
            )
        except (rules.AlreadyVoted, rules.BallotKeyReused) as refusal:
            answers[case.index] = refusal
            continue
        if isinstance(outcome, Known):
            answers[case.index] = _receipt(case, outcome)
        else:
            more.append((case, outcome))
    ledger = LEDGERS[BallotMode.NAMED]
    for another in sorted({next for _, next in more}, key=astuple):
        made = [
            (case, *ledger.row(case, another.cast_no, now, token_bytes(SALT_BYTES)))
            for case, next in more
            if next == another
        ]
        same = ledger.same(another.cast_no, another.set_aside, now)
        new, open_polls = await store.insert(ledger, [row for _, row, _ in made], same, None)
        for case, _, receipt in made:
            if new is None or case.key in new:
                answers[case.index] = receipt
            elif case.cast.poll_id in open_polls:
                # another cast of the same voter came just now, through another process
                answers[case.index] = rules.AlreadyVoted(numbers=[])
    return answers


def _receipt(case: Case, known: Known) -> Receipt:
    return Receipt(case.cast.poll_id, known.leaf_hash.hex(), known.cast_at)
