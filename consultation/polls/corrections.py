"""CORRECTIONS: when a stored count is replaced, and when a poll is annulled. No I/O (domain 3.3:
the side states recounting, voided and re-run)."""

from datetime import datetime

from consultation.polls.rules import NotCounted, PollState, Verdict
from consultation.refusals import Invalid, NotNow, NotPermitted
from consultation.topics.states import State

REASON_LEAST = 10
"""Characters of a reason that says something [P]."""


class CountStands(NotNow):
    """The ledger gives the count that is stored: there is nothing to correct."""

    code = "count-stands"


class CorrectionTooLate(NotNow):
    """The topic went on under the published result, or would stand elsewhere under the new one: a
    court or the assembly annuls such a decision (T29)."""

    code = "correction-too-late"


class CorrectionReasonMissing(Invalid):
    """Why a count is corrected or a poll annulled is read by everybody."""

    code = "correction-reason-missing"


class AnnulmentNeedsSecondPerson(NotPermitted):
    """Who asks for the annulment does not confirm it."""

    code = "annulment-needs-second-person"


class AnnulmentSuperseded(NotNow):
    """Another reason was given since."""

    code = "annulment-superseded"


def check_reason(reason: str) -> None:
    if len(reason.strip()) < REASON_LEAST:
        raise CorrectionReasonMissing(least=REASON_LEAST)


def check_correctable(
    state: PollState,
    *,
    stored: Verdict,
    found: Verdict,
    topic: State,
    same_round: bool,
    followed: bool,
) -> None:
    """Before the publication always; after it while the objection period of this result runs, if
    the topic stands where the new result would have brought it. ``followed``: the topic followed
    this count, and no certificate of another system."""
    if state is PollState.CLOSED or not followed:
        return
    stays = (stored is Verdict.NO_QUORUM) == (found is Verdict.NO_QUORUM)
    if not (same_round and stays and topic in (State.OUTCOME_PUBLIC, State.NO_QUORUM)):
        raise CorrectionTooLate(state=topic.value)


def check_annullable(state: PollState, closes_at: datetime, now: datetime) -> None:
    """After the close and before the publication: nobody annuls a vote that runs, and a published
    result is for a court or the assembly."""
    stuck = state is PollState.OPEN and now >= closes_at
    if not (stuck or state is PollState.CLOSED):
        raise NotCounted(state=state.value)
