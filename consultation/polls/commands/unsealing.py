"""The opening of the box 开箱: after the close of a confidential poll two tellers and a supervisor
confirm, and with the third of them envelopes and ballots are separated, opened, ordered by tracker
and counted, in one transaction. What must not remain is destroyed after its commit (``erasure``).

Nothing else in the product asks for the private key of a box.
"""

from uuid import UUID

from consultation.box_keys import BoxKeyLost, public_key
from consultation.database import Transaction
from consultation.events.polls import PollBoxOpened, PollOpenerCame
from consultation.permissions import Deed, Role, check
from consultation.polls import envelope_queries, envelopes, rules, sheet_queries, sheets
from consultation.polls.commands import erasure
from consultation.polls.commands.closing import store_count
from consultation.polls.commands.recording import finish_board
from consultation.polls.counting import Vote
from consultation.polls.envelope_tables import BoxOpener
from consultation.polls.presets import BallotMode
from consultation.polls.queries import Hold, access_poll, check_impartial, frozen_roll
from consultation.polls.rolls import roll_digest
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll, SignerRole
from consultation.refusals import AlreadyDone
from consultation.topics.bodies import TELLERS_NEEDED


async def confirm_opening(tx: Transaction, poll_id: UUID) -> Poll:
    """A teller or a supervisor confirms that the box is to be opened; the third one needed opens
    it. Confirming again changes nothing.

    Refuses with NoBox, BoxNotClosed, NotImpartial, SheetsNotEntered, BoxKeyUnusable, or AlreadyDone
    for a second confirmation of one person in another role.
    """
    poll, topic = await access_poll(tx, poll_id, Deed.READ_PUBLIC, hold=Hold.TOPIC_AND_POLL)
    witness = tx.standing.role is Role.SUPERVISOR
    check(Deed.WITNESS_COUNT if witness else Deed.SIGN_COUNT, tx.standing.role)
    role = SignerRole.SUPERVISOR if witness else SignerRole.TELLER
    if poll.mode is not BallotMode.CONFIDENTIAL:
        raise rules.NoBox(mode=poll.mode.value)
    came = await envelope_queries.openers(tx, poll.id)
    mine = next((one for one in came if one.person_id == tx.person_id), None)
    if mine is not None and mine.role is not role:
        raise AlreadyDone()
    if mine is not None and poll.box_opened_at is not None:
        return poll
    if poll.state is not PollState.CLOSED or poll.box_opened_at is not None:
        raise rules.BoxNotClosed(state=poll.state.value)
    await check_impartial(tx, poll, topic)
    about = {"community_id": poll.community_id, "topic_id": topic.id, "poll_id": poll.id}
    if mine is None:
        mine = BoxOpener(
            poll_id=poll.id,
            person_id=tx.person_id,
            community_id=poll.community_id,
            role=role,
            at=tx.now,
        )
        tx.session.add(mine)
        await tx.session.flush()
        came.append(mine)
        tx.emit(PollOpenerCame(**about, role=role.value))
    roles = [one.role for one in came]
    if roles.count(SignerRole.TELLER) >= TELLERS_NEEDED and SignerRole.SUPERVISOR in roles:
        await _open(tx, poll)
        tx.emit(PollBoxOpened(**about))
    return poll


async def _open(tx: Transaction, poll: Poll) -> None:
    """Count what is in the box. The key is read after everything else was checked, and first it
    must be the announced one: with a wrong key every ballot would look invalid."""
    roll = await frozen_roll(tx, poll)
    if roll_digest(list(roll.values())) != poll.roll_digest:
        raise RuntimeError("the roll is not the one that was announced")
    sheets.check_entered(
        await sheet_queries.sealed_sheets(tx, poll.id),
        envelopes=await sheet_queries.envelopes_on_paper(tx, poll),
    )
    try:
        private_key = await tx.box_keys.open(poll.id)
    except BoxKeyLost:
        raise rules.BoxKeyUnusable() from None
    if public_key(private_key).hex() != poll.box_public_key:
        raise rules.BoxKeyUnusable()
    await finish_board(tx, poll)  # the envelopes are on it before they are destroyed
    poll.envelopes_replaced = await envelope_queries.count_replaced(tx, poll.id)
    contents = await envelope_queries.take_contents(tx, poll)
    contents += await sheet_queries.take_sheets(tx, poll.id)
    found = [
        envelopes.unseal(private_key, poll_id=poll.id, items=poll.items, sealed=sealed)
        for sealed in contents
    ]
    ballots = envelopes.order_of_the_board(found)

    await envelope_queries.put_on_list(tx, poll, ballots)
    store_count(poll, roll, [Vote(voter=None, choices=choices) for _, choices in ballots])
    poll.box_opened_at = tx.now
    await erasure.order(tx, poll)
