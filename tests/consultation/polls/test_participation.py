"""What the meter calls taking part is what the preset does: with invalid ballots or without."""

from datetime import timedelta
from uuid import UUID

import pytest

from api.phrases import write
from api.routes.poll_shapes import PollOut, poll_out
from consultation.permissions import Deed
from consultation.polls import hands
from consultation.polls.commands import drafting
from consultation.polls.counting import Count
from consultation.polls.presets import BallotMode, Duplicates, InvalidBallots
from consultation.polls.queries import access_poll, participation, turnout, turnouts_shown
from consultation.polls.tables import Poll
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_hands import count as count_hands
from tests.consultation.polls.test_hands import meeting_poll, totals
from tests.consultation.polls.test_paper import CLERK, ONE, TWO, enter, issue, print_forms, report

OUT, IN = InvalidBallots.NOT_PARTICIPATING, InvalidBallots.PARTICIPATING


async def unreadable(stage: Stage, poll_id: UUID, form: int, *, number: int | None = None) -> None:
    """The voter in a place (of the same number) hands in a form that two tellers cannot read."""
    await issue(stage, poll_id, form, number or form)
    await enter(stage, poll_id, form, ONE, None)
    await enter(stage, poll_id, form, TWO, None)


async def shown(stage: Stage, poll_id: UUID) -> PollOut:
    async with stage.db.read(stage.world.as_(*CLERK)) as tx:
        poll, _ = await access_poll(tx, poll_id, Deed.READ_PUBLIC)
        return await poll_out(tx, poll, "en")


async def counted(stage: Stage, poll_id: UUID) -> tuple[Count, Count, Count]:
    """All who cast a ballot, all who take part, and what the live channel shows of them."""
    async with stage.db.read() as tx:
        poll = await tx.session.get_one(Poll, poll_id)
        live = (await turnouts_shown(tx, [poll_id]))[poll_id]
        return await turnout(tx, poll_id), await participation(tx, poll), live


@pytest.mark.parametrize("invalid", [OUT, IN])
async def test_the_meter_counts_invalid_ballots_as_the_preset_does(
    stage: Stage, invalid: InvalidBallots
) -> None:
    poll, _ = await stage.household_poll(
        9, mode=BallotMode.NAMED, rule={"invalid": invalid}
    )  # five are needed
    voter = {one.number: one.person_id for one in (await stage.roll(poll.id)).values()}
    await stage.vote(poll.id, [voter[n] for n in (1, 2, 3, 4)], "ffff")
    await print_forms(stage, poll.id, 1, 9)
    await unreadable(stage, poll.id, 5)

    reached = invalid is IN
    takes_part = Count(heads=5 if reached else 4)
    assert await counted(stage, poll.id) == (Count(heads=5), takes_part, takes_part)
    out = await shown(stage, poll.id)
    assert out.turnout == takes_part
    assert [check.reached for check in out.turnout_progress] == [reached]
    assert (await report(stage, poll.id)).voters == 5

    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.participating == takes_part  # the count says what the meter said
    assert closed.result.quorum_reached is reached
    assert (await shown(stage, poll.id)).turnout == takes_part


async def test_the_areas_of_invalid_ballots_are_left_out_of_the_meter(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners[6:], "ffffff")
    await print_forms(stage, poll.id, 1, 4)
    before = await shown(stage, poll.id)
    for form in (1, 2):
        await unreadable(stage, poll.id, form)
    after = await shown(stage, poll.id)
    assert after.meter == before.meter == "The turnout still needs 2 heads and 142.55 m²."
    assert after.turnout == Count(heads=6, area_dm2=3 * 14255)
    await stage.vote(poll.id, [owners[0]], "f")  # the phone prevails over the sheet
    assert (await shown(stage, poll.id)).turnout == Count(heads=7, area_dm2=3 * 14255 + 6835)
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.participating == Count(heads=7, area_dm2=3 * 14255 + 6835)
    assert closed.result.invalid == Count(heads=1, area_dm2=7420)


async def test_a_ballot_beside_one_that_cannot_be_read_goes_on_taking_part(stage: Stage) -> None:
    poll, _ = await stage.household_poll(
        5, mode=BallotMode.NAMED, rule={"invalid": OUT, "duplicates": Duplicates.PAPER_PREVAILS}
    )
    voter = {one.number: one.person_id for one in (await stage.roll(poll.id)).values()}
    await stage.vote(poll.id, [voter[1], voter[2]], "ff")
    await print_forms(stage, poll.id, 1, 3)
    await unreadable(stage, poll.id, 1)
    assert await counted(stage, poll.id) == (Count(heads=2),) * 3


async def test_an_extension_is_for_turnout_as_the_preset_means_it(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners[5:], "f" * 7)
    await print_forms(stage, poll.id, 1, 4)
    await unreadable(stage, poll.id, 1)  # the eighth of eight that are needed, and no valid one
    later = poll.closes_at + timedelta(days=7)
    async with stage.db.begin(stage.secretary) as tx:
        extended = await drafting.extend_poll(
            tx, poll.id, closes_at=later, reason="参与不足", write=write
        )
    assert extended.closes_at == later


async def test_hands_are_not_counted_beside_an_invalid_ballot(stage: Stage) -> None:
    poll, members = await meeting_poll(stage)
    roll = (await stage.roll(poll.id)).values()
    here = next(place.number for place in roll if place.person_id == members[0])
    await print_forms(stage, poll.id, 1, 2)
    await unreadable(stage, poll.id, 1, number=here)
    with pytest.raises(hands.HandsOrBallots):
        await count_hands(stage, poll, 55, totals((30, 20, 5), (20, 30, 5)), members[:2])
