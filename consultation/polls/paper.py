"""PAPER: numbered forms, what becomes of each of them, and when two entries agree. No I/O.

A form is printed in a block, issued to a voter against a signature, and entered by two people who
do not see one another's entry. Every form that was printed has one fate in the end; a form
without any is lost, and the poll does not reconcile (domain 4.4, trust V37).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from consultation.refusals import AlreadyDone, Invalid, NotFound, NotNow, NotPermitted


class FormFate(StrEnum):
    """What became of a printed form."""

    RETURNED = "returned"  # its ballot is in the ledger
    SPOILED = "spoiled"  # torn or ill printed, and kept; its voter may have another
    UNUSED = "unused"  # never issued to a voter
    KEPT = "kept"  # issued, and the voter did not hand it in
    LATE = "late"  # handed in, but not entered by two people before the close; not counted
    MISSING = "missing"  # nobody knows; the supervisor wrote down how it came


ISSUED_FATES = frozenset({FormFate.SPOILED, FormFate.KEPT, FormFate.LATE, FormFate.MISSING})
"""Fates that a form may meet that was issued to a voter, but for its return."""
UNISSUED_FATES = frozenset({FormFate.SPOILED, FormFate.UNUSED, FormFate.MISSING})
AFTER_THE_CLOSE = frozenset({FormFate.KEPT, FormFate.LATE, FormFate.MISSING})
BY_THE_SUPERVISOR = frozenset({FormFate.LATE, FormFate.MISSING})
"""Exceptions: a ballot that does not count, or a form that is gone, is not settled by those who
enter the forms."""


class EntryState(StrEnum):
    """How far the entry of a form has come."""

    WAITING = "waiting"  # for a second person
    DISPUTED = "disputed"  # the entries differ: a third person, with both scans
    ENTERED = "entered"  # two people agree; the ballot is in the ledger


# ---- refusals -----------------------------------------------------------------------------------


class FormsOutOfOrder(Invalid):
    """A block begins where the last one ended: a gap would look like lost forms."""

    code = "paper-forms-out-of-order"


class FormNotPrinted(NotFound):
    """No block of this poll holds that number."""

    code = "paper-form-not-printed"


class FormNotIssued(NotNow):
    """The form was not issued to a voter."""

    code = "paper-form-not-issued"


class FormIssued(AlreadyDone):
    """The form was issued already, to another voter or against another signature."""

    code = "paper-form-issued"


class FormSettled(AlreadyDone):
    """What became of the form is on record."""

    code = "paper-form-settled"


class VoterHasForm(AlreadyDone):
    """One voter, one form, unless it is spoiled."""

    code = "voter-has-paper-form"


class FateNotPossible(Invalid):
    """That cannot have become of such a form, or not yet."""

    code = "paper-fate-not-possible"


class EntryDiffers(AlreadyDone):
    """One person enters a form once; the entry was another."""

    code = "paper-entry-differs"


class BothScansNeeded(Invalid):
    """The third person looks at the scans of both others."""

    code = "paper-both-scans-needed"


class ScanOfAnotherPoll(AlreadyDone):
    """The scan was given for a paper of another poll of the community; ``scans`` says which. If
    papers of both are in one file, those of this poll are scanned anew."""

    code = "paper-scan-of-another-poll"


class SecondStaffNeeded(NotPermitted):
    """At the voter's door, and where staff help, there are two members of staff."""

    code = "second-staff-needed"


# ---- entries ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """What one person read on a form, as a keyed digest: nobody can see it, everybody can compare.
    ``readable`` is false of a form that they could not read."""

    person_id: UUID
    by_teller: bool
    readable: bool
    content: str
    scans: tuple[str, ...] = ()


def state_of(entries: Sequence[Entry]) -> EntryState | None:
    """How far a form is, after its entries in the order in which they came; None before the first.

    Two equal entries settle it. That a form cannot be read must be said by two tellers.
    """
    if not entries:
        return None
    last = entries[-1]
    equal = [one for one in entries if (one.readable, one.content) == (last.readable, last.content)]
    if not last.readable:
        equal = [one for one in equal if one.by_teller]
    if len({one.person_id for one in equal}) >= 2:
        return EntryState.ENTERED
    return EntryState.WAITING if len(entries) == 1 else EntryState.DISPUTED


def repeated(entries: Sequence[Entry], entry: Entry) -> bool:
    """Whether somebody enters again what they have entered. Refuses with EntryDiffers."""
    mine = next((one for one in entries if one.person_id == entry.person_id), None)
    if mine is None:
        return False
    if (mine.readable, mine.content) != (entry.readable, entry.content):
        raise EntryDiffers()
    return True


def check_scans(earlier: Sequence[Entry], scans: Sequence[str]) -> None:
    """The first two each give the scan that they read; whoever comes after them has read both.

    The two may read one scan, or each a scan of their own, and a scan may show a batch of forms:
    a digest does not say what is to be seen. Of another poll's papers it is no scan
    (``ScanOfAnotherPoll``)."""
    if len(earlier) < 2:
        return
    missing = {scan for entry in earlier[:2] for scan in entry.scans} - set(scans)
    if missing:
        raise BothScansNeeded(scans=sorted(missing))


def check_fate(
    fate: FormFate, *, issued: bool, entered: bool, closed: bool, supervisor: bool
) -> None:
    """``entered``: somebody entered the form, so it is in the box and cannot be spoiled or kept."""
    problem = None
    if fate not in (ISSUED_FATES if issued else UNISSUED_FATES):
        problem = "not_of_such_a_form"
    elif entered and fate is not FormFate.LATE:
        problem = "entered"
    elif fate in AFTER_THE_CLOSE and not closed:
        problem = "not_closed"
    elif fate in BY_THE_SUPERVISOR and not supervisor:
        problem = "for_the_supervisor"
    if problem is not None:
        raise FateNotPossible(problem=problem)
