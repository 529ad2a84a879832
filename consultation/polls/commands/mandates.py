"""Mandates: registered by staff from a paper, used by their holder, taken back by the principal."""

from datetime import datetime
from uuid import UUID

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.people import BallotRecordedForVoter, MandateChanged
from consultation.permissions import Deed, Role, check, grant_of
from consultation.polls import envelope_box, leaves, mandates, rules
from consultation.polls.box import Cast, put_in, sent_before
from consultation.polls.commands.casting import Answers
from consultation.polls.envelope_box import SealedCast, SealedReceipt
from consultation.polls.envelope_queries import envelopes_of
from consultation.polls.envelopes import check_once
from consultation.polls.mandate_queries import (
    MandateRow,
    gave_mandate,
    highest_mandate_no,
    last_mandate,
    mandates_held,
    mandates_of,
    mandates_without_voter,
    standing_channel,
)
from consultation.polls.mandate_tables import Mandate, MandateWithdrawal
from consultation.polls.mandates import MandateRelation, MandateState
from consultation.polls.paper import SecondStaffNeeded
from consultation.polls.people_queries import find_person, holds_a_role
from consultation.polls.precedence import equal_after_close
from consultation.polls.presets import BallotChannel, BallotMode, QuestionKind
from consultation.polls.queries import (
    Hold,
    access_poll,
    casts_of,
    check_impartial,
    place_of,
    places_numbered,
)
from consultation.polls.registers import of_age
from consultation.polls.rules import Choices, PollState
from consultation.polls.tables import Ballot, Poll, RollEntry
from consultation.refusals import NotFound, NotPermitted

Found = tuple[Mandate, MandateWithdrawal | None]
"""A mandate and how it ended before its time."""
_PROXY = BallotChannel.PROXY


async def register_mandate(
    tx: Transaction,
    poll_id: UUID,
    number: int,
    *,
    holder_id: UUID | None,
    holder_phone: str | None,
    relation: MandateRelation,
    document_sha256: str,
    instruction: Answers | None,
    valid_until: datetime,
) -> Mandate:
    """Register the paper by which the voter in place ``number`` lets somebody, known by id or by
    phone, vote for them. The principal is told. The same again changes nothing.

    Refuses with ProxiesNotAllowed, PollClosed, PollNotOpen, NotImpartial, NotOnRoll, NotFound,
    MandateExists, MandateOver, HolderNotAllowed, TooManyMandates, InstructionNeeded,
    InstructionReveals or BallotInvalid.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.ENTER_PAPER, hold=Hold.TOPIC_AND_POLL)
    mandates.check_allowed(poll.preset, poll.mode)
    if poll.mode is BallotMode.CONFIDENTIAL and instruction is not None:
        raise mandates.InstructionReveals()
    if poll.state is not PollState.ANNOUNCED:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    await check_impartial(tx, poll, topic)
    place = await _place(tx, poll, number)
    holder = await find_person(tx, person_id=holder_id, phone=holder_phone)
    choices = None if instruction is None else rules.check_ballot(poll.items, instruction)
    if choices is None and poll.preset.proxies.instructions_binding:
        raise mandates.InstructionNeeded()
    content = None if choices is None else _content(tx, poll, number, choices)
    known = await last_mandate(tx, poll, number)
    if known is not None and known[1] is None and known[0].principal_id == place.person_id:
        mine = known[0]
        if (mine.holder_id, mine.document_sha256, mine.instruction, mine.valid_until) != (
            holder.id,
            document_sha256,
            content,
            valid_until,
        ):
            raise mandates.MandateExists()
        return mine
    if await standing_channel(tx, poll, place) is not None or valid_until <= tx.now:
        raise mandates.MandateOver()
    today = local_day(tx.now)
    mandates.check_holder(
        poll.preset,
        relation=relation,
        is_principal=holder.id == place.person_id,
        is_candidate=holder.id in {one.person_id for one in poll.candidates},
        property_staff=await holds_a_role(
            tx, poll.community_id, holder.id, {Role.PROPERTY_COMPANY}
        ),
        of_age=holder.born_on is None or of_age(holder.born_on, today),
        on_roll=await place_of(tx, poll, holder.id) is not None,
        gave_away=await gave_mandate(tx, poll, holder.id),
        principal_holds=await mandates_held(tx, poll, _principal(place)) > 0,
        held=await mandates_held(tx, poll, holder.id),
    )

    mandate = Mandate(
        poll_id=poll.id,
        number=number,
        mandate_no=await highest_mandate_no(tx, poll, number) + 1,
        community_id=poll.community_id,
        principal_id=_principal(place),
        holder_id=holder.id,
        relation=relation,
        document_sha256=document_sha256,
        instruction=content,
        valid_until=valid_until,
        registered_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(mandate)
    _tell(tx, mandate, MandateState.REGISTERED)
    return mandate


async def cast_as_proxy(
    tx: Transaction, poll_id: UUID, number: int, answers: Answers, *, once: str | None = None
) -> Ballot | SealedReceipt:
    """The ballot of the voter in place ``number`` by the holder of their mandate; or for the
    holder, by staff who did not register it. The principal is told. In a confidential poll it is
    an envelope of the principal's, by nobody but the holder, whose client has its secret ``once``.

    An equal one again gets the first one's receipt, as a voter's own does (``cast_ballot``): known
    by ``once`` whatever came in since, also when the mandate or the poll is over, and without it
    while it stands.

    Refuses with NotFound, SecondStaffNeeded, NotImpartial, WrongChannel, PollNotOpen, PollClosed,
    BallotInvalid, BallotSecretNeeded, NotOnRoll, MandateOver, HolderNotAllowed, InstructionBinds,
    AlreadyVoted or BallotKeyReused.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.POLL_SHARED)
    staff = grant_of(Deed.ENTER_PAPER, tx.standing.role) is not None
    check(Deed.ENTER_PAPER if staff else Deed.CAST_BALLOT, tx.standing.role)
    found = await last_mandate(tx, poll, number)
    if found is None or not (staff or found[0].holder_id == tx.person_id):
        raise NotFound(what="mandate")
    if staff:
        await check_impartial(tx, poll, topic)
        if found[0].registered_by_id == tx.person_id:
            raise SecondStaffNeeded()
        if poll.mode is BallotMode.CONFIDENTIAL:
            raise rules.WrongChannel(mode=poll.mode.value)
    choices = rules.check_ballot(poll.items, answers)
    place = await _place(tx, poll, number)
    if found[0].principal_id != place.person_id:  # an objection gave the place to another
        raise mandates.MandateOver()
    if poll.mode is BallotMode.CONFIDENTIAL:
        sealed = SealedCast(place=place, choices=choices, once=check_once(once), channel=_PROXY)
        return await _cast_sealed(tx, poll, found, sealed)
    cast = Cast(place=place, choices=choices, channel=_PROXY, key=once)
    return await _cast_named(tx, poll, found, cast)


async def _cast_named(tx: Transaction, poll: Poll, found: Found, cast: Cast) -> Ballot:
    place, choices = cast.place, cast.choices
    assert choices is not None
    known = (await casts_of(tx, poll.id, [place.id])).get(place.id, [])
    by_proxy = [one for one in known if one.channel is _PROXY]
    again = sent_before(poll, cast, by_proxy)
    try:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    except rules.PollClosed:
        equal = equal_after_close(by_proxy, choices, again)
        if equal is not None:
            return equal
        raise
    if again is not None and again.choices == choices:
        return again
    standing = [one.channel for one in known if not one.set_aside]
    await _check_usable(tx, poll, found, standing[-1] if standing else None, cast)

    ballot = (await put_in(tx, poll, [cast]))[0]
    if ballot.cast_at == tx.now:
        _tell_of_ballot(tx, poll, place)
    return ballot


async def _cast_sealed(
    tx: Transaction, poll: Poll, found: Found, cast: SealedCast
) -> SealedReceipt:
    before = (await envelopes_of(tx, poll.id, [cast.place.id])).get(cast.place.id)
    again = before if before is not None and envelope_box.is_same(poll, cast, before) else None
    try:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    except rules.PollClosed:
        if again is None:
            raise
    if again is not None:
        return envelope_box.receipt(poll, cast, again)
    await _check_usable(tx, poll, found, None if before is None else before.channel, cast)

    (answer,) = await envelope_box.put_in(tx, poll, [cast])
    if isinstance(answer, rules.AlreadyVoted):
        raise answer
    _tell_of_ballot(tx, poll, cast.place)
    return answer


async def _check_usable(
    tx: Transaction, poll: Poll, found: Found, stands: BallotChannel | None, cast: Cast | SealedCast
) -> None:
    """The mandate still gives the vote, its holder may hold it, and the ballot is what the
    principal wrote. ``stands`` is the channel of the ballot that stands."""
    mandate, withdrawal = found
    state = mandates.state_of(
        withdrawn=withdrawal is not None, stands=stands, valid_until=mandate.valid_until, now=tx.now
    )
    if state in (MandateState.REVOKED, MandateState.EXPIRED):
        raise mandates.MandateOver()
    if poll.preset.proxies.holder_on_roll and not await place_of(tx, poll, mandate.holder_id):
        raise mandates.HolderNotAllowed(problem="no_vote_here")
    assert cast.choices is not None
    given = _content(tx, poll, cast.place.number, cast.choices)
    mandates.check_instruction(poll.preset, mandate.instruction, given)


async def withdraw_mandate(
    tx: Transaction, poll_id: UUID, number: int, *, document_sha256: str | None
) -> None:
    """The principal takes the mandate back, on the phone, or in writing through staff. Again
    changes nothing. Refuses with NotFound, MandateUsed, PollClosed or PollNotOpen."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.TOPIC_AND_POLL)
    staff = grant_of(Deed.ENTER_PAPER, tx.standing.role) is not None
    check(Deed.ENTER_PAPER if staff else Deed.CAST_BALLOT, tx.standing.role)
    found = await last_mandate(tx, poll, number)
    place = await _place(tx, poll, number, own=not staff)
    if found is None or not (staff or place.person_id == tx.person_id):
        raise NotFound(what="mandate")
    if found[0].principal_id != place.person_id:  # an objection gave the place to another
        raise NotFound(what="mandate")
    if found[1] is not None:
        return
    if staff and document_sha256 is None:
        raise mandates.WithdrawalInWriting()
    if poll.state is not PollState.ANNOUNCED:
        rules.check_open(poll.state, poll.closes_at, tx.now)
    if await standing_channel(tx, poll, place) is BallotChannel.PROXY:
        raise mandates.MandateUsed()

    _end(tx, poll, found[0], document_sha256=document_sha256)


async def end_without_voter(tx: Transaction, poll: Poll) -> None:
    """A corrected roll ends the mandates of whoever lost their place; who gets it back gives a new
    one. They are told. With the poll held alone."""
    for mandate in await mandates_without_voter(tx, poll):
        _end(tx, poll, mandate)


async def read_mandates(
    tx: Transaction, poll_id: UUID, *, after: tuple[int, int], limit: int
) -> list[tuple[int, MandateRow]]:
    """Those that the reader gave or holds; for who enters, counts or witnesses all. Of an election
    all are public from the start, masked, so that a false one is challenged before the count; what
    became of them is not said before the result (domain 4.4)."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    works = any(grant_of(d, tx.standing.role) for d in (Deed.ENTER_PAPER, Deed.WITNESS_COUNT))
    election = any(item.kind is QuestionKind.ELECTION for item in poll.items)
    reader = tx.actor.person_id
    if reader is None and not election:
        raise NotPermitted(deed=Deed.ENTER_PAPER.value, role=tx.standing.role.value)
    return await mandates_of(
        tx,
        poll,
        reader=reader,
        all_of_them=works or election,
        states=works or poll.state is PollState.PUBLISHED,
        after=after,
        limit=limit,
    )


def _tell_of_ballot(tx: Transaction, poll: Poll, place: RollEntry) -> None:
    tx.emit(
        BallotRecordedForVoter(
            community_id=poll.community_id,
            person_id=_principal(place),
            poll_id=poll.id,
            channel=BallotChannel.PROXY.value,
        )
    )


def _end(
    tx: Transaction, poll: Poll, mandate: Mandate, *, document_sha256: str | None = None
) -> None:
    tx.session.add(
        MandateWithdrawal(
            poll_id=poll.id,
            number=mandate.number,
            mandate_no=mandate.mandate_no,
            community_id=poll.community_id,
            document_sha256=document_sha256,
            by_id=tx.person_id,
            at=tx.now,
        )
    )
    _tell(tx, mandate, MandateState.REVOKED)


def _tell(tx: Transaction, mandate: Mandate, state: MandateState) -> None:
    tx.emit(
        MandateChanged(
            community_id=mandate.community_id,
            person_id=mandate.principal_id,
            poll_id=mandate.poll_id,
            state=state.value,
        )
    )


def _content(tx: Transaction, poll: Poll, number: int, choices: Choices) -> str:
    return tx.vault.lookup("mandate", f"{poll.id} {number} {leaves.canonical(choices).decode()}")


def _principal(place: RollEntry) -> UUID:
    assert place.person_id is not None
    return place.person_id


async def _place(tx: Transaction, poll: Poll, number: int, *, own: bool = False) -> RollEntry:
    """The place with this number; it must have a voter, and not the actor unless ``own``."""
    places = await places_numbered(tx, poll, [number])
    if not places or places[0].person_id is None:
        raise rules.NotOnRoll(numbers=[str(number)])
    if places[0].person_id == tx.person_id and not own:
        raise rules.NotImpartial()
    return places[0]
