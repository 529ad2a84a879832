"""Taking over a register: whole or not at all, and the same file twice changes nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import select

from consultation.community.commands.register_homes import take_households, take_units
from consultation.community.commands.register_residents import take_residents
from consultation.community.commands.register_roles import take_roles
from consultation.community.commands.register_tree import take_organisations, take_tree
from consultation.community.register_checks import check_rows
from consultation.community.registers import (
    Outcome,
    Register,
    RegisterKind,
    RegisterRefused,
    SizeWarning,
)
from consultation.community.rules import COMMUNITIES, CommunityUnknown
from consultation.community.tables import Node, RegisterImport
from consultation.database import Transaction
from consultation.events.community import RegisterImported
from consultation.permissions import Deed, check

Take = Callable[[Transaction, Node, Register, Outcome], Awaitable[None]]
TakeHomes = Callable[[Transaction, Node, Register, Outcome, str], Awaitable[None]]

_TAKE: Mapping[RegisterKind, Take] = {
    RegisterKind.ORGANISATIONS: take_organisations,
    RegisterKind.RESIDENTS: take_residents,
    RegisterKind.ROLES: take_roles,
}
_TAKE_HOMES: Mapping[RegisterKind, TakeHomes] = {
    RegisterKind.UNITS: take_units,
    RegisterKind.HOUSEHOLDS: take_households,
}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many rows the file had, and what became of them. ``kept`` are codes of homes whose people
    named another voter than the file does, who stays."""

    community_id: UUID
    kind: RegisterKind
    rows: int
    added: int
    changed: int
    unchanged: int
    warnings: tuple[SizeWarning, ...]
    kept: tuple[str, ...] = ()


async def import_register(
    tx: Transaction, register: Register, *, community_code: str, digest: str
) -> ImportReport:
    """Bring the community to what the register says. Rows that the file does not have stay.

    ``digest``: SHA-256 (hex) of the file. Imports of one community run one after the other.
    Refuses with CommunityUnknown, or RegisterRefused with every bad cell.
    """
    check(Deed.IMPORT_REGISTER, tx.standing.role)
    outcome = Outcome(bad=[*register.bad, *check_rows(register)])
    register = register.without({cell.line for cell in outcome.bad})
    community = await _community(tx, community_code)
    if register.kind is RegisterKind.TREE:
        community = await take_tree(tx, community_code, register, outcome)
    elif community is None:
        raise CommunityUnknown(community=community_code)
    elif register.kind in _TAKE_HOMES:
        await _TAKE_HOMES[register.kind](tx, community, register, outcome, digest)
    else:
        await _TAKE[register.kind](tx, community, register, outcome)
    if outcome.bad or community is None:
        raise RegisterRefused(register.kind, outcome.bad)

    changed = outcome.added + outcome.changed
    if changed:
        tx.session.add(
            RegisterImport(
                id=tx.new_id(),
                community_id=community.id,
                kind=register.kind.value,
                digest=digest,
                rows=len(register.rows),
                changed=changed,
                at=tx.now,
                by_id=tx.actor.person_id,
            )
        )
        tx.emit(
            RegisterImported(
                community_id=community.id, kind=register.kind.value, rows=len(register.rows)
            )
        )
    return ImportReport(
        community_id=community.id,
        kind=register.kind,
        rows=len(register.rows),
        added=outcome.added,
        changed=outcome.changed,
        unchanged=outcome.unchanged,
        warnings=tuple(outcome.warnings),
        kept=tuple(outcome.kept),
    )


async def _community(tx: Transaction, code: str) -> Node | None:
    found = await tx.session.exec(select(Node).where(Node.code == code).with_for_update())
    node = found.first()
    return node if node is not None and node.kind in COMMUNITIES else None
