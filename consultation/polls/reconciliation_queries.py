"""SQL that collects what a reconciliation compares; numbers and places, never a choice."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import String, and_, literal, type_coerce, union_all
from sqlmodel import col, func, select

from consultation.database import Transaction
from consultation.polls.assistance_tables import BallotAssistance
from consultation.polls.board_tables import BoardLeaf, Tree
from consultation.polls.countersign_queries import entries
from consultation.polls.envelope_queries import kept_of
from consultation.polls.hand_queries import hands_counted
from consultation.polls.mandate_queries import of_its_voter, with_withdrawal
from consultation.polls.mandate_tables import Mandate, MandateWithdrawal
from consultation.polls.paper import FormFate
from consultation.polls.paper_tables import PaperBlock, PaperEntry, PaperFate, PaperIssue
from consultation.polls.presence_queries import members_present
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.reconciliation import (
    ON_FORMS,
    CastFact,
    LedgerFacts,
    MandateFact,
    PaperFacts,
    Reconciliation,
    reconcile,
)
from consultation.polls.sheet_queries import sheets_entered
from consultation.polls.tables import Ballot, Poll, PollTurnout, RollEntry


async def reconciliation_of(tx: Transaction, poll: Poll) -> Reconciliation:
    """The report on a poll as its registers stand; at most ten statements.

    Of a confidential poll nobody knows whose ballot was invalid: who took part is compared with
    all ballots that came out of the box."""
    sealed = poll.mode is BallotMode.CONFIDENTIAL
    assisted, taking_part, printed, recorded = await _numbers(tx, poll)
    casts = await (_sealed_casts if sealed else _named_casts)(tx, poll)
    if sealed and printed:
        casts += await _shut_envelopes(tx, poll, casts)
    hands = await hands_counted(tx, poll)
    in_meeting = poll.preset.held_in_meeting and poll.present is None
    return reconcile(
        LedgerFacts(
            eligible=poll.eligible_heads,
            casts=casts,
            assisted=assisted,
            turnout=taking_part,
            paper=await _paper(tx, poll, printed),
            mandates=await _mandates(tx, poll),
            countersigned=await entries(tx, poll),
            by_hand=0 if hands is None else hands.heads,
            present=await members_present(tx, poll) if in_meeting else poll.present,
            counted=None
            if poll.result is None
            else poll.result.valid.heads + (poll.result.invalid.heads if sealed else 0),
            invalid=None if poll.result is None or sealed else poll.result.invalid.heads,
            came_invalid=poll.result.invalid.heads if poll.result and sealed else None,
            recorded=None if poll.envelopes_replaced is None else recorded,
            replaced=poll.envelopes_replaced,
        )
    )


async def _named_casts(tx: Transaction, poll: Poll) -> list[CastFact]:
    rows = await tx.session.exec(
        select(
            RollEntry.number,
            Ballot.cast_no,
            Ballot.channel,
            col(Ballot.choices).is_not(None),
            Ballot.set_aside,
        )  # type: ignore[call-overload]
        .join(RollEntry, col(RollEntry.id) == col(Ballot.roll_entry_id))
        .where(Ballot.poll_id == poll.id)
    )
    return [CastFact(*row) for row in rows]


async def _sealed_casts(tx: Transaction, poll: Poll) -> list[CastFact]:
    """Envelopes while the box is shut, and the record of who took part from its opening on."""
    kept = kept_of(poll)
    rows = await tx.session.exec(
        select(RollEntry.number, kept.channel)
        .join(RollEntry, col(RollEntry.id) == col(kept.roll_entry_id))
        .where(kept.poll_id == poll.id)
    )
    return [
        CastFact(place, STANDING, BallotChannel(channel), valid=True, set_aside=False)
        for place, channel in rows
    ]


async def _shut_envelopes(
    tx: Transaction, poll: Poll, standing: Collection[CastFact]
) -> list[CastFact]:
    """Envelopes on paper that were handed in and stay shut, because another ballot of the voter
    stands: set aside when they came, or replaced later."""
    by = {cast.place: cast.channel for cast in standing}
    rows = await tx.session.exec(
        select(PaperIssue.number, PaperIssue.channel, PaperFate.cast_no)
        .join(
            PaperFate,
            and_(
                col(PaperFate.poll_id) == col(PaperIssue.poll_id),
                col(PaperFate.form) == col(PaperIssue.form),
            ),
        )
        .where(PaperIssue.poll_id == poll.id, PaperFate.fate == FormFate.RETURNED)
    )
    return [
        CastFact(place, EARLIER, BallotChannel(channel), valid=True, set_aside=cast_no is None)
        for place, channel, cast_no in rows
        if place in by and by[place] not in ON_FORMS
    ]


EARLIER, STANDING = 0, 1
"""Of a voter's sealed ballots only the order of these two is known."""


async def _numbers(tx: Transaction, poll: Poll) -> tuple[int, int, int, int]:
    """Records of help, heads in the turnout counters, the highest form printed, and the leaves on
    the board of what came in."""
    of_record: Any = func.count()
    if poll.mode is BallotMode.CONFIDENTIAL:
        of_record = func.count(col(BallotAssistance.roll_entry_id).distinct())
    help_ = select(of_record).where(BallotAssistance.poll_id == poll.id)
    if poll.mode is BallotMode.CONFIDENTIAL:  # of a replaced envelope nothing is left but its help
        kept = kept_of(poll)
        help_ = help_.where(
            kept.poll_id == poll.id,
            kept.roll_entry_id == BallotAssistance.roll_entry_id,
            kept.channel == BallotChannel.ASSISTED,
        )
    heads = select(func.sum(PollTurnout.heads)).where(PollTurnout.poll_id == poll.id)
    forms = select(func.max(PaperBlock.last)).where(PaperBlock.poll_id == poll.id)
    on_board = select(func.count()).where(
        BoardLeaf.poll_id == poll.id, BoardLeaf.tree == Tree.RECORDED
    )
    rows = await tx.session.exec(
        select(
            help_.scalar_subquery(),
            heads.scalar_subquery(),
            forms.scalar_subquery(),
            on_board.scalar_subquery(),
        )
    )
    assisted, taking_part, printed, recorded = rows.one()
    return assisted, int(taking_part or 0), printed or 0, recorded


async def _paper(tx: Transaction, poll: Poll, printed: int) -> PaperFacts:
    sheets = None
    if poll.mode is BallotMode.CONFIDENTIAL:
        sheets = await sheets_entered(tx, poll) if printed else {}
    if not printed:
        return PaperFacts(sheets=sheets)
    issued = select(PaperIssue.form, type_coerce(PaperIssue.channel, String)).where(
        PaperIssue.poll_id == poll.id
    )
    twice = (
        select(PaperEntry.form, literal("entered"))
        .where(PaperEntry.poll_id == poll.id)
        .group_by(col(PaperEntry.form))
        .having(func.count() >= 2)
    )
    fates = select(PaperFate.form, type_coerce(PaperFate.fate, String)).where(
        PaperFate.poll_id == poll.id
    )
    rows: Any = await tx.session.exec(union_all(issued, twice, fates))  # type: ignore[call-overload]
    met: dict[str, set[int]] = {}
    for form, what in rows:
        met.setdefault(what, set()).add(form)
    at_door = frozenset(met.get(BallotChannel.HOME_VISIT.value, ()))
    return PaperFacts(
        printed=printed,
        issued=at_door | met.get(BallotChannel.PAPER.value, set()),
        at_door=at_door,
        fates={form: fate for fate in FormFate for form in met.get(fate.value, ())},
        entered=frozenset(met.get("entered", ())),
        sheets=sheets,
    )


async def _mandates(tx: Transaction, poll: Poll) -> list[MandateFact]:
    rows = await tx.session.exec(
        with_withdrawal(Mandate.number, MandateWithdrawal.at)
        .join(RollEntry, of_its_voter(poll))
        .where(Mandate.poll_id == poll.id)
    )
    return [MandateFact(number, at is not None) for number, at in rows]
