"""Objections to the roll: filed by anybody concerned, ruled by two people, and carried out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from consultation.calendar import local_day
from consultation.database import Transaction
from consultation.events.people import RollObjectionAnswered, RollPlaceChanged
from consultation.events.polls import RollCorrected, RollObjectionMade, RollRulingOverdue
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed, grant_of
from consultation.polls import objections
from consultation.polls.commands.drafting import Writer, publish_notice
from consultation.polls.commands.mandates import end_without_voter
from consultation.polls.commands.recording import fix_manifest
from consultation.polls.notice_queries import carry_proofs
from consultation.polls.objection_queries import (
    highest_number,
    homes_of,
    household_codes,
    last_ruling,
    load_objection,
    objection_of,
    objections_page,
    owned_units,
    poll_of_objection,
    scope_of,
    units_of_register,
    verified_person,
    write_roll,
)
from consultation.polls.objection_tables import RollObjection, RollRuling
from consultation.polls.objections import (
    RollCorrection,
    RollDecision,
    RollObjectionKind,
    RollObjectionState,
)
from consultation.polls.phrases import Phrase
from consultation.polls.presets import Measure
from consultation.polls.queries import (
    Hold,
    access_poll,
    check_impartial,
    frozen_roll,
    places_numbered,
    voters_follow,
)
from consultation.polls.registers import OF_A_PLACE, home_in, is_of_place, of_age
from consultation.polls.rolls import Place, of_heads, roll_digest
from consultation.polls.rules import NotOnRoll, PollState
from consultation.polls.tables import Poll
from consultation.topics.tables import Document, Topic


async def file_objection(
    tx: Transaction, poll_id: UUID, number: int | None, *, kind: RollObjectionKind, ground: str
) -> RollObjection:
    """Say that the roll is wrong at a place, or (without ``number``) that one is missing on it.
    The same again changes nothing.

    Refuses with RollNotOpenToObjections, NotOnRoll or RollObjectionFiled.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.OBJECT_TO_ROLL, hold=Hold.TOPIC_AND_POLL)
    known = await objection_of(tx, poll, tx.person_id, number or 0)
    if known is not None:
        if (known.kind, known.ground) != (kind, ground):
            raise objections.RollObjectionFiled()
        return known
    objections.check_filing(
        poll.preset, poll.state, announced_at=poll.announced_at, opens_at=poll.opens_at, now=tx.now
    )
    if number is not None and not await places_numbered(tx, poll, [number]):
        raise NotOnRoll(numbers=[str(number)])

    objection = RollObjection(
        id=tx.new_id(),
        community_id=poll.community_id,
        poll_id=poll.id,
        number=number or 0,
        kind=kind,
        ground=ground,
        filed_by_id=tx.person_id,
        filed_at=tx.now,
        due_at=objections.ruling_due(poll.preset, tx.now),
        state=RollObjectionState.OPEN,
    )
    tx.session.add(objection)
    await schedule(
        tx,
        JobKind.ROLL_RULING_OVERDUE,
        objection.id,
        objection.due_at,
        community_id=poll.community_id,
    )
    tx.emit(
        RollObjectionMade(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            due_at=objection.due_at,
        )
    )
    return objection


async def note_overdue(tx: Transaction, objection_id: UUID) -> None:
    """By the system when the days for a ruling are over: whoever rules on it, the
    convener and the supervision committee hear that it is late. Of a poll that did not open and
    is void nothing is late any more."""
    poll_id = await poll_of_objection(tx, objection_id)
    poll, topic = await access_poll(tx, poll_id, Deed.RUN_SYSTEM, hold=Hold.TOPIC_AND_POLL)
    objection = await load_objection(tx, objection_id)
    open_ = objection.state is RollObjectionState.OPEN and poll.state is PollState.ANNOUNCED
    if open_ and objections.is_overdue(objection.due_at, None, now=tx.now):
        tx.emit(
            RollRulingOverdue(
                community_id=poll.community_id,
                topic_id=topic.id,
                poll_id=poll.id,
                due_at=objection.due_at,
            )
        )


async def propose_ruling(
    tx: Transaction,
    objection_id: UUID,
    *,
    decision: RollDecision,
    correction: RollCorrection | None,
    reason: str,
) -> RollRuling:
    """Propose how to rule; a second person confirms it. The same again changes nothing, another
    proposal takes the place of the last.

    Refuses with NotImpartial, RollRulingNeedsSecondPerson, RollObjectionRuled or
    RollCorrectionInvalid.
    """
    poll_id = await poll_of_objection(tx, objection_id)
    poll, topic = await access_poll(tx, poll_id, Deed.RULE_ON_ROLL, hold=Hold.TOPIC_AND_POLL)
    objection = await _open_objection(tx, poll, topic, objection_id)
    last = await last_ruling(tx, objection_id)
    if last is not None and (last.by_id, last.decision, last.correction, last.reason) == (
        tx.person_id,
        decision,
        correction,
        reason,
    ):
        return last
    if (correction is not None) != (decision is RollDecision.UPHELD):
        raise objections.RollCorrectionInvalid(problem="correction_and_decision")
    if correction is not None:
        await _corrected(tx, poll, objection, correction)

    ruling = RollRuling(
        objection_id=objection.id,
        version=1 if last is None else last.version + 1,
        community_id=poll.community_id,
        decision=decision,
        correction=correction,
        reason=reason,
        by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(ruling)
    return ruling


async def confirm_ruling(
    tx: Transaction, objection_id: UUID, *, version: int, write: Writer
) -> RollObjection:
    """A second person confirms the newest proposal. Of an upheld objection the roll is written
    anew with its correction, and the notice is corrected. Again changes nothing.

    Refuses with NotImpartial, RollRulingNeedsSecondPerson, RollRulingSuperseded,
    RollObjectionRuled or RollCorrectionInvalid.
    """
    poll_id = await poll_of_objection(tx, objection_id)
    poll, topic = await access_poll(tx, poll_id, Deed.RULE_ON_ROLL, hold=Hold.TOPIC_AND_POLL)
    known = await load_objection(tx, objection_id)
    if known.confirmed_by_id == tx.person_id and known.ruling_version == version:
        return known
    objection = await _open_objection(tx, poll, topic, objection_id)
    ruling = await last_ruling(tx, objection_id)
    if ruling is None or ruling.version != version:
        raise objections.RollRulingSuperseded()
    if ruling.by_id == tx.person_id:
        raise objections.RollRulingNeedsSecondPerson()

    objection.state = RollObjectionState(ruling.decision.value)
    objection.ruling_version = ruling.version
    objection.confirmed_by_id = tx.person_id
    objection.ruled_at = tx.now
    tx.session.add(objection)
    if ruling.correction is not None:
        await _carry_out(tx, poll, topic, objection, ruling.correction, write)
    tx.emit(
        RollObjectionAnswered(
            community_id=poll.community_id,
            person_id=objection.filed_by_id,
            poll_id=poll.id,
            state=objection.state.value,
        )
    )
    return objection


async def read_objections(
    tx: Transaction, poll_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> tuple[bool, list[tuple[RollObjection, RollRuling | None]]]:
    """Whether the reader rules on them, and the objections from the latest back."""
    poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
    rules_on = grant_of(Deed.RULE_ON_ROLL, tx.standing.role) is not None
    return rules_on, await objections_page(tx, poll, after=after, limit=limit)


async def _open_objection(
    tx: Transaction, poll: Poll, topic: Topic, objection_id: UUID
) -> RollObjection:
    """The objection, if the actor may rule on it: not their own, nor about themselves."""
    objection = await load_objection(tx, objection_id)
    if objection.state is not RollObjectionState.OPEN or poll.state is not PollState.ANNOUNCED:
        raise objections.RollObjectionRuled()
    await check_impartial(tx, poll, topic)
    places = await places_numbered(tx, poll, [objection.number])
    if tx.person_id in (objection.filed_by_id, *(place.person_id for place in places)):
        raise objections.RollRulingNeedsSecondPerson()
    return objection


async def _corrected(
    tx: Transaction, poll: Poll, objection: RollObjection, correction: RollCorrection
) -> tuple[list[Place], list[Place]]:
    """The roll as it stands, and as the correction by the actor leaves it. Who is put on it must be
    verified, and of age on the last day of voting (domain 4.1); as an owner, as somebody of the
    poll's place or of a household there, by the register."""
    electorate = poll.preset.electorate
    masked, owned, homes = "", set[UUID](), set[UUID]()
    if correction.person_id is not None:
        who = await verified_person(tx, poll.community_id, correction.person_id)
        last_day = local_day(poll.closes_at - timedelta(microseconds=1))
        if who is None:
            raise objections.RollCorrectionInvalid(problem="person_not_verified")
        if who.born_on is not None and not of_age(who.born_on, last_day):
            raise objections.RollCorrectionInvalid(problem="minor")
        masked = who.masked_name
        owned = await owned_units(tx, who.id)
        homes = await homes_of(tx, poll.community_id, who.id)
        if electorate in OF_A_PLACE and not await is_of_place(tx, await scope_of(tx, poll), who.id):
            raise objections.RollCorrectionInvalid(problem="person_elsewhere")
    roll = list((await frozen_roll(tx, poll)).values())
    units = await units_of_register(tx, poll, correction.unit_ids)
    where = next((where for _, where in units.values()), "")
    household = correction.household_id if electorate in objections.HOUSEHOLDS else None
    if household is not None and household not in {place.household_id for place in roll}:
        home = await home_in(tx, await scope_of(tx, poll), household)
        if home is None:
            raise objections.RollCorrectionInvalid(problem="household_unknown")
        where = home
    corrected = objections.correct(
        electorate,
        roll,
        correction,
        masked_name=masked,
        where=where,
        units={id: unit for id, (unit, _) in units.items()},
        owned=owned,
        homes=homes,
        next_number=await highest_number(tx, poll) + 1,
    )
    if Measure.AREA not in poll.preset.measures:
        corrected = of_heads(corrected)
    objections.check_ruling(roll, corrected, number=objection.number, ruled_by=tx.person_id)
    return roll, corrected


async def _carry_out(
    tx: Transaction,
    poll: Poll,
    topic: Topic,
    objection: RollObjection,
    correction: RollCorrection,
    write: Writer,
) -> None:
    """The next version of the roll, with the whole of it written anew, and of the notice. Who
    keeps their place stays served; a mandate of who loses it ends; who is new follows the topic
    like every voter. Those whose own place it is hear which."""
    before, roll = await _corrected(tx, poll, objection, correction)
    poll.roll_version += 1
    poll.roll_digest = roll_digest(roll)
    poll.eligible_heads = len(roll)
    poll.eligible_area_dm2 = sum(place.area_dm2 for place in roll)
    await write_roll(tx, poll, roll)
    await carry_proofs(tx, poll)
    await end_without_voter(tx, poll)
    await fix_manifest(tx, poll)
    await voters_follow(tx, poll)
    reason = Phrase(f"polls.notice.roll.{objection.kind.value}")
    said = Phrase("polls.notice.roll.corrected", {"version": poll.roll_version, "reason": reason})
    notice = await publish_notice(
        tx,
        poll,
        topic,
        write,
        replaces=await tx.session.get(Document, poll.notice_id),
        correction=said,
    )
    poll.notice_id = notice.id
    tx.emit(
        RollCorrected(
            community_id=poll.community_id,
            topic_id=topic.id,
            poll_id=poll.id,
            roll_version=poll.roll_version,
            roll_digest=poll.roll_digest,
        )
    )
    await _tell_touched(tx, poll, objections.touched(before, roll))


HOMES_NAMED = 3
"""Homes that a notice names; of the others it says how many there are."""


async def _tell_touched(
    tx: Transaction, poll: Poll, people: Mapping[UUID, objections.Touched]
) -> None:
    households = {one.household_id for one in people.values() if one.household_id is not None}
    codes = await household_codes(tx, households)
    for person, one in people.items():
        homes = one.unit_codes
        if one.household_id is not None:
            homes = (codes[one.household_id],)
        tx.emit(
            RollPlaceChanged(
                community_id=poll.community_id,
                person_id=person,
                topic_id=poll.topic_id,
                poll_id=poll.id,
                roll_change=one.change.value,
                home=", ".join(homes[:HOMES_NAMED]),
                homes=len(homes),
            )
        )
