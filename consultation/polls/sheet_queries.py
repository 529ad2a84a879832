"""SQL on the sheets of a confidential poll. No statement asks for a voter or a form."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, func, select

from consultation.database import Transaction
from consultation.polls.envelope_queries import kept_of
from consultation.polls.paper import Entry, EntryState, state_of
from consultation.polls.precedence import ON_PAPER
from consultation.polls.sheet_tables import SealedSheet, SheetEntry
from consultation.polls.tables import Poll


async def envelopes_on_paper(tx: Transaction, poll: Poll) -> int:
    """How many voters' ballots are envelopes on paper; after the close that is how many sheets
    there are."""
    kept = kept_of(poll)
    rows = await tx.session.exec(
        select(func.count()).where(kept.poll_id == poll.id, col(kept.channel).in_(ON_PAPER))
    )
    return rows.one()


async def sealed_sheets(tx: Transaction, poll_id: UUID) -> int:
    rows = await tx.session.exec(select(func.count()).where(SealedSheet.poll_id == poll_id))
    return rows.one()


async def entries_of_sheet(tx: Transaction, poll: Poll, sheet: int) -> list[Entry]:
    """The entries of a sheet in the order in which they came."""
    rows = await tx.session.exec(
        select(SheetEntry)
        .where(SheetEntry.poll_id == poll.id, SheetEntry.sheet == sheet)
        .order_by(col(SheetEntry.entry_no))
    )
    return [_entry(row) for row in rows]


def _entry(row: SheetEntry) -> Entry:
    return Entry(row.person_id, row.by_teller, row.readable, row.content, tuple(row.scans))


async def take_sheets(tx: Transaction, poll_id: UUID) -> list[bytes]:
    """Take out what was sealed of sheets. Only the opening may ask, with the poll held alone."""
    rows = await tx.session.exec(
        select(SealedSheet.sealed)
        .where(SealedSheet.poll_id == poll_id)
        .order_by(col(SealedSheet.sealed))
    )
    sealed = list(rows)
    await delete_sheets(tx, poll_id)
    return sealed


async def delete_sheets(tx: Transaction, poll_id: UUID) -> None:
    """Delete what was sealed of sheets, unread."""
    await tx.session.exec(delete(SealedSheet).where(col(SealedSheet.poll_id) == poll_id))


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A sheet as staff see it. ``scans`` is empty unless a third person is needed."""

    sheet: int
    state: EntryState | None
    scans: tuple[str, ...]


async def sheets_page(tx: Transaction, poll: Poll, *, after: int, limit: int) -> list[SheetRow]:
    """Sheets after a number; two statements however many there are."""
    last = min(after + limit, await envelopes_on_paper(tx, poll))
    rows = await tx.session.exec(
        select(SheetEntry)
        .where(SheetEntry.poll_id == poll.id, col(SheetEntry.sheet).between(after + 1, last))
        .order_by(col(SheetEntry.sheet), col(SheetEntry.entry_no))
    )
    found: dict[int, list[Entry]] = {}
    for row in rows:
        found.setdefault(row.sheet, []).append(_entry(row))
    return [_row(sheet, found.get(sheet, [])) for sheet in range(after + 1, last + 1)]


def _row(sheet: int, entries: list[Entry]) -> SheetRow:
    state = state_of(entries)
    disputed = state is EntryState.DISPUTED
    scans = sorted({scan for one in entries for scan in one.scans}) if disputed else []
    return SheetRow(sheet=sheet, state=state, scans=tuple(scans))


async def sheets_entered(tx: Transaction, poll: Poll) -> dict[int, bool]:
    """The sheets that two people entered alike, and whether they could be read."""
    rows = await tx.session.exec(
        select(SheetEntry)
        .where(SheetEntry.poll_id == poll.id)
        .order_by(col(SheetEntry.sheet), col(SheetEntry.entry_no))
    )
    found: dict[int, list[Entry]] = {}
    for row in rows:
        found.setdefault(row.sheet, []).append(_entry(row))
    return {
        sheet: entries[-1].readable
        for sheet, entries in found.items()
        if state_of(entries) is EntryState.ENTERED
    }
