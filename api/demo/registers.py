"""The registers of the demo communities (all invented), made from a fixed seed.

``rows`` gives what a register file holds, ``write_registers`` the files for ``minyi import``, and
``phones`` everybody's phone by name: names are unique in the city, phones are 1990000xxxx. The
numbers are those of two real-sized communities; each is asserted by importing the files.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from api.demo.estates import ESTATES, Estate, Unit, settle
from api.demo.names import Invented, Inventor
from api.demo.offices import (
    ABOVE,
    RURAL,
    STAFF_NAMES,
    URBAN,
    Rows,
    organisations,
    rural_offices,
    urban_offices,
)
from consultation.community.registers import COLUMNS, RegisterKind

COMMUNITIES = ("wutongli", "liuqiao")

_NAMED = {
    "桐荫苑-3-2-101": "孙桂兰",
    "桐荫苑-3-2-102": "赵长根",
    "桐荫苑-3-2-502": "钱素珍",
    "桐荫苑-3-2-601": "何建军",
    "梧桐新村-9-1-302": "吴晓曼",
    "梧桐新村-8-2-101": "-沈阿婆",
    "荷塘月色-2-1-801": "丁海涛",
    "秋水名邸-1-1-902": "方敬言",
}
"""Who owns and lives in which home; 沈阿婆 has no phone."""

_OTHERS = frozenset({"李想", "小禾"})
_TAKEN = STAFF_NAMES | {name.lstrip("-") for name in _NAMED.values()} | _OTHERS


def rows(community: str, kind: RegisterKind) -> Rows:
    """The rows of one register by column; empty cells may be missing."""
    return _registers()[community][kind]


def write_registers(folder: Path) -> list[tuple[str, RegisterKind, Path]]:
    """``folder/<community>/<kind>.csv`` with Chinese headers; returns them in the order in which
    they must be imported."""
    written = []
    for community in COMMUNITIES:
        (folder / community).mkdir(parents=True, exist_ok=True)
        for kind in RegisterKind:
            path = folder / community / f"{kind}.csv"
            if rows(community, kind):
                _write(path, kind, rows(community, kind))
                written.append((community, kind, path))
    return written


def phones() -> dict[str, str]:
    """Everybody's phone by name, those without one left out."""
    return {person.name: person.phone for person in _people() if person.phone}


def _write(path: Path, kind: RegisterKind, content: Rows) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(column.header for column in COLUMNS[kind])
        for row in content:
            writer.writerow(row.get(column.name, "") for column in COLUMNS[kind])


@cache
def _registers() -> Mapping[str, Mapping[RegisterKind, Rows]]:
    return {"wutongli": _urban(), "liuqiao": _rural()}


def _people() -> Iterator[Invented]:
    for registers in _registers().values():
        for content in registers.values():
            for row in content:
                for prefix in ("person", "representative"):
                    if row.get(f"{prefix}_name"):
                        yield Invented(*(row[f"{prefix}_{x}"] for x in ("key", "name", "phone")))
                if row.get("owner_names"):
                    columns = (row[f"owner_{x}s"].split(";") for x in ("key", "name", "phone"))
                    yield from (Invented(*owner) for owner in zip(*columns, strict=True))


# ---- 梧桐里社区 ---------------------------------------------------------------------------


def _urban() -> dict[RegisterKind, Rows]:
    inventor = Inventor("WTL", taken=_TAKEN, first=0)
    homes = {estate: settle(estate, inventor, _named(estate)) for estate in ESTATES}
    known = {
        owner.name: owner
        for units in homes.values()
        for unit in units
        for owner in unit.owners
        if owner.name in STAFF_NAMES
    }
    speakers = {
        estate.name: [unit.speaks for unit in units if unit.speaks and unit.code not in _NAMED]
        for estate, units in homes.items()
    }
    return {
        RegisterKind.TREE: [*_above("liuye", "街道", "柳叶街道"), *_urban_tree()],
        RegisterKind.ORGANISATIONS: organisations([*ABOVE, *URBAN, *_party_groups()]),
        RegisterKind.UNITS: [
            _unit(estate, unit) for estate, units in homes.items() for unit in units
        ],
        RegisterKind.HOUSEHOLDS: [
            _household(unit) for units in homes.values() for unit in units if unit.kind == "住宅"
        ],
        RegisterKind.RESIDENTS: _residents(inventor),
        RegisterKind.ROLES: urban_offices(inventor, known, speakers),
    }


def _named(estate: Estate) -> dict[str, str]:
    return {code: name for code, name in _NAMED.items() if code.startswith(estate.name)}


def _above(code: str, kind: str, name: str) -> Rows:
    return [
        {"code": "ninglan", "kind": "市", "name": "宁澜市"},
        {"code": "qingxi", "kind": "区", "parent_code": "ninglan", "name": "青溪区"},
        {"code": code, "kind": kind, "parent_code": "qingxi", "name": name},
    ]


def _urban_tree() -> Iterator[dict[str, str]]:
    yield {"code": "wutongli", "kind": "社区", "parent_code": "liuye", "name": "梧桐里社区"}
    for number in range(1, 13):
        code = _grid(number)
        yield {"code": code, "kind": "网格", "parent_code": "wutongli", "name": f"G{number:02d}"}
    for estate in ESTATES:
        yield {
            "code": estate.name,
            "kind": "小区",
            "parent_code": "wutongli",
            "name": estate.name,
            "built_year": str(estate.built),
            "estate_type": estate.type,
            "manager": estate.manager,
        }
        for building in range(1, estate.buildings + 1):
            grids = {estate.grid(building, e) for e in range(1, estate.entrances + 1)}
            yield {
                "code": f"{estate.name}-{building}",
                "kind": "楼栋",
                "parent_code": estate.name,
                "name": f"{building}幢",
                "grid_code": _grid(grids.pop()) if len(grids) == 1 else "",
            }
            for entrance in range(1, estate.entrances + 1):
                yield {
                    "code": f"{estate.name}-{building}-{entrance}",
                    "kind": "单元",
                    "parent_code": f"{estate.name}-{building}",
                    "name": f"{entrance}单元",
                    "grid_code": _grid(estate.grid(building, entrance)),
                }
    yield {
        "code": "青溪商务街",
        "kind": "商业街",
        "parent_code": "wutongli",
        "name": "青溪商务街",
        "grid_code": _grid(12),
    }


def _grid(number: int) -> str:
    return f"wutongli-G{number:02d}"


def _party_groups() -> list[tuple[str, str, str, str]]:
    return [
        (f"party-{_grid(n)}", "网格党小组", f"G{n:02d}网格党小组", _grid(n)) for n in range(1, 13)
    ]


def _unit(estate: Estate, unit: Unit) -> dict[str, str]:
    building = f"{estate.name}-{unit.building}"
    return {
        "code": unit.code,
        "estate_code": estate.name,
        "building_code": building,
        "entrance_code": f"{building}-{unit.entrance}" if unit.entrance else "",
        "kind": unit.kind,
        "area": f"{unit.area // 100}.{unit.area % 100:02d}",
        "developer_unsold": "否",
        "owner_keys": ";".join(owner.key for owner in unit.owners),
        "owner_names": ";".join(owner.name for owner in unit.owners),
        "owner_phones": ";".join(owner.phone for owner in unit.owners),
        "named_voter": unit.owners[0].key,
    }


def _household(unit: Unit) -> dict[str, str]:
    return {
        "code": f"户-{unit.code}",
        "unit_code": unit.code,
        "grid_code": _grid(unit.grid),
        "occupied": "是" if unit.occupied else "否",
        "adults": str(unit.adults),
        "tenure": unit.tenure,
        **_person("representative", unit.speaks),
    }


def _residents(inventor: Inventor) -> Rows:
    """A tenant, a minor, 63 merchants of the business street and one person of each resident
    unit."""
    street = {"grid_code": _grid(12)}
    return [
        _person("person", inventor.person("李想"))
        | {"kind": "租户", "unit_code": "梧桐新村-12-2-501", "grid_code": _grid(6)},
        _person("person", inventor.person("小禾", phone=False))
        | {"kind": "家庭成员", "household_code": "户-梧桐新村-9-1-302", "born_on": "2011-05-20"},
        *(_person("person", inventor.person()) | {"kind": "商户"} | street for _ in range(63)),
        *(
            _person("person", inventor.person()) | {"kind": "驻区单位人员"} | street
            for _ in range(4)
        ),
    ]


def _person(prefix: str, person: Invented | None) -> dict[str, str]:
    key, name, phone = ("", "", "") if person is None else (person.key, person.name, person.phone)
    return {f"{prefix}_key": key, f"{prefix}_name": name, f"{prefix}_phone": phone}


# ---- 柳桥村 -------------------------------------------------------------------------------


def _rural() -> dict[RegisterKind, Rows]:
    inventor = Inventor("LQC", taken=_TAKEN, first=5000)
    groups = [[inventor.person() for _ in range(236)] for _ in range(5)]
    return {
        RegisterKind.TREE: [
            *_above("chenghu", "镇", "澄湖镇"),
            {"code": "liuqiao", "kind": "村", "parent_code": "chenghu", "name": "柳桥村"},
            *(
                {
                    "code": f"liuqiao-{n}",
                    "kind": "村民小组",
                    "parent_code": "liuqiao",
                    "name": f"第{n}村民小组",
                }
                for n in range(1, 6)
            ),
        ],
        RegisterKind.ORGANISATIONS: organisations([*ABOVE, *RURAL]),
        RegisterKind.UNITS: [],
        RegisterKind.HOUSEHOLDS: list(_village_households(groups)),
        RegisterKind.RESIDENTS: [],
        RegisterKind.ROLES: rural_offices(inventor, groups),
    }


def _village_households(groups: Sequence[Sequence[Invented]]) -> Iterator[dict[str, str]]:
    for number, group in enumerate(groups, 1):
        for place, person in enumerate(group, 1):
            yield {
                "code": f"柳桥-{number}-{place:03d}",
                "estate_code": f"liuqiao-{number}",
                "occupied": "是",
                "adults": str(2 + place % 3 // 2),
                **_person("representative", person),
            }
