"""The words in which registers name kinds and roles: the identifiers, and Chinese ones. Data.

Brackets are half-width here; ``plain_word`` makes full-width ones in a file the same."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from consultation.community.tables import NodeKind, OrgKind, ResidenceKind, UnitKind
from consultation.permissions import Role

Word = TypeVar("Word", bound=StrEnum)


def plain_word(word: str) -> str:
    return word.strip().replace("\uff08", "(").replace("\uff09", ")")


def _words(kind: type[Word], chinese: Mapping[str, Word]) -> dict[str, Word]:
    return {member.value: member for member in kind} | dict(chinese)


NODE_WORDS = _words(
    NodeKind,
    {
        "市": NodeKind.CITY,
        "区": NodeKind.DISTRICT,
        "区(县)": NodeKind.DISTRICT,
        "街道": NodeKind.SUBDISTRICT,
        "镇": NodeKind.TOWN,
        "社区": NodeKind.COMMUNITY,
        "村": NodeKind.VILLAGE,
        "网格": NodeKind.GRID,
        "村民小组": NodeKind.VILLAGERS_GROUP,
        "小区": NodeKind.ESTATE,
        "自然村": NodeKind.ESTATE,
        "商业街": NodeKind.ESTATE,
        "楼栋": NodeKind.BUILDING,
        "幢": NodeKind.BUILDING,
        "单元": NodeKind.ENTRANCE,
    },
)

UNIT_WORDS = _words(
    UnitKind, {"住宅": UnitKind.HOME, "商铺": UnitKind.SHOP, "车位": UnitKind.PARKING}
)

RESIDENCE_WORDS = _words(
    ResidenceKind,
    {
        "业主": ResidenceKind.OWNER,
        "租户": ResidenceKind.TENANT,
        "承租人": ResidenceKind.TENANT,
        "家属": ResidenceKind.FAMILY,
        "家庭成员": ResidenceKind.FAMILY,
        "不在住业主": ResidenceKind.ABSENT_OWNER,
        "商户": ResidenceKind.MERCHANT,
        "驻区单位人员": ResidenceKind.UNIT_MEMBER,
    },
)

TENURE_WORDS = {
    word: RESIDENCE_WORDS[word]
    for word in ("owner", "family", "tenant", "业主", "家属", "家庭成员", "租户", "承租人")
}

NON_OWNER_WORDS = {
    word: kind
    for word, kind in RESIDENCE_WORDS.items()
    if kind not in (ResidenceKind.OWNER, ResidenceKind.ABSENT_OWNER)
}

ROLE_WORDS = _words(
    Role,
    {
        "居民代表": Role.REPRESENTATIVE,
        "村民代表": Role.REPRESENTATIVE,
        "议事会成员": Role.REPRESENTATIVE,
        "居民代表、议事会成员": Role.REPRESENTATIVE,
        "网格员": Role.GRID_WORKER,
        "社区工作人员": Role.CLERK,
        "社区(村)工作人员": Role.CLERK,
        "党组织书记": Role.PARTY_SECRETARY,
        "社区(村)党组织书记": Role.PARTY_SECRETARY,
        "居(村)委会负责人": Role.COMMITTEE_HEAD,
        "居委会负责人": Role.COMMITTEE_HEAD,
        "村委会负责人": Role.COMMITTEE_HEAD,
        "主持人": Role.HOST,
        "计票人": Role.TELLER,
        "监督委员会成员": Role.SUPERVISOR,
        "居(村)务监督委员会成员": Role.SUPERVISOR,
        "业主委员会成员": Role.OWNERS_COMMITTEE,
        "物业服务企业": Role.PROPERTY_COMPANY,
        "街道(镇)、部门经办人": Role.GOVERNMENT,
        "督查人员": Role.INSPECTOR,
        "系统管理员": Role.SYSTEM_ADMIN,
        "个人信息保护负责人": Role.DATA_OFFICER,
    },
)

ORG_WORDS = _words(
    OrgKind,
    {
        "市政府": OrgKind.CITY_GOVERNMENT,
        "区政府": OrgKind.DISTRICT_GOVERNMENT,
        "部门": OrgKind.DEPARTMENT,
        "街道办事处": OrgKind.SUBDISTRICT_OFFICE,
        "镇政府": OrgKind.TOWN_GOVERNMENT,
        "12345热线": OrgKind.HOTLINE,
        "公安机关": OrgKind.POLICE,
        "人民调解委员会": OrgKind.MEDIATION,
        "信访机构": OrgKind.PETITION_OFFICE,
        "社区(村)党组织": OrgKind.COMMUNITY_PARTY_ORG,
        "社区大党委": OrgKind.JOINT_PARTY_COMMITTEE,
        "网格党小组": OrgKind.GRID_PARTY_GROUP,
        "居民委员会": OrgKind.RESIDENTS_COMMITTEE,
        "村民委员会": OrgKind.VILLAGERS_COMMITTEE,
        "居(村)务监督委员会": OrgKind.SUPERVISION_COMMITTEE,
        "居民(村民)议事会": OrgKind.RESIDENTS_COUNCIL,
        "居民理事会": OrgKind.RESIDENTS_BOARD,
        "居民小组": OrgKind.RESIDENTS_GROUP,
        "村民小组": OrgKind.VILLAGERS_GROUP,
        "协商议事室": OrgKind.CONSULTATION_ROOM,
        "业主大会": OrgKind.OWNERS_ASSEMBLY,
        "业主委员会": OrgKind.OWNERS_COMMITTEE,
        "物业管理委员会": OrgKind.PROPERTY_MGMT_COMMITTEE,
        "环境和物业管理委员会": OrgKind.ENVIRONMENT_PROPERTY_COMMITTEE,
        "物业服务企业": OrgKind.PROPERTY_COMPANY,
        "驻区单位": OrgKind.RESIDENT_UNIT,
        "社会组织": OrgKind.SOCIAL_ORGANIZATION,
        "集体经济组织": OrgKind.COLLECTIVE_ECONOMY,
        "合作社": OrgKind.COOPERATIVE,
        "党群服务中心": OrgKind.PARTY_SERVICE_CENTER,
    },
)
