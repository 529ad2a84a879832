"""The table of permissions is the one that is written out, cell by cell."""

from pathlib import Path

import pytest

from consultation.permissions import ALLOWED, Deed, Grant, Role, check
from consultation.refusals import NotPermitted

MATRIX = Path(__file__).with_name("permission_matrix.txt")
COLUMNS = {
    "V": Role.VISITOR,
    "R": Role.RESIDENT,
    "St": Role.STAKEHOLDER,
    "Rep": Role.REPRESENTATIVE,
    "GW": Role.GRID_WORKER,
    "CK": Role.CLERK,
    "PS": Role.PARTY_SECRETARY,
    "CH": Role.COMMITTEE_HEAD,
    "HO": Role.HOST,
    "TE": Role.TELLER,
    "SU": Role.SUPERVISOR,
    "OC": Role.OWNERS_COMMITTEE,
    "PM": Role.PROPERTY_COMPANY,
    "GA": Role.GOVERNMENT,
    "IN": Role.INSPECTOR,
    "SA": Role.SYSTEM_ADMIN,
    "DP": Role.DATA_OFFICER,
    "SY": Role.SYSTEM,
}
MARKS = {"y": Grant.YES, "o": Grant.OWN, "s": Grant.SECOND, "-": None}


def matrix() -> dict[tuple[Deed, Role], Grant | None]:
    """Every cell of the file; a deed, role or mark it does not know is an error."""
    cells: dict[tuple[Deed, Role], Grant | None] = {}
    roles: list[Role] = []
    for line in MATRIX.read_text("utf-8").splitlines():
        if line.startswith("#"):
            titles = line.lstrip("# ").split()
            roles = [COLUMNS[title] for title in titles] if set(titles) == set(COLUMNS) else roles
            continue
        deed, *marks = line.partition("#")[0].split()
        for role, mark in zip(roles, marks, strict=True):
            assert (Deed(deed), role) not in cells, f"{deed} stands twice"
            cells[Deed(deed), role] = MARKS[mark]
    return cells


def test_the_matrix_has_every_deed_and_every_role() -> None:
    assert set(COLUMNS.values()) == set(Role)
    assert matrix().keys() == {(deed, role) for deed in Deed for role in Role}


def test_what_is_written_is_allowed_and_what_is_allowed_is_written() -> None:
    allowed = {(deed, role): grant for deed in ALLOWED for role, grant in ALLOWED[deed].items()}
    written = {cell: grant for cell, grant in matrix().items() if grant is not None}

    assert {cell: grant for cell, grant in written.items() if allowed.get(cell) is not grant} == {}
    assert {cell: grant for cell, grant in allowed.items() if written.get(cell) is not grant} == {}


@pytest.mark.parametrize("deed", Deed)
def test_check_lets_through_what_the_matrix_says_and_nothing_else(deed: Deed) -> None:
    for role in Role:
        grant = matrix()[deed, role]
        if grant is None:
            with pytest.raises(NotPermitted):
                check(deed, role)
        else:
            assert check(deed, role) is grant


def test_the_promises_about_separation_hold_in_the_table() -> None:
    """No content and no ballots for the administrator; no names of voters for the company."""
    cells = matrix()
    assert {deed for deed in Deed if cells[deed, Role.SYSTEM_ADMIN]} == {
        Deed.READ_PUBLIC,
        Deed.GRANT_ROLE,
        Deed.BAR_ACCOUNT,
        Deed.MEND_DELIVERIES,
    }
    assert cells[Deed.SEE_NAMED_CHOICES, Role.PROPERTY_COMPANY] is None
    for deed in (Deed.CAST_BALLOT, Deed.ENTER_PAPER, Deed.SIGN_COUNT, Deed.READ_REGISTER):
        assert cells[deed, Role.PROPERTY_COMPANY] is None
    assert {role for role in Role if cells[Deed.SIGN_COUNT, role]} == {Role.TELLER}
    assert {deed for deed in Deed if cells[deed, Role.VISITOR]} == {Deed.READ_PUBLIC}
