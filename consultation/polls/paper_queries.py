"""SQL on paper forms."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import and_, col, func, select

from consultation.database import Transaction
from consultation.polls.envelope_queries import kept_of
from consultation.polls.paper import Entry, EntryState, FormFate, state_of
from consultation.polls.paper_tables import PaperBlock, PaperEntry, PaperFate, PaperIssue, PaperScan
from consultation.polls.precedence import ON_PAPER
from consultation.polls.presets import BallotMode
from consultation.polls.tables import Poll, RollEntry
from consultation.topics.lookups import insert_missing


async def last_printed(tx: Transaction, poll: Poll) -> int:
    """The highest form number there is; 0 without any."""
    rows = await tx.session.exec(
        select(func.max(PaperBlock.last)).where(PaperBlock.poll_id == poll.id)
    )
    return rows.one() or 0


async def issue_of(
    tx: Transaction, poll: Poll, form: int, *, lock: bool = False
) -> PaperIssue | None:
    """To whom a form went. Locked, its entries wait for one another."""
    statement = select(PaperIssue).where(PaperIssue.poll_id == poll.id, PaperIssue.form == form)
    rows = await tx.session.exec(statement.with_for_update() if lock else statement)
    return rows.first()


async def live_form(tx: Transaction, poll: Poll, number: int) -> int | None:
    """The form that the voter in a place holds or handed in; a spoiled one is none."""
    rows = await tx.session.exec(
        select(PaperIssue.form)
        .outerjoin(
            PaperFate,
            and_(
                col(PaperFate.poll_id) == col(PaperIssue.poll_id),
                col(PaperFate.form) == col(PaperIssue.form),
            ),
        )
        .where(
            PaperIssue.poll_id == poll.id,
            PaperIssue.number == number,
            col(PaperFate.fate).is_(None) | (col(PaperFate.fate) != FormFate.SPOILED),
        )
    )
    return rows.first()


async def fate_of(tx: Transaction, poll: Poll, form: int) -> PaperFate | None:
    return await tx.session.get(PaperFate, (poll.id, form))


async def entries_of(tx: Transaction, poll: Poll, form: int) -> list[Entry]:
    """The entries of a form in the order in which they came."""
    rows = await tx.session.exec(
        select(PaperEntry)
        .where(PaperEntry.poll_id == poll.id, PaperEntry.form == form)
        .order_by(col(PaperEntry.entry_no))
    )
    return [_entry(row) for row in rows]


def _entry(row: PaperEntry) -> Entry:
    return Entry(row.person_id, row.by_teller, row.readable, row.content, tuple(row.scans))


async def scans_of_others(tx: Transaction, poll: Poll, scans: Sequence[str]) -> list[str]:
    """Note that scans show papers of this poll; returns those that were noted for another of the
    community. The primary key judges, also when two come at once."""
    for scan in sorted(set(scans)):
        await insert_missing(
            tx, PaperScan, community_id=poll.community_id, sha256=scan, poll_id=poll.id
        )
    others = await tx.session.exec(
        select(PaperScan.sha256).where(
            PaperScan.community_id == poll.community_id,
            col(PaperScan.sha256).in_(scans),
            PaperScan.poll_id != poll.id,
        )
    )
    return sorted(others)


async def forms_between(
    tx: Transaction, poll: Poll, first: int, last: int
) -> tuple[dict[int, PaperIssue], set[int], dict[int, PaperFate]]:
    """Of the forms ``first`` to ``last``: the issues, which are entered, and the fates."""
    issues = await tx.session.exec(
        select(PaperIssue).where(
            PaperIssue.poll_id == poll.id, col(PaperIssue.form).between(first, last)
        )
    )
    entered = await tx.session.exec(
        select(PaperEntry.form).where(
            PaperEntry.poll_id == poll.id, col(PaperEntry.form).between(first, last)
        )
    )
    fates = await tx.session.exec(
        select(PaperFate).where(
            PaperFate.poll_id == poll.id, col(PaperFate.form).between(first, last)
        )
    )
    return ({row.form: row for row in issues}, set(entered), {row.form: row for row in fates})


@dataclass(frozen=True, slots=True)
class FormRow:
    """A printed form as staff see it. ``scans`` is empty unless a third person is needed.
    ``to_open`` says of an envelope of a confidential poll, after the close, whether it is to be
    opened."""

    form: int
    number: int | None
    state: EntryState | None
    fate: FormFate | None
    scans: tuple[str, ...]
    to_open: bool | None = None


async def forms_page(tx: Transaction, poll: Poll, *, after: int, limit: int) -> list[FormRow]:
    """Printed forms after a number; five statements however many there are."""
    last = min(after + limit, await last_printed(tx, poll))
    if last <= after:
        return []
    issues, _, fates = await forms_between(tx, poll, after + 1, last)
    entries = await _entries_between(tx, poll, after + 1, last)
    over = poll.mode is BallotMode.CONFIDENTIAL and poll.closed_at is not None
    on_paper = await _on_paper(tx, poll, [one.number for one in issues.values()]) if over else None
    rows = []
    for form in range(after + 1, last + 1):
        issue, fate, made = issues.get(form), fates.get(form), entries.get(form, [])
        state = state_of(made)
        open_ = fate is None and state is EntryState.DISPUTED
        scans = sorted({scan for entry in made for scan in entry.scans}) if open_ else []
        rows.append(
            FormRow(
                form=form,
                number=None if issue is None else issue.number,
                state=state,
                fate=None if fate is None else fate.fate,
                scans=tuple(scans),
                to_open=None
                if on_paper is None or fate is None or fate.fate is not FormFate.RETURNED
                else issue is not None and issue.number in on_paper,
            )
        )
    return rows


async def _on_paper(tx: Transaction, poll: Poll, numbers: Sequence[int]) -> set[int]:
    """Of these places, those whose ballot is an envelope on paper."""
    kept = kept_of(poll)
    rows = await tx.session.exec(
        select(RollEntry.number)
        .join(kept, col(kept.roll_entry_id) == col(RollEntry.id))
        .where(
            kept.poll_id == poll.id,
            col(kept.channel).in_(ON_PAPER),
            col(RollEntry.number).in_(numbers),
        )
    )
    return set(rows)


async def _entries_between(
    tx: Transaction, poll: Poll, first: int, last: int
) -> dict[int, list[Entry]]:
    rows: Sequence[PaperEntry] = list(
        await tx.session.exec(
            select(PaperEntry)
            .where(PaperEntry.poll_id == poll.id, col(PaperEntry.form).between(first, last))
            .order_by(col(PaperEntry.form), col(PaperEntry.entry_no))
        )
    )
    found: dict[int, list[Entry]] = {}
    for row in rows:
        found.setdefault(row.form, []).append(_entry(row))
    return found
