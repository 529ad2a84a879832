"""AN ELECTION by approval: each ballot names up to ``most`` candidates, none of these, or abstains;
``seats`` are to be filled (domain 4.4; 村民委员会组织法 art. 15).

1. A candidate qualifies who reaches every approval threshold.
2. Qualified candidates stand in the order of their votes (heads, of equal heads area where the
   preset counts it). If there are no more than seats, all are elected.
3. If there are more, those with most votes are. Candidates who are equal at the last seat are not:
   they stand again among themselves for the seats that are left. No lot, no casting vote.
4. If fewer qualified than there are seats, all remaining candidates stand again for the open seats.

All seats filled: passed. Some: partly passed. None: not passed.
"""

from consultation.polls.methods.counted import Counted, approval_steps, reaches
from consultation.polls.results import ItemResult, Step
from consultation.polls.rules import Verdict


def decide(counted: Counted) -> ItemResult:
    tallies = counted.tallies(counted.options)
    seats = counted.item.seats or 1
    elected: list[str] = []
    tied: list[str] = []
    runoff: list[str] = []
    steps: list[Step] = []
    if counted.undecided is None:
        order = sorted(counted.options, key=counted.rank, reverse=True)
        qualified = {one.code for one in tallies if one.approval and reaches(one)}
        elected, tied = _fill(counted, [code for code in order if code in qualified], seats)
        runoff = tied
        if not tied and len(elected) < seats:
            runoff = [code for code in order if code not in elected]
        by_code = {one.code: one for one in tallies}
        steps = [step for code in order for step in approval_steps(by_code[code])]
        steps += [
            Step(key="elected", facts={"option": code, "seat": seat, "seats": seats})
            for seat, code in enumerate(elected, 1)
        ]
        if tied:
            steps.append(Step(key="tied_at_the_last_seat", facts={"options": tied}))
        if runoff:
            facts: dict[str, str | int | list[str]] = {
                "options": runoff,
                "seats": seats - len(elected),
            }
            steps.append(Step(key="runoff", facts=facts))
    return ItemResult(
        number=counted.item.number,
        kind=counted.item.kind,
        tallies=tallies,
        verdict=counted.undecided or _verdict(counted, len(elected), seats),
        chosen=elected,
        leading=counted.leading(),
        tied=tied,
        runoff=runoff,
        open_seats=seats - len(elected),
        steps=steps,
    )


def _fill(counted: Counted, qualified: list[str], seats: int) -> tuple[list[str], list[str]]:
    """The elected and those who are equal at the last seat; ``qualified`` is in order."""
    if len(qualified) <= seats:
        return qualified, []
    last = counted.rank(qualified[seats - 1])
    if counted.rank(qualified[seats]) != last:
        return qualified[:seats], []
    return (
        [code for code in qualified if counted.rank(code) > last],
        [code for code in qualified if counted.rank(code) == last],
    )


def _verdict(counted: Counted, filled: int, seats: int) -> Verdict:
    if 0 < filled < seats:
        return Verdict.PARTLY_PASSED if counted.preset.binding else Verdict.PARTLY_SUPPORTED
    return counted.verdict(filled == seats)
