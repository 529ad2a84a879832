from datetime import UTC, datetime, timedelta

import pytest

from consultation.community.rules import (
    GRANTABLE,
    CompanyCannotCount,
    Office,
    PeriodEmpty,
    RelativeCannotSupervise,
    RoleNotYours,
    RolesExclude,
    SecondPersonNeeded,
    check_grantable,
    check_period,
    check_second_person,
    check_separation,
    is_mobile,
    mask_name,
    reaches,
    residence_kind,
)
from consultation.community.tables import OrgKind, ResidenceKind
from consultation.ids import random_id
from consultation.permissions import Role
from consultation.refusals import Refusal

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def office(role: Role, path: str = "/city/community/", **more: object) -> Office:
    fields: dict[str, object] = {
        "org_kind": OrgKind.RESIDENTS_COMMITTEE,
        "close_relative_of_committee": False,
        "valid_from": NOW,
        "valid_to": None,
    }
    return Office(role=role, path=path, **(fields | more))  # type: ignore[arg-type]


LEADS = (Role.PARTY_SECRETARY, Role.CLERK, Role.COMMITTEE_HEAD)


@pytest.mark.parametrize(
    ("one", "other", "refusal"),
    [
        *((lead, Role.SUPERVISOR, RolesExclude) for lead in LEADS),
        (Role.SYSTEM_ADMIN, Role.TELLER, RolesExclude),
        (Role.SYSTEM_ADMIN, Role.SUPERVISOR, RolesExclude),
        (Role.PROPERTY_COMPANY, Role.TELLER, CompanyCannotCount),
        (Role.PROPERTY_COMPANY, Role.HOST, CompanyCannotCount),
    ],
)
def test_some_offices_cannot_be_held_together_in_either_order(
    one: Role, other: Role, refusal: type[Refusal]
) -> None:
    for held, wanted in ((one, other), (other, one)):
        with pytest.raises(refusal):
            check_separation([office(held)], office(wanted))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Role.COMMITTEE_HEAD, Role.HOST),
        (Role.PARTY_SECRETARY, Role.COMMITTEE_HEAD),
        (Role.CLERK, Role.TELLER),
        (Role.REPRESENTATIVE, Role.SUPERVISOR),
        (Role.GRID_WORKER, Role.REPRESENTATIVE),
        (Role.SYSTEM_ADMIN, Role.DATA_OFFICER),
    ],
)
def test_compatible_offices_may_be_held_together(one: Role, other: Role) -> None:
    check_separation([office(one)], office(other))
    check_separation([office(other)], office(one))


def test_leading_excludes_supervising_in_one_place_and_what_lies_in_it_only() -> None:
    supervisor = office(Role.SUPERVISOR, "/city/community/")
    for path in ("/city/community/estate/", "/city/"):
        with pytest.raises(RolesExclude):
            check_separation([office(Role.CLERK, path)], supervisor)
    check_separation([office(Role.CLERK, "/city/other/")], supervisor)


def test_an_administrator_of_anywhere_counts_and_supervises_nowhere() -> None:
    with pytest.raises(RolesExclude):
        check_separation([office(Role.SYSTEM_ADMIN, "/city/a/")], office(Role.TELLER, "/city/b/"))


def test_offices_exclude_each_other_only_while_both_run() -> None:
    earlier = office(Role.CLERK, valid_from=NOW - YEAR, valid_to=NOW)
    check_separation([earlier], office(Role.SUPERVISOR))
    overlapping = office(Role.CLERK, valid_from=NOW - YEAR, valid_to=NOW + timedelta(seconds=1))
    with pytest.raises(RolesExclude):
        check_separation([overlapping], office(Role.SUPERVISOR))
    later = office(Role.CLERK, valid_from=NOW + YEAR)
    check_separation([later], office(Role.SUPERVISOR, valid_to=NOW + YEAR))


def test_a_close_relative_of_the_committee_cannot_supervise_whichever_office_declared_it() -> None:
    relative = {"close_relative_of_committee": True}
    with pytest.raises(RelativeCannotSupervise):
        check_separation([], office(Role.SUPERVISOR, **relative))
    with pytest.raises(RelativeCannotSupervise):
        check_separation([office(Role.REPRESENTATIVE, **relative)], office(Role.SUPERVISOR))
    with pytest.raises(RelativeCannotSupervise):
        check_separation([office(Role.SUPERVISOR)], office(Role.REPRESENTATIVE, **relative))
    check_separation([], office(Role.REPRESENTATIVE, **relative))


def test_nobody_counts_or_hosts_for_a_property_company() -> None:
    for role in (Role.TELLER, Role.HOST):
        with pytest.raises(CompanyCannotCount):
            check_separation([], office(role, org_kind=OrgKind.PROPERTY_COMPANY))


def grant(by: Role, role: Role, *, own_node: bool = True, org: OrgKind | None = None) -> None:
    check_grantable(by, role, org_kind=org, own_node=own_node)


def test_who_leads_and_who_supervises_is_granted_from_above_only() -> None:
    office = OrgKind.SUBDISTRICT_OFFICE
    for role in (Role.PARTY_SECRETARY, Role.COMMITTEE_HEAD, Role.SUPERVISOR):
        with pytest.raises(RoleNotYours):
            grant(Role.PARTY_SECRETARY, role)
        grant(Role.GOVERNMENT, role, own_node=False, org=office)
        with pytest.raises(RoleNotYours):
            grant(Role.GOVERNMENT, role, own_node=True, org=office)
        with pytest.raises(RoleNotYours):
            grant(Role.GOVERNMENT, role, own_node=False, org=OrgKind.DEPARTMENT)
    grant(Role.PARTY_SECRETARY, Role.TELLER)
    with pytest.raises(RoleNotYours):
        grant(Role.SYSTEM_ADMIN, Role.TELLER)
    grant(Role.SYSTEM_ADMIN, Role.DATA_OFFICER)


def test_nobody_can_be_given_to_be_a_resident_or_the_system() -> None:
    given = frozenset[Role]().union(*GRANTABLE.values())
    assert given.isdisjoint({Role.VISITOR, Role.RESIDENT, Role.STAKEHOLDER, Role.SYSTEM})


def test_the_second_person_is_neither_proposer_nor_receiver() -> None:
    proposer, receiver, third = random_id(), random_id(), random_id()
    for confirms in (proposer, receiver):
        with pytest.raises(SecondPersonNeeded):
            check_second_person(proposed_by=proposer, receives=receiver, confirms=confirms)
    check_second_person(proposed_by=proposer, receives=receiver, confirms=third)


def test_a_term_ends_after_it_begins_and_after_now() -> None:
    check_period(NOW - YEAR, None, NOW)
    check_period(NOW - YEAR, NOW + YEAR, NOW)
    for valid_from, valid_to in ((NOW, NOW), (NOW - YEAR, NOW)):
        with pytest.raises(PeriodEmpty):
            check_period(valid_from, valid_to, NOW)


def test_a_role_reaches_its_place_and_below_and_a_grid_worker_the_community() -> None:
    community, other = random_id(), random_id()

    def at(role: Role, path: str, community_id: object = community) -> bool:
        return reaches(
            role,
            of_community=community,
            of_path="/c/grid/",
            community_id=community_id,  # type: ignore[arg-type]
            path=path,
        )

    assert at(Role.CLERK, "/c/grid/")
    assert at(Role.CLERK, "/c/grid/x/")
    assert not at(Role.CLERK, "/c/estate/")
    assert not at(Role.CLERK, "/c/")
    assert at(Role.GRID_WORKER, "/c/estate/")
    assert not at(Role.GRID_WORKER, "/d/estate/", other)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张*"),
        ("周文静", "周**"),
        ("欧阳修明", "欧阳**"),
        ("欧阳", "欧*"),  # nobody is only a surname
        ("张", "张*"),
        ("买买提·艾力江", "买***"),
    ],
)
def test_a_name_is_masked_to_its_surname(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("phone", "good"),
    [
        ("19900000001", True),
        ("13800138000", True),
        ("12345678901", False),
        ("1990000000", False),
        ("199000000012", False),
        ("02512345678", False),
        ("1990000000\uff11", False),
    ],
)
def test_a_mobile_number_has_eleven_digits(phone: str, *, good: bool) -> None:
    assert is_mobile(phone) is good


@pytest.mark.parametrize(
    ("speaks_for", "lived_in_as", "owns", "kind"),
    [
        (None, [], False, None),
        (None, [], True, ResidenceKind.ABSENT_OWNER),
        (None, [ResidenceKind.TENANT], True, ResidenceKind.ABSENT_OWNER),
        (None, [None], True, ResidenceKind.ABSENT_OWNER),
        (None, [ResidenceKind.TENANT, ResidenceKind.OWNER], True, ResidenceKind.OWNER),
        (None, [ResidenceKind.FAMILY], True, ResidenceKind.OWNER),
        (ResidenceKind.TENANT, [], False, ResidenceKind.TENANT),
        (ResidenceKind.TENANT, [ResidenceKind.TENANT], True, ResidenceKind.TENANT),
        (ResidenceKind.OWNER, [ResidenceKind.OWNER], True, ResidenceKind.OWNER),
    ],
)
def test_an_owner_lives_in_a_home_that_is_not_let(
    speaks_for: ResidenceKind | None,
    lived_in_as: list[ResidenceKind | None],
    *,
    owns: bool,
    kind: ResidenceKind | None,
) -> None:
    assert residence_kind(speaks_for=speaks_for, lived_in_as=lived_in_as, owns=owns) is kind
