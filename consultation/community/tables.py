"""The community: the tree, its homes and their owners, organisations, people and their roles."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from consultation.columns import (
    Row,
    choice,
    flag,
    key,
    maybe_choice,
    maybe_ref,
    maybe_text,
    maybe_when,
    ref,
    sealed,
    value,
    when,
)
from consultation.permissions import Role


class NodeKind(StrEnum):
    CITY = "city"  # 市
    DISTRICT = "district"  # 区
    SUBDISTRICT = "subdistrict"  # 街道
    TOWN = "town"  # 镇
    COMMUNITY = "community"  # 社区
    VILLAGE = "village"  # 村
    GRID = "grid"  # 网格
    VILLAGERS_GROUP = "villagers_group"  # 村民小组
    ESTATE = "estate"  # 小区、自然村
    BUILDING = "building"  # 楼栋
    ENTRANCE = "entrance"  # 单元(楼门)


class Node(Row, table=True):
    """One place in the tree. ``path`` is ``/id/id/…/`` from the city down, so that "in or below"
    is a prefix test. ``community_id`` is the community or village it belongs to (itself, for one),
    null above that level. Buildings and entrances stand in an estate and name their grid.

    ``homes``, ``households`` (occupied ones) and ``adults`` count what is in or below, or in the
    grid; the registers keep them, for a community and the nodes in it."""

    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    id: UUID = key()
    community_id: UUID | None = maybe_ref("node.id", index=True)
    kind: NodeKind = choice(NodeKind)
    parent_id: UUID | None = maybe_ref("node.id", index=True)
    grid_id: UUID | None = maybe_ref("node.id", index=True)
    path: str = Field(max_length=400, index=True)
    code: str = Field(max_length=80, unique=True)
    name: str = Field(max_length=80)
    facts: dict[str, Any] = value(dict[str, Any])  # built_year, estate_type, manager, …
    homes: int = 0
    households: int = 0
    adults: int = 0


class UnitKind(StrEnum):
    HOME = "home"
    SHOP = "shop"
    PARKING = "parking"


class PropertyUnit(Row, table=True):
    """An exclusive part 专有部分. ``area_dm2`` is in 0.01 m² (one square decimetre).
    ``entrance_id`` is its entrance, or for a part without one its building or estate."""

    __table_args__ = (UniqueConstraint("community_id", "code"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    estate_id: UUID = ref("node.id")
    entrance_id: UUID = ref("node.id")
    code: str = Field(max_length=80)  # 桐荫苑-3-2-601
    kind: UnitKind = choice(UnitKind)
    area_dm2: int
    developer_unsold: bool = flag()


class Ownership(Row, table=True):
    """One owner of one unit. Of several co-owners exactly one is the ``named_voter``."""

    unit_id: UUID = ref("property_unit.id", primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True, index=True)
    community_id: UUID = ref("node.id")
    named_voter: bool = flag(default=True)


class ResidenceKind(StrEnum):
    OWNER = "owner"  # lives in an own home
    TENANT = "tenant"
    FAMILY = "family"  # lives with an owner or tenant
    ABSENT_OWNER = "absent_owner"
    MERCHANT = "merchant"
    UNIT_MEMBER = "unit_member"  # works in a resident unit 驻区单位


class Household(Row, table=True):
    """A household 户. ``adults`` counts people of 18 and over; who they are is not kept.
    ``tenure`` says as what it lives there: owner, family of the owner, or tenant. In a village
    without property units ``estate_id`` may be the villagers' group."""

    __table_args__ = (UniqueConstraint("community_id", "code"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    estate_id: UUID = ref("node.id")
    grid_id: UUID | None = maybe_ref("node.id", index=True)
    unit_id: UUID | None = maybe_ref("property_unit.id")
    code: str = Field(max_length=80)
    occupied: bool = flag(default=True)
    adults: int
    tenure: ResidenceKind | None = maybe_choice(ResidenceKind)
    representative_id: UUID | None = maybe_ref("person.id", index=True)


class OrgKind(StrEnum):
    CITY_GOVERNMENT = "city_government"
    DISTRICT_GOVERNMENT = "district_government"
    DEPARTMENT = "department"  # 部门
    SUBDISTRICT_OFFICE = "subdistrict_office"
    TOWN_GOVERNMENT = "town_government"
    HOTLINE = "hotline"  # 12345
    POLICE = "police"
    MEDIATION = "mediation"  # 人民调解委员会
    PETITION_OFFICE = "petition_office"
    COMMUNITY_PARTY_ORG = "community_party_org"
    JOINT_PARTY_COMMITTEE = "joint_party_committee"
    GRID_PARTY_GROUP = "grid_party_group"
    RESIDENTS_COMMITTEE = "residents_committee"
    VILLAGERS_COMMITTEE = "villagers_committee"
    SUPERVISION_COMMITTEE = "supervision_committee"
    RESIDENTS_COUNCIL = "residents_council"
    RESIDENTS_BOARD = "residents_board"
    RESIDENTS_GROUP = "residents_group"
    VILLAGERS_GROUP = "villagers_group"
    CONSULTATION_ROOM = "consultation_room"
    OWNERS_ASSEMBLY = "owners_assembly"
    OWNERS_COMMITTEE = "owners_committee"
    PROPERTY_MGMT_COMMITTEE = "property_mgmt_committee"
    ENVIRONMENT_PROPERTY_COMMITTEE = "environment_property_committee"
    PROPERTY_COMPANY = "property_company"
    RESIDENT_UNIT = "resident_unit"
    SOCIAL_ORGANIZATION = "social_organization"
    COLLECTIVE_ECONOMY = "collective_economy"
    COOPERATIVE = "cooperative"
    PARTY_SERVICE_CENTER = "party_service_center"


class Organisation(Row, table=True):
    id: UUID = key()
    community_id: UUID | None = maybe_ref("node.id", index=True)
    node_id: UUID = ref("node.id")
    kind: OrgKind = choice(OrgKind)
    code: str = Field(max_length=80, unique=True)
    name: str = Field(max_length=80)


class Person(Row, table=True):
    """A person, city-wide. Name and phone are sealed; ``masked_name`` (王*) is what others see.
    ``registered`` people stand in a register; the others are accounts that nobody checked.
    An account that was matched to a registered person points there by ``same_as_id``."""

    id: UUID = key()
    masked_name: str = Field(default="", max_length=20)
    name_sealed: bytes | None = sealed()
    phone_sealed: bytes | None = sealed()
    phone_lookup: str | None = Field(default=None, max_length=64, unique=True)
    phone_bound_at: datetime | None = maybe_when()  # null: the register's, which nobody showed
    registered: bool = flag()
    born_on: date | None = None
    same_as_id: UUID | None = maybe_ref("person.id")
    created_at: datetime = when()


class PersonKey(Row, table=True):
    """The key by which one community's registers know a person, as a keyed hash. Each community
    numbers its people itself; the phone joins the same person of two communities."""

    community_id: UUID = ref("node.id", primary_key=True)
    key_lookup: str = Field(primary_key=True, max_length=64)
    person_id: UUID = ref("person.id")


class Residence(Row, table=True):
    """That a person belongs to a community, and how far that was checked.

    ``level``: 1 claimed with a bound phone, 2 verified against the register (L2). L3, being
    eligible in one poll, is not stored here: it is the poll's roll. ``method``: grid_worker,
    phone_match or register.
    """

    __table_args__ = (UniqueConstraint("person_id", "community_id"),)

    id: UUID = key()
    person_id: UUID = ref("person.id")
    community_id: UUID = ref("node.id")
    household_id: UUID | None = maybe_ref("household.id", index=True)
    unit_id: UUID | None = maybe_ref("property_unit.id")
    grid_id: UUID | None = maybe_ref("node.id", index=True)
    kind: ResidenceKind = choice(ResidenceKind)
    level: int
    method: str | None = Field(default=None, max_length=20)
    verified_by_id: UUID | None = maybe_ref("person.id")
    verified_at: datetime | None = maybe_when()
    claim_sealed: bytes | None = sealed()  # the address that the person claims, until checked
    refused_at: datetime | None = maybe_when()
    refusal_reason: str | None = maybe_text()  # shown to the person, who may claim again
    created_at: datetime = when()


class RoleAssignment(Row, table=True):
    """A role for an organisation on a node, for a period, with its basis (任职依据).

    Valid from ``valid_from`` inclusive to ``valid_to`` exclusive; a role is ended, never deleted.
    """

    __table_args__ = (Index("ix_role_assignment_person_role", "person_id", "role"),)

    id: UUID = key()
    community_id: UUID | None = maybe_ref("node.id", index=True)
    person_id: UUID = ref("person.id")
    role: Role = choice(Role)
    org_id: UUID = ref("organisation.id")
    node_id: UUID = ref("node.id")
    node_path: str = Field(max_length=400)
    title: str = Field(default="", max_length=40)
    close_relative_of_committee: bool = flag()
    valid_from: datetime = when()
    valid_to: datetime | None = maybe_when()
    granted_by_id: UUID | None = maybe_ref("person.id")
    confirmed_by_id: UUID | None = maybe_ref("person.id")
    basis: str = Field(max_length=200)
    ended_by_id: UUID | None = maybe_ref("person.id")
    end_basis: str | None = Field(default=None, max_length=200)


class RoleProposal(Row, table=True):
    """A role that one person proposed and another confirms or declines. It gives nothing until
    then; the assignment that comes of it takes over its id."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    person_id: UUID = ref("person.id")
    role: Role = choice(Role)
    org_id: UUID = ref("organisation.id")
    node_id: UUID = ref("node.id")
    title: str = Field(default="", max_length=40)
    close_relative_of_committee: bool = flag()
    valid_from: datetime = when()
    valid_to: datetime | None = maybe_when()
    basis: str = Field(max_length=200)
    proposed_by_id: UUID = ref("person.id", index=False)
    proposed_at: datetime = when()
    decided_at: datetime | None = maybe_when()


class BarReason(StrEnum):
    """Why nobody may log in to an account."""

    STOLEN = "stolen"  # 账号被盗用
    NOT_THE_PERSON = "not_the_person"  # 冒用他人身份
    HARM = "harm"  # 危害他人或系统
    ORDER = "order"  # 有权机关的决定


class AccountBar(Row, table=True):
    """An account that one person proposed to bar and another confirmed. It bars from then until it
    is lifted; a proposal that was declined counts as lifted. ``basis`` names the record, not the
    person."""

    __table_args__ = (
        Index(
            "uq_account_bar_person_id",
            "person_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: UUID = key()
    community_id: UUID | None = maybe_ref("node.id", index=True)
    node_id: UUID = ref("node.id")
    person_id: UUID = ref("person.id")
    reason: BarReason = choice(BarReason)
    basis: str = Field(max_length=200)
    proposed_by_id: UUID = ref("person.id", index=False)
    proposed_at: datetime = when()
    confirmed_by_id: UUID | None = maybe_ref("person.id")
    confirmed_at: datetime | None = maybe_when()
    lifted_by_id: UUID | None = maybe_ref("person.id")
    lifted_at: datetime | None = maybe_when()
    lift_basis: str | None = Field(default=None, max_length=200)


class RegisterImport(Row, table=True):
    """One register file that came in whole and changed something; ``digest`` is SHA-256 of what it
    said. The same file may come again after another one: it is compared with what is there."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    kind: str = Field(max_length=40)
    digest: str = Field(max_length=64)
    rows: int
    changed: int
    at: datetime = when()
    by_id: UUID | None = maybe_ref("person.id")
