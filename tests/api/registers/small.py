"""The registers of a small community, line by line; handing them in, and what came of it."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from sqlmodel import func, select

from api.registers import take_register
from consultation.community.commands.registers import ImportReport
from consultation.community.register_cells import Reason
from consultation.community.registers import RegisterKind, RegisterRefused
from consultation.database import Database

Line = Sequence[str]
TREE: list[Line] = [
    ("编码", "类型", "上级编码", "名称", "网格编码", "建成年份"),
    ("T-3-2", "单元", "T-3", "2单元", "G1", ""),  # below its parent's line on purpose
    ("city", "市", "", "宁澜市", "", ""),
    ("district", "区", "city", "青溪区", "", ""),
    ("street", "街道", "district", "柳叶街道", "", ""),
    ("home", "社区", "street", "梧桐里社区", "", ""),
    ("G1", "网格", "home", "G01", "", ""),
    ("G2", "网格", "home", "G02", "", ""),
    ("T", "小区", "home", "桐荫苑", "", "1996"),
    ("T-3", "楼栋", "T", "3幢", "G1", ""),
]
ORGS: list[Line] = [
    ("组织编码", "组织类型", "组织名称", "所在编码"),
    ("party", "社区(村)党组织", "梧桐里社区党委", "home"),
    ("watch", "居(村)务监督委员会", "监督委员会", "home"),
    ("office", "街道办事处", "柳叶街道办事处", "street"),
]
UNITS: list[Line] = [
    (
        "房屋编码",
        "小区编码",
        "楼栋编码",
        "单元编码",
        "房屋类型",
        "专有面积",
        "业主编号",
        "业主姓名",
        "业主手机号",
        "表决代表",
    ),
    ("U1", "T", "T-3", "T-3-2", "住宅", "68.35", "A1", "何建军", "19900000001", ""),
    ("U2", "T", "T-3", "T-3-2", "住宅", "74.20", "A2;A3", "孙桂兰;孙大海", ";19900000003", "A2"),
    ("U3", "T", "T-3", "T-3-2", "住宅", "68.3", "A1", "何建军", "19900000001", ""),
]
HOMES: list[Line] = [
    ("户编码", "房屋编码", "在住", "成年人数", "户代表编号", "户代表姓名", "户代表手机号"),
    ("H1", "U1", "是", "2", "A1", "何建军", "19900000001"),
    ("H2", "U2", "是", "3", "A2", "孙桂兰", ""),
    ("H3", "U3", "是", "1", "B1", "李想", "19900000009"),
]
ROLES: list[Line] = [
    (
        "编号",
        "姓名",
        "手机号",
        "职务",
        "组织编码",
        "任职范围编码",
        "任职起始",
        "任职截止",
        "任职依据",
    ),
    ("S1", "周文静", "19900000011", "党组织书记", "party", "home", "2026-01-01", "", "任职文件"),
    ("S2", "陈巧云", "19900000012", "监督委员会成员", "watch", "home", "2026-01-01", "", "选举"),
]
SMALL = {
    RegisterKind.TREE: TREE,
    RegisterKind.ORGANISATIONS: ORGS,
    RegisterKind.UNITS: UNITS,
    RegisterKind.HOUSEHOLDS: HOMES,
    RegisterKind.ROLES: ROLES,
}


def as_csv(lines: Sequence[Line], encoding: str = "utf-8") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(lines)
    return file.getvalue().encode(encoding)


async def take(
    db: Database, kind: RegisterKind, lines: Sequence[Line], community: str = "home"
) -> ImportReport:
    return await take_register(db, kind, as_csv(lines), community_code=community)


async def refused(
    db: Database, kind: RegisterKind, lines: Sequence[Line]
) -> list[tuple[int, str, Reason]]:
    with pytest.raises(RegisterRefused) as caught:
        await take(db, kind, lines)
    return [(cell.line, cell.column, cell.reason) for cell in caught.value.cells]


async def count(db: Database, table: Any) -> int:
    async with db.read() as tx:
        return (await tx.session.exec(select(func.count()).select_from(table))).one()


async def rows(db: Database, statement: Any) -> list[Any]:
    async with db.read() as tx:
        return list(await tx.session.exec(statement))


def line(lines: list[Line], code: str, **cells: str) -> list[Line]:
    """The file with some cells of a row changed, by their headers."""
    header, *rest = lines
    return [
        header,
        *(
            [cells.get(name, cell) for name, cell in zip(header, row, strict=True)]
            if row[0] == code
            else row
            for row in rest
        ),
    ]
