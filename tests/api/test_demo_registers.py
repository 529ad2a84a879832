"""The stated numbers of the demo communities, counted in the database after the real import."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import text

from api.demo.registers import phones, write_registers
from api.registers import take_register
from consultation.database import Database
from consultation.vault import Vault
from tests.conftest import BOARD_KEY, SECRET, ManualClock


@pytest.fixture
async def demo(sqlite_template: Path, tmp_path: Path) -> AsyncGenerator[Database]:
    path = tmp_path / "demo.sqlite3"
    shutil.copy(sqlite_template, path)
    db = Database(
        f"sqlite+aiosqlite:///{path}",
        vault=Vault(SECRET.encode()),
        board_key=BOARD_KEY,
        clock=ManualClock(),
    )
    for community, kind, file in write_registers(tmp_path):
        await take_register(db, kind, file.read_bytes(), community_code=community)
    yield db
    await db.dispose()


async def _rows(db: Database, sql: str) -> list[tuple[object, ...]]:
    async with db.read() as tx:
        return [tuple(row) for row in await (await tx.session.connection()).execute(text(sql))]


async def test_the_demo_communities_have_the_stated_numbers(demo: Database) -> None:
    estates = await _rows(
        demo,
        """
        SELECT e.name,
          (SELECT count(*) FROM node b WHERE b.parent_id = e.id AND b.kind = 'building'),
          (SELECT count(*) FROM property_unit u WHERE u.estate_id = e.id),
          (SELECT sum(area_dm2) FROM property_unit u WHERE u.estate_id = e.id),
          (SELECT count(DISTINCT person_id) FROM ownership o
             JOIN property_unit u ON u.id = o.unit_id WHERE u.estate_id = e.id AND named_voter),
          (SELECT count(*) FROM household h WHERE h.estate_id = e.id AND occupied),
          (SELECT sum(adults) FROM household h WHERE h.estate_id = e.id AND occupied),
          e.homes, e.households, e.adults
        FROM node e WHERE e.kind = 'estate' AND e.facts LIKE '%built_year%' ORDER BY e.facts
        """,
    )
    assert estates == [
        ("桐荫苑", 18, 648, 4618620, 640, 611, 1203, 648, 611, 1203),
        ("梧桐新村", 14, 672, 5241600, 655, 640, 1366, 672, 640, 1366),
        ("荷塘月色", 9, 888, 8965300, 839, 826, 1742, 864, 826, 1742),
        ("秋水名邸", 6, 504, 5821120, 489, 478, 1009, 504, 478, 1009),
    ]
    assert await _rows(
        demo, "SELECT homes, households, adults FROM node WHERE code = 'wutongli'"
    ) == [(2688, 2555, 5320)]
    assert await _rows(demo, "SELECT households FROM node WHERE code = 'liuqiao'") == [(1180,)]
    assert await _rows(demo, "SELECT count(*) FROM node WHERE kind = 'villagers_group'") == [(5,)]
    assert await _rows(demo, "SELECT kind, count(*) FROM property_unit GROUP BY kind") == [
        ("home", 2688),
        ("shop", 24),
    ]
    assert [
        homes
        for (homes,) in await _rows(
            demo, "SELECT homes FROM node WHERE kind = 'grid' ORDER BY name"
        )
    ] == [216, 216, 216, 224, 224, 224, 288, 288, 288, 252, 252, 0]
    assert await _rows(
        demo,
        "SELECT count(*), count(DISTINCT node_id) FROM role_assignment r JOIN node n"
        " ON n.id = r.node_id WHERE role = 'grid_worker' AND n.kind = 'grid'",
    ) == [(12, 12)]
    assert await _rows(
        demo,
        "SELECT r.kind, count(*) FROM residence r JOIN node g ON g.id = r.grid_id"
        " WHERE g.name = 'G12' GROUP BY r.kind ORDER BY r.kind",
    ) == [("merchant", 63), ("unit_member", 4)]
    assert await _rows(demo, "SELECT count(*) FROM organisation WHERE kind = 'resident_unit'") == [
        (4,)
    ]

    representatives = """
        SELECT n.code, count(DISTINCT person_id) FROM role_assignment r
        JOIN organisation o ON o.id = r.org_id JOIN node n ON n.id = r.community_id
        WHERE role = 'representative' AND o.kind {} 'residents_council' GROUP BY n.code
        ORDER BY n.code"""
    assert await _rows(demo, representatives.format("<>")) == [("liuqiao", 91), ("wutongli", 76)]
    assert await _rows(demo, representatives.format("=")) == [("wutongli", 15)]
    assert await _rows(
        demo,
        "SELECT title, count(*) FROM role_assignment r JOIN node n ON n.id = r.node_id"
        " WHERE role = 'representative' AND n.code = 'wutongli' AND title <> '议事会成员'"
        " GROUP BY title ORDER BY 2",
    ) == [
        ("“两委”成员", 9),
        ("居民代表(秋水名邸)", 13),
        ("居民代表(桐荫苑)", 16),
        ("居民代表(梧桐新村)", 17),
        ("居民代表(荷塘月色)", 21),
    ]
    assert await _rows(
        demo,
        "SELECT count(*) FROM role_assignment r JOIN node n ON n.id = r.node_id"
        " WHERE role = 'supervisor' GROUP BY n.code",
    ) == [(3,), (3,)]

    lift = await _rows(
        demo,
        """
        SELECT substr(u.code, -3), area_dm2, count(*) OVER (PARTITION BY person_id), masked_name
        FROM property_unit u JOIN ownership o ON o.unit_id = u.id JOIN person p ON p.id = person_id
        JOIN node e ON e.id = u.entrance_id WHERE e.code = '桐荫苑-3-2' ORDER BY u.code""",
    )
    assert [row[:3] for row in lift] == [
        (f"{floor}0{door}", area, 1)
        for floor in range(1, 7)
        for door, area in ((1, 6835), (2, 7420))
    ]
    assert [row[3] for row in lift if row[0] in ("101", "102", "601")] == ["孙**", "赵**", "何**"]
    assert await _rows(
        demo,
        "SELECT g.name FROM node e JOIN node g ON g.id = e.grid_id WHERE e.code = '桐荫苑-3-2'",
    ) == [("G02",)]
    assert await _rows(
        demo,
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM ownership o JOIN property_unit u"
        " ON u.id = o.unit_id WHERE u.code LIKE '桐荫苑%' AND named_voter GROUP BY person_id)"
        " GROUP BY n ORDER BY n",
    ) == [(1, 633), (2, 6), (3, 1)]
    assert await _rows(
        demo,
        "SELECT count(*) FROM (SELECT unit_id FROM ownership GROUP BY unit_id"
        " HAVING count(*) = 2 AND sum(named_voter) = 1)",
    ) == [(1,)]
    assert await _rows(
        demo,
        "SELECT r.role, n.code FROM role_assignment r JOIN person p ON p.id = r.person_id"
        " JOIN node n ON n.id = r.node_id WHERE p.phone_lookup IN"
        f" ({', '.join(_lookup(demo, name) for name in ('周文静', '许国平', '马立新', '林栋'))})"
        " AND r.role <> 'representative' ORDER BY r.role",
    ) == [
        ("committee_head", "wutongli"),
        ("government", "liuye"),
        ("grid_worker", "wutongli-G02"),
        ("host", "wutongli"),
        ("party_secretary", "wutongli"),
    ]
    assert "沈阿婆" not in phones()


def _lookup(db: Database, name: str) -> str:
    return f"'{db.vault.lookup('phone', phones()[name])}'"
