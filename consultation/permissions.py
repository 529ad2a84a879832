"""Who may do what: one table, deed × role, relative to a node of the tree.

*Who* stands here; *when* stands in the transition tables; the two never mix. The table follows
``tests/consultation/permission_matrix.txt``, which is written out in full and compared.
A person acts either as a resident of the community or under one explicit role assignment; a
request never adds up several roles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from consultation.refusals import NotPermitted


class Role(StrEnum):
    VISITOR = "visitor"  # 访客: no verified residence here
    RESIDENT = "resident"  # 居民: verified (L2) in this community, tenants too
    STAKEHOLDER = "stakeholder"  # 利益相关方: resident unit, merchant, absent owner
    REPRESENTATIVE = "representative"  # 居民代表、议事会成员
    GRID_WORKER = "grid_worker"  # 网格员
    CLERK = "clerk"  # 社区工作人员
    PARTY_SECRETARY = "party_secretary"  # 社区党组织(牵头)
    COMMITTEE_HEAD = "committee_head"  # 居(村)委会负责人, signs for the committee
    HOST = "host"  # 主持/记录
    TELLER = "teller"  # 计票人
    SUPERVISOR = "supervisor"  # 居(村)务监督委员会
    OWNERS_COMMITTEE = "owners_committee"  # 业主委员会
    PROPERTY_COMPANY = "property_company"  # 物业服务企业
    GOVERNMENT = "government"  # 街道(镇)、部门
    INSPECTOR = "inspector"  # 区、市督查
    SYSTEM_ADMIN = "system_admin"  # 系统管理员
    DATA_OFFICER = "data_officer"  # 个人信息保护负责人
    SYSTEM = "system"  # deadlines and the command line; never a person


class Deed(StrEnum):
    READ_PUBLIC = "read_public"
    RAISE_TOPIC = "raise_topic"
    RAISE_FOR_RESIDENT = "raise_for_resident"
    COMMISSION_TOPIC = "commission_topic"
    COSIGN = "cosign"
    SCREEN = "screen"
    ACCEPT = "accept"
    PROPOSE_REJECTION = "propose_rejection"
    CONFIRM_REJECTION = "confirm_rejection"
    DECIDE_APPEAL = "decide_appeal"
    ANSWER_TRANSFER = "answer_transfer"
    PREPARE = "prepare"
    CONVENE = "convene"
    DECLARE_INTEREST = "declare_interest"
    CHECK_LEGALITY = "check_legality"
    SPEAK = "speak"
    RECORD_FOR_RESIDENT = "record_for_resident"
    MODERATE = "moderate"
    REVIEW_MODERATION = "review_moderation"
    RUN_MEETING = "run_meeting"
    CONFIRM_MINUTES = "confirm_minutes"
    CHOOSE_PRESET = "choose_preset"
    CAST_BALLOT = "cast_ballot"
    ENTER_PAPER = "enter_paper"
    OBJECT_TO_ROLL = "object_to_roll"
    RULE_ON_ROLL = "rule_on_roll"
    NAME_VOTER = "name_voter"
    IMPORT_RESULT = "import_result"
    SERVE_NOTICE = "serve_notice"
    READ_UNSERVED = "read_unserved"
    SEE_NAMED_CHOICES = "see_named_choices"
    SIGN_COUNT = "sign_count"
    WITNESS_COUNT = "witness_count"
    SUPERVISE = "supervise"
    DRAFT_OUTCOME = "draft_outcome"
    SIGN_ADOPTION_PARTY = "sign_adoption_party"
    SIGN_ADOPTION_COMMITTEE = "sign_adoption_committee"
    REPLY_COMMISSION = "reply_commission"
    PLAN_TASKS = "plan_tasks"
    REPORT_PROGRESS = "report_progress"
    ACCEPT_WORK = "accept_work"
    PUBLISH_NOTICE = "publish_notice"
    RECORD_DISSENT = "record_dissent"
    EXPLAIN_DISSENT = "explain_dissent"
    ANSWER_EXPLANATION = "answer_explanation"
    RATE = "rate"
    ENTER_SURVEY = "enter_survey"
    VERIFY_RESIDENT = "verify_resident"
    READ_REGISTER = "read_register"
    IMPORT_REGISTER = "import_register"
    GRANT_ROLE = "grant_role"
    BAR_ACCOUNT = "bar_account"
    READ_PROCESS = "read_process"
    MEND_DELIVERIES = "mend_deliveries"
    RUN_SYSTEM = "run_system"


class Grant(StrEnum):
    """How far a deed is allowed."""

    YES = "yes"  # ✔
    OWN = "own"  # ○ own scope or own data only; the command checks which
    SECOND = "second"  # ✎ only with a second person; the command checks who


_RESIDENTS = (Role.RESIDENT, Role.REPRESENTATIVE)
_YES, _OWN, _SECOND = Grant.YES, Grant.OWN, Grant.SECOND


def _allow(grant: Grant, *roles: Role) -> dict[Role, Grant]:
    return dict.fromkeys(roles, grant)


ALLOWED: Mapping[Deed, Mapping[Role, Grant]] = {
    Deed.READ_PUBLIC: _allow(_YES, *Role),
    Deed.RAISE_TOPIC: _allow(
        _YES,
        *_RESIDENTS,
        Role.STAKEHOLDER,
        Role.GRID_WORKER,
        Role.CLERK,
        Role.PARTY_SECRETARY,
        Role.SUPERVISOR,
        Role.OWNERS_COMMITTEE,
        Role.PROPERTY_COMPANY,
    )
    | _allow(_OWN, Role.GOVERNMENT),  # as the commissioner, with its letter
    Deed.RAISE_FOR_RESIDENT: _allow(_YES, Role.GRID_WORKER),
    Deed.COMMISSION_TOPIC: _allow(_YES, Role.GOVERNMENT),
    Deed.COSIGN: _allow(_YES, *_RESIDENTS) | _allow(_OWN, Role.STAKEHOLDER),
    Deed.SCREEN: _allow(_YES, Role.CLERK, Role.PARTY_SECRETARY),
    Deed.ACCEPT: _allow(_YES, Role.PARTY_SECRETARY),
    Deed.PROPOSE_REJECTION: _allow(_SECOND, Role.CLERK, Role.PARTY_SECRETARY),
    Deed.CONFIRM_REJECTION: _allow(_SECOND, Role.PARTY_SECRETARY),
    Deed.DECIDE_APPEAL: _allow(_YES, Role.SUPERVISOR, Role.GOVERNMENT),
    Deed.ANSWER_TRANSFER: _allow(_YES, Role.GOVERNMENT)
    | _allow(_OWN, Role.CLERK, Role.PARTY_SECRETARY),
    Deed.PREPARE: _allow(_YES, Role.CLERK, Role.PARTY_SECRETARY),
    Deed.CONVENE: _allow(_YES, Role.PARTY_SECRETARY),
    Deed.DECLARE_INTEREST: _allow(
        _OWN,
        *_RESIDENTS,
        Role.STAKEHOLDER,
        Role.GRID_WORKER,
        Role.CLERK,
        Role.PARTY_SECRETARY,
        Role.COMMITTEE_HEAD,
        Role.HOST,
        Role.TELLER,
        Role.SUPERVISOR,
        Role.OWNERS_COMMITTEE,
        Role.PROPERTY_COMPANY,
        Role.GOVERNMENT,
    ),
    Deed.CHECK_LEGALITY: _allow(_YES, Role.CLERK, Role.GOVERNMENT),
    Deed.SPEAK: _allow(
        _YES,
        *_RESIDENTS,
        Role.STAKEHOLDER,
        Role.GRID_WORKER,
        Role.CLERK,
        Role.PARTY_SECRETARY,
        Role.SUPERVISOR,
        Role.OWNERS_COMMITTEE,
        Role.PROPERTY_COMPANY,
        Role.GOVERNMENT,
    )
    | _allow(_OWN, Role.HOST),  # procedure only
    Deed.RECORD_FOR_RESIDENT: _allow(_YES, Role.GRID_WORKER),
    Deed.MODERATE: _allow(_YES, Role.CLERK, Role.HOST),
    Deed.REVIEW_MODERATION: _allow(_YES, Role.SUPERVISOR),
    Deed.RUN_MEETING: _allow(_YES, Role.HOST, Role.CLERK, Role.PARTY_SECRETARY),
    Deed.CONFIRM_MINUTES: _allow(
        _OWN,
        *_RESIDENTS,
        Role.STAKEHOLDER,
        Role.GRID_WORKER,
        Role.OWNERS_COMMITTEE,
        Role.PROPERTY_COMPANY,
        Role.GOVERNMENT,
        Role.SUPERVISOR,
    ),
    Deed.CHOOSE_PRESET: _allow(_SECOND, Role.CLERK, Role.PARTY_SECRETARY, Role.OWNERS_COMMITTEE),
    Deed.CAST_BALLOT: _allow(  # one's own, and only if on the roll (L3), under whatever role
        _OWN,
        *_RESIDENTS,
        Role.STAKEHOLDER,
        Role.GRID_WORKER,
        Role.CLERK,
        Role.PARTY_SECRETARY,
        Role.COMMITTEE_HEAD,
        Role.HOST,
        Role.TELLER,
        Role.SUPERVISOR,
        Role.OWNERS_COMMITTEE,
    ),
    Deed.ENTER_PAPER: _allow(_SECOND, Role.GRID_WORKER, Role.CLERK, Role.TELLER),
    Deed.OBJECT_TO_ROLL: _allow(
        _YES,
        *_RESIDENTS,
        Role.STAKEHOLDER,
        Role.SUPERVISOR,
        Role.OWNERS_COMMITTEE,
        Role.PROPERTY_COMPANY,
    ),
    Deed.RULE_ON_ROLL: _allow(_SECOND, Role.CLERK, Role.SUPERVISOR),
    Deed.NAME_VOTER: _allow(_OWN, *_RESIDENTS, Role.STAKEHOLDER, Role.GRID_WORKER)
    | _allow(_YES, Role.CLERK),
    Deed.IMPORT_RESULT: _allow(_SECOND, Role.CLERK, Role.PARTY_SECRETARY, Role.TELLER),
    Deed.SERVE_NOTICE: _allow(_OWN, Role.GRID_WORKER) | _allow(_YES, Role.CLERK),
    Deed.READ_UNSERVED: _allow(_OWN, Role.GRID_WORKER) | _allow(_YES, Role.CLERK, Role.SUPERVISOR),
    Deed.SEE_NAMED_CHOICES: _allow(_YES, Role.TELLER, Role.SUPERVISOR)
    | _allow(_OWN, *_RESIDENTS, Role.STAKEHOLDER),
    Deed.SIGN_COUNT: _allow(_SECOND, Role.TELLER),
    Deed.WITNESS_COUNT: _allow(_YES, Role.SUPERVISOR),
    Deed.SUPERVISE: _allow(_YES, Role.SUPERVISOR, Role.INSPECTOR),
    Deed.DRAFT_OUTCOME: _allow(_YES, Role.CLERK, Role.PARTY_SECRETARY, Role.HOST),
    Deed.SIGN_ADOPTION_PARTY: _allow(_SECOND, Role.PARTY_SECRETARY),
    Deed.SIGN_ADOPTION_COMMITTEE: _allow(_SECOND, Role.COMMITTEE_HEAD),
    Deed.REPLY_COMMISSION: _allow(_YES, Role.GOVERNMENT),
    Deed.PLAN_TASKS: _allow(_YES, Role.CLERK, Role.PARTY_SECRETARY) | _allow(_OWN, Role.GOVERNMENT),
    Deed.REPORT_PROGRESS: _allow(_YES, Role.GRID_WORKER, Role.CLERK, Role.PARTY_SECRETARY)
    | _allow(_OWN, Role.OWNERS_COMMITTEE, Role.PROPERTY_COMPANY, Role.GOVERNMENT),
    Deed.ACCEPT_WORK: _allow(_YES, Role.PARTY_SECRETARY) | _allow(_OWN, *_RESIDENTS),
    Deed.PUBLISH_NOTICE: _allow(_YES, Role.CLERK, Role.PARTY_SECRETARY)
    | _allow(_OWN, Role.GOVERNMENT),
    Deed.RECORD_DISSENT: _allow(_OWN, *_RESIDENTS, Role.STAKEHOLDER)
    | _allow(_YES, Role.GRID_WORKER, Role.CLERK, Role.HOST),
    Deed.EXPLAIN_DISSENT: _allow(
        _YES, Role.GRID_WORKER, Role.CLERK, Role.PARTY_SECRETARY, Role.HOST, Role.GOVERNMENT
    ),
    Deed.ANSWER_EXPLANATION: _allow(_OWN, *_RESIDENTS, Role.STAKEHOLDER),
    Deed.RATE: _allow(_OWN, *_RESIDENTS, Role.STAKEHOLDER),
    Deed.ENTER_SURVEY: _allow(_YES, Role.GRID_WORKER, Role.CLERK),  # paper, telephone, at the door
    Deed.VERIFY_RESIDENT: _allow(_OWN, Role.GRID_WORKER) | _allow(_YES, Role.CLERK),
    Deed.READ_REGISTER: _allow(_OWN, Role.GRID_WORKER) | _allow(_YES, Role.CLERK),
    Deed.IMPORT_REGISTER: _allow(_YES, Role.SYSTEM),  # by command line; registers are content
    Deed.GRANT_ROLE: _allow(_YES, Role.SYSTEM)
    | _allow(_SECOND, Role.PARTY_SECRETARY, Role.GOVERNMENT, Role.SYSTEM_ADMIN),
    Deed.BAR_ACCOUNT: _allow(_SECOND, Role.SYSTEM_ADMIN, Role.DATA_OFFICER),
    Deed.READ_PROCESS: _allow(
        _YES, Role.CLERK, Role.PARTY_SECRETARY, Role.COMMITTEE_HEAD, Role.SUPERVISOR, Role.INSPECTOR
    )
    | _allow(_OWN, Role.GOVERNMENT, Role.GRID_WORKER, Role.HOST, Role.TELLER),
    Deed.MEND_DELIVERIES: _allow(_YES, Role.SYSTEM_ADMIN, Role.SYSTEM),
    Deed.RUN_SYSTEM: _allow(_YES, Role.SYSTEM),
}


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role of a person for an organisation, on a node and everything below it."""

    id: UUID
    role: Role
    org_id: UUID
    node_path: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. ``assignment_id`` is the role the person says they act under, not yet checked."""

    person_id: UUID | None
    assignment_id: UUID | None = None
    system: bool = False


NOBODY = Actor(person_id=None)
SYSTEM = Actor(person_id=None, system=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the actor is at one place: their role there, the organisation they speak for, and the
    verification level (0 visitor, 1 phone, 2 verified against the register). Under a role,
    ``node_id`` is the node it was given for: a grid worker's own grid."""

    role: Role
    org_id: UUID | None = None
    level: int = 0
    node_id: UUID | None = None


class RoleNotChosen(NotPermitted):
    """The person holds a role that may do it, and acts under none: ``Minyi-Role`` names one.
    ``roles``: of each its assignment's id (``id``), ``role`` and ``org``."""

    code = "role-not-chosen"


def grant_of(deed: Deed, role: Role) -> Grant | None:
    return ALLOWED[deed].get(role)


def check(deed: Deed, role: Role) -> Grant:
    grant = grant_of(deed, role)
    if grant is None:
        raise NotPermitted(deed=deed.value, role=role.value)
    return grant
