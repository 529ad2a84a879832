"""What rows of a register must agree on among themselves, and who the people in them are. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from consultation.community.register_cells import Reason
from consultation.community.registers import BadCell, Register, RegisterKind, Row


@dataclass(frozen=True, slots=True)
class Mention:
    """A person as one row names them. ``cells`` are the columns of key, name and phone."""

    line: int
    cells: tuple[str, str, str]
    key: str | None
    name: str
    phone: str | None
    born_on: date | None = None

    def bad(self, cell: int, reason: Reason) -> BadCell:
        return BadCell(self.line, self.cells[cell], reason)


def mentions(register: Register, row: Row) -> tuple[Mention, ...]:
    """The people a row names, in order; of a well-formed row only."""
    match register.kind:
        case RegisterKind.UNITS:
            names = row["owner_names"] or ()
            keys = row["owner_keys"] or (None,) * len(names)
            phones = row["owner_phones"] or (None,) * len(names)
            cells = _cells(register, "owner", plural="s")
            return tuple(
                Mention(row.line, cells, key, name, phone)
                for key, name, phone in zip(keys, names, phones, strict=True)
            )
        case RegisterKind.HOUSEHOLDS:
            return _one(register, row, "representative")
        case RegisterKind.RESIDENTS | RegisterKind.ROLES:
            return _one(register, row, "person")
        case _:
            return ()


def _cells(register: Register, prefix: str, plural: str = "") -> tuple[str, str, str]:
    key, name, phone = (
        register.headers[f"{prefix}_{what}{plural}"] for what in ("key", "name", "phone")
    )
    return key, name, phone


def _one(register: Register, row: Row, prefix: str) -> tuple[Mention, ...]:
    name = row[f"{prefix}_name"]
    if name is None:
        return ()
    return (
        Mention(
            row.line,
            _cells(register, prefix),
            row[f"{prefix}_key"],
            name,
            row[f"{prefix}_phone"],
            row.values.get("born_on"),
        ),
    )


# ---- rows by themselves and beside each other ---------------------------------------------


def check_rows(register: Register) -> Iterator[BadCell]:
    """What can be said of the rows without knowing the community."""
    yield from _repeated(register, ("code",), Reason.CODE_TWICE)
    match register.kind:
        case RegisterKind.TREE:
            yield from _repeated(register, ("parent_code", "name"), Reason.NAME_TWICE)
        case RegisterKind.UNITS:
            for row in register.rows:
                yield from _check_owners(register, row)
        case RegisterKind.HOUSEHOLDS:
            for row in register.rows:
                yield from _check_household(register, row)
        case RegisterKind.ROLES:
            for row in register.rows:
                if row["valid_to"] is not None and row["valid_to"] < row["valid_from"]:
                    yield register.bad_cell(row, "valid_to", Reason.PERIOD_EMPTY)


def _repeated(register: Register, columns: tuple[str, ...], reason: Reason) -> Iterator[BadCell]:
    if columns[0] not in register.headers:
        return
    seen: set[tuple[Any, ...]] = set()
    for row in register.rows:
        value = tuple(row[column] for column in columns)
        if value in seen:
            yield register.bad_cell(row, columns[-1], reason)
        seen.add(value)


def _check_owners(register: Register, row: Row) -> Iterator[BadCell]:
    """One name per owner, as many keys and phones as names or none at all; of several owners one
    is the named voter (区分所有权解释 and domain 4.1: co-owners name one voter). Only what the
    developer has not sold may have no owner: it is one head without a name."""
    names, keys = row["owner_names"], row["owner_keys"]
    if names is None and row["developer_unsold"]:
        names = ()
    if names is None or None in names:
        yield register.bad_cell(row, "owner_names", Reason.REQUIRED)
        return
    for column in ("owner_keys", "owner_phones"):
        if row[column] is not None and len(row[column]) != len(names):
            yield register.bad_cell(row, column, Reason.OWNERS_DO_NOT_MATCH)
            return
    if len(names) <= 1:
        if row["named_voter"] is not None and row["named_voter"] not in (*names, *(keys or ())):
            yield register.bad_cell(row, "named_voter", Reason.NAMED_VOTER_UNKNOWN)
        return
    if keys is not None and len(set(keys)) < len(keys):
        yield register.bad_cell(row, "owner_keys", Reason.PERSON_TWICE)
    if row["named_voter"] is None:
        yield register.bad_cell(row, "named_voter", Reason.NAMED_VOTER_MISSING)
    elif named_voter(row) is None:
        yield register.bad_cell(row, "named_voter", Reason.NAMED_VOTER_UNKNOWN)


def named_voter(row: Row) -> int | None:
    """Which of the owners votes for the unit: named by key, or by a name only one of them has."""
    names, keys, voter = row["owner_names"] or (), row["owner_keys"] or (), row["named_voter"]
    if len(names) <= 1:
        return 0
    if voter in keys:
        return keys.index(voter)
    return names.index(voter) if names.count(voter) == 1 else None


def _check_household(register: Register, row: Row) -> Iterator[BadCell]:
    if row["occupied"] and row["adults"] == 0:
        yield register.bad_cell(row, "adults", Reason.ADULTS_MISSING)
    if row["unit_code"] is None and row["estate_code"] is None:
        yield register.bad_cell(row, "estate_code", Reason.REQUIRED)
    named = row["representative_name"] is not None
    if not named and (row["representative_key"] or row["representative_phone"]):
        yield register.bad_cell(row, "representative_name", Reason.REQUIRED)


# ---- people -------------------------------------------------------------------------------


class Roster:
    """The people of a register, each once however often they are mentioned.

    A mention is known by its key, or without one by its phone; a phone that stands beside a key
    elsewhere in the file means that person."""

    def __init__(self, every: Iterable[Mention]) -> None:
        self.bad: list[BadCell] = []
        self.people: dict[str, Mention] = {}
        """By identity; the phone is that of any mention that has one."""
        every = list(every)
        self._key_of_phone = {m.phone: m.key for m in every if m.phone and m.key}
        owner_of_phone: dict[str, str] = {}
        for mention in every:
            identity = self.identity(mention)
            if identity is None:
                self.bad.append(mention.bad(0, Reason.PERSON_NOT_IDENTIFIED))
                continue
            known = self.people.setdefault(identity, mention)
            if known.name != mention.name:
                self.bad.append(mention.bad(1, Reason.PERSON_DIFFERS))
            if mention.phone is None:
                continue
            if known.phone is None:
                self.people[identity] = mention
            elif known.phone != mention.phone:
                self.bad.append(mention.bad(2, Reason.PERSON_DIFFERS))
            if owner_of_phone.setdefault(mention.phone, identity) != identity:
                self.bad.append(mention.bad(2, Reason.PHONE_OF_ANOTHER))

    def identity(self, mention: Mention) -> str | None:
        key = mention.key or self._key_of_phone.get(mention.phone or "")
        if key:
            return f"key {key}"
        return f"phone {mention.phone}" if mention.phone else None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A person as the database knows them."""

    name: str | None
    phone_lookup: str | None
    has_key: bool
    """Whether some register names this person already; an account alone is in none."""


def recognise(
    mention: Mention, phone_lookup: str | None, by_key: Recorded | None, by_phone: Recorded | None
) -> Reason | None:
    """Whether the person of a register may be taken for the recorded ones found by key and by
    phone; None if so. Two recorded people are never joined here: that takes a grid worker."""
    if by_key is not None:
        if by_phone is not None:
            return None if by_phone is by_key else Reason.PHONE_OF_ANOTHER
        if by_key.name != mention.name and phone_lookup != by_key.phone_lookup:
            return Reason.KEY_OF_ANOTHER
        return None
    if by_phone is not None and by_phone.has_key and by_phone.name != mention.name:
        return Reason.PHONE_OF_ANOTHER
    return None
