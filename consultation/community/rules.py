"""THE RULES OF THE COMMUNITY: where nodes hang, how far a role reaches, which roles exclude each
other, who may give which, and how a name is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consultation.community.tables import NodeKind, OrgKind, ResidenceKind
from consultation.permissions import Role
from consultation.refusals import AlreadyDone, Invalid, NotFound, NotNow, NotPermitted


class RoleNotHeld(NotPermitted):
    """The role the request says it acts under is not held, or not now."""

    code = "role-not-held"


class RolesExclude(Invalid):
    """The person holds a role that this one must be independent of."""

    code = "roles-exclude-each-other"


class RelativeCannotSupervise(Invalid):
    """A close relative of a committee member cannot supervise the committee."""

    code = "relative-cannot-supervise"


class CompanyCannotCount(Invalid):
    """Staff of the property company neither count votes nor host meetings."""

    code = "company-cannot-count"


class RoleNotYours(NotPermitted):
    """The actor's role cannot give or end this role."""

    code = "role-not-yours-to-give"


class SecondPersonNeeded(NotPermitted):
    """Whoever proposed a role, or receives it, cannot confirm it."""

    code = "second-person-needed"


class RoleAlreadyHeld(AlreadyDone):
    code = "role-already-held"


class RoleAlreadyEnded(AlreadyDone):
    code = "role-already-ended"


class ProposalAlreadyDecided(AlreadyDone):
    """The proposed role was confirmed, declined or withdrawn."""

    code = "role-proposal-decided"


class RoleProposalExpired(NotNow):
    """The period of the proposed role is over."""

    code = "role-proposal-expired"


class PeriodEmpty(Invalid):
    """A role must end after it begins, and not lie in the past as a whole."""

    code = "role-period-empty"


class OrganisationElsewhere(Invalid):
    """A role is held for an organisation of the community or of the levels above it."""

    code = "organisation-elsewhere"


class CommunityUnknown(NotFound):
    """No community or village has this code."""

    code = "community-unknown"


class PersonUnknown(NotFound):
    """Nobody is known by that id or phone."""

    code = "person-unknown"


# ---- the tree -----------------------------------------------------------------------------

_ABOVE_COMMUNITY = (NodeKind.SUBDISTRICT, NodeKind.TOWN)

PARENTS: Mapping[NodeKind, frozenset[NodeKind]] = {
    NodeKind.CITY: frozenset(),
    NodeKind.DISTRICT: frozenset({NodeKind.CITY}),
    NodeKind.SUBDISTRICT: frozenset({NodeKind.DISTRICT}),
    NodeKind.TOWN: frozenset({NodeKind.DISTRICT}),
    NodeKind.COMMUNITY: frozenset(_ABOVE_COMMUNITY),
    NodeKind.VILLAGE: frozenset(_ABOVE_COMMUNITY),
    NodeKind.GRID: frozenset({NodeKind.COMMUNITY, NodeKind.VILLAGE}),
    NodeKind.VILLAGERS_GROUP: frozenset({NodeKind.VILLAGE}),
    NodeKind.ESTATE: frozenset({NodeKind.COMMUNITY, NodeKind.VILLAGE, NodeKind.VILLAGERS_GROUP}),
    NodeKind.BUILDING: frozenset({NodeKind.ESTATE}),
    NodeKind.ENTRANCE: frozenset({NodeKind.BUILDING}),
}
"""Five levels 市–区–街道(镇)–社区(村)–网格, and beside the grids the estates (seed 二(六))."""

COMMUNITIES = frozenset({NodeKind.COMMUNITY, NodeKind.VILLAGE})
GRIDS = frozenset({NodeKind.GRID, NodeKind.VILLAGERS_GROUP})
"""Where a household or a building belongs: a village may have groups in place of grids."""

LARGEST: Mapping[NodeKind, int] = {
    NodeKind.COMMUNITY: 3000,
    NodeKind.VILLAGE: 1500,
    NodeKind.GRID: 300,
}
"""Households a place should have at most (seed 二(六) and 六(三)). Only warned about."""


def reaches(
    role: Role, *, of_community: UUID | None, of_path: str, community_id: UUID | None, path: str
) -> bool:
    """Whether a role given at ``of_path`` counts at ``path``: there and below. Buildings stand in
    estates and not in grids, so a grid worker is one in the whole community; what is for the own
    grid only, the command compares with the grid itself."""
    if role is Role.GRID_WORKER:
        return of_community is not None and of_community == community_id
    return path.startswith(of_path)


# ---- roles that exclude each other --------------------------------------------------------

_LEADS = frozenset({Role.PARTY_SECRETARY, Role.CLERK, Role.COMMITTEE_HEAD})
_COUNTS = frozenset({Role.TELLER, Role.HOST})


@dataclass(frozen=True, slots=True)
class Office:
    """A role as the separation rules see it. Valid from inclusive to exclusive."""

    role: Role
    path: str
    org_kind: OrgKind
    close_relative_of_committee: bool
    valid_from: datetime
    valid_to: datetime | None


def check_office(new: Office) -> None:
    """What excludes an office by itself. A declared close relative of a committee member cannot
    supervise (seed 二(五); 居民委员会组织法 on the supervision committee); nobody counts votes or
    hosts on behalf of a property company."""
    if new.role is Role.SUPERVISOR and new.close_relative_of_committee:
        raise RelativeCannotSupervise()
    if new.role in _COUNTS and new.org_kind is OrgKind.PROPERTY_COMPANY:
        raise CompanyCannotCount()


def check_separation(held: Iterable[Office], new: Office) -> None:
    """Refuses ``new`` beside what the same person holds at the same time (domain section 5)."""
    check_office(new)
    for office in held:
        if not overlap(office, new):
            continue
        _check_relative(office, new)
        _check_relative(new, office)
        for one, other in ((office, new), (new, office)):
            _check_pair(one, other, held=office, wanted=new)


def _check_relative(one: Office, other: Office) -> None:
    if one.close_relative_of_committee and other.role is Role.SUPERVISOR:
        raise RelativeCannotSupervise()


def _check_pair(one: Office, other: Office, *, held: Office, wanted: Office) -> None:
    if one.role in _LEADS and other.role is Role.SUPERVISOR and _same_place(one, other):
        raise RolesExclude(held=held.role.value, wanted=wanted.role.value)
    if one.role is Role.SYSTEM_ADMIN and other.role in (Role.TELLER, Role.SUPERVISOR):
        raise RolesExclude(held=held.role.value, wanted=wanted.role.value)
    if (
        one.role is Role.PROPERTY_COMPANY or one.org_kind is OrgKind.PROPERTY_COMPANY
    ) and other.role in _COUNTS:
        raise CompanyCannotCount()


def overlap(one: Office, other: Office) -> bool:
    return (one.valid_to is None or one.valid_to > other.valid_from) and (
        other.valid_to is None or other.valid_to > one.valid_from
    )


def _same_place(one: Office, other: Office) -> bool:
    """The same node, or one above the other: a secretary of the whole leads every part of it."""
    return one.path.startswith(other.path) or other.path.startswith(one.path)


# ---- who gives which role -----------------------------------------------------------------

_OF_THE_COMMUNITY = frozenset(
    {
        Role.REPRESENTATIVE,
        Role.GRID_WORKER,
        Role.CLERK,
        Role.HOST,
        Role.TELLER,
        Role.OWNERS_COMMITTEE,
        Role.PROPERTY_COMPANY,
    }
)

GRANTABLE: Mapping[Role, frozenset[Role]] = {
    Role.PARTY_SECRETARY: _OF_THE_COMMUNITY,
    # who leads and who supervises a community is recorded from above, not by those concerned
    Role.GOVERNMENT: _OF_THE_COMMUNITY
    | {Role.PARTY_SECRETARY, Role.COMMITTEE_HEAD, Role.SUPERVISOR},
    Role.SYSTEM_ADMIN: frozenset({Role.SYSTEM_ADMIN, Role.DATA_OFFICER}),
    Role.SYSTEM: frozenset(Role) - {Role.VISITOR, Role.RESIDENT, Role.STAKEHOLDER, Role.SYSTEM},
}
"""Which roles a role gives, proposing or confirming: own node (secretary), below (government),
technical (administrator). Everything else comes in by register."""


GOVERNS = frozenset(
    {
        OrgKind.CITY_GOVERNMENT,
        OrgKind.DISTRICT_GOVERNMENT,
        OrgKind.SUBDISTRICT_OFFICE,
        OrgKind.TOWN_GOVERNMENT,
    }
)
"""Who governs the communities below; a department or the hotline does not."""


def check_grantable(by: Role, role: Role, *, org_kind: OrgKind | None, own_node: bool) -> None:
    """``org_kind`` is the granting person's organisation; ``own_node`` says that the role is for
    the very node the granting role stands on."""
    below = org_kind in GOVERNS and not own_node
    if role not in GRANTABLE.get(by, frozenset()) or (by is Role.GOVERNMENT and not below):
        raise RoleNotYours(role=role.value)


def check_second_person(*, proposed_by: UUID, receives: UUID, confirms: UUID | None) -> None:
    if confirms in (proposed_by, receives):
        raise SecondPersonNeeded()


def check_period(valid_from: datetime, valid_to: datetime | None, now: datetime) -> None:
    if valid_to is not None and (valid_to <= valid_from or valid_to <= now):
        raise PeriodEmpty()


# ---- names --------------------------------------------------------------------------------

COMPOUND_SURNAMES = frozenset(
    (
        "欧阳",
        "司马",
        "上官",
        "诸葛",
        "夏侯",
        "东方",
        "皇甫",
        "尉迟",
        "公孙",
        "慕容",
        "令狐",
        "长孙",
        "宇文",
        "司徒",
        "司空",
        "端木",
        "百里",
        "东郭",
        "南宫",
        "西门",
        "呼延",
        "轩辕",
        "独孤",
        "拓跋",
        "澹台",
        "公冶",
        "宗政",
        "濮阳",
        "淳于",
        "单于",
        "太叔",
        "申屠",
        "钟离",
        "闾丘",
        "赫连",
        "第五",
        "公羊",
        "谷梁",
        "乐正",
        "完颜",
        "纳兰",
    )
)


def mask_name(name: str) -> str:
    """What others see of a name: the surname, and a star for each further character up to three.
    张三 张*, 周文静 周**, 欧阳修明 欧阳**."""
    kept = 2 if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else 1
    return name[:kept] + "*" * min(max(len(name) - kept, 1), 3)


def is_mobile(phone: str) -> bool:
    """A mobile number of the mainland: eleven digits, from 13 to 19."""
    return (
        len(phone) == 11
        and phone.isascii()
        and phone.isdigit()
        and phone[0] == "1"
        and phone[1] >= "3"
    )


# ---- who lives where ----------------------------------------------------------------------

LIVING = frozenset({ResidenceKind.OWNER, ResidenceKind.FAMILY, ResidenceKind.TENANT})
OWNING = frozenset({ResidenceKind.OWNER, ResidenceKind.ABSENT_OWNER})


def residence_kind(
    *, speaks_for: ResidenceKind | None, lived_in_as: Iterable[ResidenceKind | None], owns: bool
) -> ResidenceKind | None:
    """What the registers say a person is in the community; None if they say nothing.

    ``speaks_for``: as what the household lives here that the person represents. ``lived_in_as``:
    the same of the occupied households in the homes that the person owns; an owner whose home is
    not let to a tenant lives in it."""
    if speaks_for is not None:
        return speaks_for
    if any(kind in (ResidenceKind.OWNER, ResidenceKind.FAMILY) for kind in lived_in_as):
        return ResidenceKind.OWNER
    return ResidenceKind.ABSENT_OWNER if owns else None
