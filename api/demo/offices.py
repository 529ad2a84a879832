"""The organisations of the demo, and who holds which office in them."""

import random
from collections.abc import Mapping, Sequence

from api.demo.names import Invented, Inventor

Rows = list[dict[str, str]]

TERM = "2025-12-01"
_ELECTED = "2025年换届选举结果"
_APPOINTED = "任职文件"

ABOVE = (
    ("hotline", "12345热线", "宁澜市12345政务服务便民热线", "ninglan"),
    ("data-bureau", "部门", "宁澜市数据局", "ninglan"),
    ("district-government", "区政府", "青溪区人民政府", "qingxi"),
    ("civil-affairs", "部门", "青溪区民政局", "qingxi"),
    ("enforcement", "部门", "青溪区综合行政执法局", "qingxi"),
    ("housing", "部门", "青溪区住房保障和房产局", "qingxi"),
)

URBAN = (
    ("liuye-office", "街道办事处", "柳叶街道办事处", "liuye"),
    ("wutongli-party", "社区(村)党组织", "梧桐里社区党委", "wutongli"),
    ("wutongli-committee", "居民委员会", "梧桐里社区居民委员会", "wutongli"),
    ("wutongli-supervision", "居(村)务监督委员会", "梧桐里社区居务监督委员会", "wutongli"),
    ("wutongli-council", "居民(村民)议事会", "梧桐里社区居民议事会", "wutongli"),
    ("wutongli-mediation", "人民调解委员会", "梧桐里社区人民调解委员会", "wutongli"),
    ("wutongli-center", "党群服务中心", "梧桐里社区党群服务中心", "wutongli"),
    ("tongyin-property", "物业服务企业", "桐荫公益物业服务站", "桐荫苑"),
    ("huimin-property", "物业服务企业", "惠民物业", "梧桐新村"),
    ("jinan-property", "物业服务企业", "锦安物业", "荷塘月色"),
    ("heju-property", "物业服务企业", "和居物业", "秋水名邸"),
    ("hetang-owners", "业主委员会", "荷塘月色业主委员会", "荷塘月色"),
    ("qiushui-owners", "业主委员会", "秋水名邸业主委员会", "秋水名邸"),
    ("unit-bank", "驻区单位", "青溪农商银行商务街支行", "wutongli-G12"),
    ("unit-school", "驻区单位", "青溪区第三小学", "wutongli-G12"),
    ("unit-clinic", "驻区单位", "柳叶社区卫生服务中心", "wutongli-G12"),
    ("unit-post", "驻区单位", "青溪邮政支局", "wutongli-G12"),
)

RURAL = (
    ("chenghu-government", "镇政府", "澄湖镇人民政府", "chenghu"),
    ("liuqiao-party", "社区(村)党组织", "柳桥村党支部", "liuqiao"),
    ("liuqiao-committee", "村民委员会", "柳桥村村民委员会", "liuqiao"),
    ("liuqiao-supervision", "居(村)务监督委员会", "柳桥村村务监督委员会", "liuqiao"),
    ("liuqiao-economy", "集体经济组织", "柳桥村股份经济合作社", "liuqiao"),
)

# name, office, organisation, place, title
_URBAN_STAFF = (
    ("周文静", "党组织书记", "wutongli-party", "wutongli", "社区党委书记"),
    ("许国平", "居委会负责人", "wutongli-committee", "wutongli", "居委会副主任(主持工作)"),
    ("许国平", "主持人", "wutongli-committee", "wutongli", "议事会主持人"),
    ("陶颖", "社区工作人员", "wutongli-committee", "wutongli", "居委会委员、文书"),
    ("陈巧云", "监督委员会成员", "wutongli-supervision", "wutongli", "居务监督委员会主任"),
    ("殷桂生", "监督委员会成员", "wutongli-supervision", "wutongli", "居务监督委员会委员"),
    ("鲁美琴", "监督委员会成员", "wutongli-supervision", "wutongli", "居务监督委员会委员"),
    ("钱明远", "计票人", "wutongli-committee", "wutongli", "计票人"),
    ("郑小芳", "计票人", "wutongli-committee", "wutongli", "计票人"),
    ("俞敏之", "主持人", "wutongli-committee", "wutongli", "主持人"),
    ("马立新", "网格员", "wutongli-committee", "wutongli-G02", "网格员"),
    ("韩露", "网格员", "wutongli-committee", "wutongli-G05", "网格员"),
    ("丁海涛", "业主委员会成员", "hetang-owners", "荷塘月色", "业主委员会主任"),
    ("方敬言", "业主委员会成员", "qiushui-owners", "秋水名邸", "业主委员会主任"),
    ("贺守成", "物业服务企业", "tongyin-property", "桐荫苑", "项目经理"),
    ("房大年", "物业服务企业", "huimin-property", "梧桐新村", "项目经理"),
    ("祝新民", "物业服务企业", "jinan-property", "荷塘月色", "项目经理"),
    ("戚少华", "物业服务企业", "heju-property", "秋水名邸", "项目经理"),
    ("林栋", "街道(镇)、部门经办人", "liuye-office", "liuye", "民政办主任"),
    ("宋晓岚", "街道(镇)、部门经办人", "liuye-office", "liuye", "民政办科员"),
    ("高翔", "街道(镇)、部门经办人", "enforcement", "qingxi", "执法大队经办人"),
    ("苏敏", "街道(镇)、部门经办人", "hotline", "ninglan", "工单经办人"),
    ("顾宁", "督查人员", "district-government", "qingxi", "督查专员"),
    ("方一鸣", "系统管理员", "data-bureau", "ninglan", "系统管理员"),
    ("谭清", "个人信息保护负责人", "data-bureau", "ninglan", "个人信息保护负责人"),
)
_URBAN_COMMITTEES = (
    "周文静",
    "许国平",
    "陶颖",
    "沈立群",
    "葛小梅",
    "汪志远",
    "戴玉芬",
    "倪卫东",
    "苗春燕",
)  # 9

_RURAL_STAFF = (
    ("柳长青", "党组织书记", "liuqiao-party", "liuqiao", "村党支部书记"),
    ("蒋春山", "村委会负责人", "liuqiao-committee", "liuqiao", "村委会主任"),
    ("蒋春山", "主持人", "liuqiao-committee", "liuqiao", "村民代表会议主持人"),
    ("顾小满", "社区工作人员", "liuqiao-committee", "liuqiao", "村委会委员、文书"),
    ("史怀玉", "监督委员会成员", "liuqiao-supervision", "liuqiao", "村务监督委员会主任"),
    ("秦有福", "监督委员会成员", "liuqiao-supervision", "liuqiao", "村务监督委员会委员"),
    ("耿秋菊", "监督委员会成员", "liuqiao-supervision", "liuqiao", "村务监督委员会委员"),
    ("费学农", "计票人", "liuqiao-committee", "liuqiao", "计票人"),
    ("尤水英", "计票人", "liuqiao-committee", "liuqiao", "计票人"),
    ("龚伟民", "街道(镇)、部门经办人", "chenghu-government", "chenghu", "农业农村办主任"),
)
_RURAL_COMMITTEES = ("柳长青", "蒋春山", "顾小满", "卞大力", "单巧珍")

STAFF_NAMES = frozenset(
    {name for name, *_ in _URBAN_STAFF + _RURAL_STAFF} | {*_URBAN_COMMITTEES, *_RURAL_COMMITTEES}
)


def organisations(rows: Sequence[tuple[str, str, str, str]]) -> Rows:
    return [
        {"code": code, "kind": kind, "name": name, "node_code": node}
        for code, kind, name, node in rows
    ]


def urban_offices(
    inventor: Inventor, known: Mapping[str, Invented], speakers: Mapping[str, Sequence[Invented]]
) -> Rows:
    """``known`` are people whom other registers have; ``speakers`` who speak for a household, by
    estate. 67 representatives and 9 members of the two committees; 15 of them in the council."""
    staff = _Staff(inventor, known)
    rows = [staff.row(*office) for office in _URBAN_STAFF]
    rows += [
        _row(inventor.person(), "网格员", "wutongli-committee", f"wutongli-G{number:02d}")
        for number in range(1, 13)
        if number not in (2, 5)  # 马立新 and 韩露
    ]
    source = random.Random("representatives")  # noqa: S311  the same people each time, on purpose
    elected = [
        (person, estate)
        for estate, count in (("桐荫苑", 16), ("梧桐新村", 17), ("荷塘月色", 21), ("秋水名邸", 13))
        for person in source.sample(speakers[estate], count)
    ]
    for person, estate in elected:
        title = f"居民代表({estate})"
        rows.append(_row(person, "居民代表", "wutongli-committee", "wutongli", title))
    for name in _URBAN_COMMITTEES:
        person = staff.person(name)
        rows.append(_row(person, "居民代表", "wutongli-committee", "wutongli", "“两委”成员"))
    for person, _ in source.sample(elected, 15):
        rows.append(_row(person, "议事会成员", "wutongli-council", "wutongli", "议事会成员"))
    for name in ("戴玉芬", "倪卫东"):
        rows.append(staff.row(name, "计票人", "wutongli-committee", "wutongli", "复核计票人"))
    return rows


def rural_offices(inventor: Inventor, speakers: Sequence[Sequence[Invented]]) -> Rows:
    """86 representatives of the five groups and 5 members of the two committees."""
    staff = _Staff(inventor, {})
    rows = [staff.row(*office) for office in _RURAL_STAFF]
    source = random.Random("villagers")  # noqa: S311  the same people each time, on purpose
    for number, (group, count) in enumerate(zip(speakers, (17, 17, 17, 17, 18), strict=True), 1):
        rows.append(_row(inventor.person(), "网格员", "liuqiao-committee", f"liuqiao-{number}"))
        for person in source.sample(group, count):
            title = f"村民代表(第{number}组)"
            rows.append(_row(person, "村民代表", "liuqiao-committee", "liuqiao", title))
    for name in _RURAL_COMMITTEES:
        person = staff.person(name)
        rows.append(_row(person, "村民代表", "liuqiao-committee", "liuqiao", "“两委”成员"))
    return rows


class _Staff:
    """People in office by name: those whom another register has, or new ones."""

    def __init__(self, inventor: Inventor, known: Mapping[str, Invented]) -> None:
        self._inventor = inventor
        self._people = dict(known)

    def person(self, name: str) -> Invented:
        if name not in self._people:
            self._people[name] = self._inventor.person(name)
        return self._people[name]

    def row(self, name: str, role: str, org: str, node: str, title: str) -> dict[str, str]:
        basis = _ELECTED if "委" in title else _APPOINTED
        return _row(self.person(name), role, org, node, title, basis)


def _row(
    person: Invented, role: str, org: str, node: str, title: str = "", basis: str = _ELECTED
) -> dict[str, str]:
    return {
        "person_key": person.key,
        "person_name": person.name,
        "person_phone": person.phone,
        "role": role,
        "org_code": org,
        "node_code": node,
        "valid_from": TERM,
        "title": title or role,
        "basis": basis,
    }
