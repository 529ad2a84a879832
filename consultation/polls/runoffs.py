"""RUN-OFFS 另行选举: for the seats that an election left open, among those who stand again. No I/O
(村民委员会组织法 art. 15)."""

from collections.abc import Collection, Sequence
from uuid import UUID

from consultation.polls.results import Result
from consultation.polls.rules import Candidate, PollItem
from consultation.refusals import Invalid


class RunoffInvalid(Invalid):
    """A run-off follows a published election of the same topic and place: for the seats left open
    there, under the same words, with candidates who stand again. ``problem`` says what is not so.
    """

    code = "runoff-invalid"


def check_runoff(
    items: Sequence[PollItem],
    candidates: Collection[Candidate],
    *,
    before: tuple[Sequence[PollItem], Collection[Candidate], Result] | None,
) -> None:
    """``before``: items, candidates and result of the last election. Who stands for an option may
    not be known yet while a poll is drafted. Refuses with RunoffInvalid."""
    if before is None:
        raise RunoffInvalid(problem="no_election")
    former, stood, result = before
    numbers = {item.text: item.number for item in former}
    counts = {count.number: count for count in result.items}
    for item in items:
        count = counts.get(numbers.get(item.text, 0))
        if count is None or not count.runoff:
            raise RunoffInvalid(problem="nothing_open", item=item.number)
        if item.seats != count.open_seats:
            raise RunoffInvalid(problem="seats", item=item.number)
        again = {
            one.person_id for one in stood if one.item == count.number and one.code in count.runoff
        }
        if len(item.options) > len(count.runoff) or not _standing(item, candidates) <= again:
            raise RunoffInvalid(problem="candidates", item=item.number)


def _standing(item: PollItem, candidates: Collection[Candidate]) -> set[UUID]:
    return {one.person_id for one in candidates if one.item == item.number}
