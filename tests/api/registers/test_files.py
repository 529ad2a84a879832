"""The files themselves: CSV, workbook, their words, and the command line that takes them over."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from sqlmodel import select
from typer.testing import CliRunner

from api.cli import cli
from api.registers import take_register
from api.words import catalogue
from consultation.community.register_cells import Reason
from consultation.community.register_words import (
    NODE_WORDS,
    ORG_WORDS,
    RESIDENCE_WORDS,
    ROLE_WORDS,
    UNIT_WORDS,
    plain_word,
)
from consultation.community.registers import RegisterKind, RegisterRefused
from consultation.community.rules import GRANTABLE
from consultation.community.tables import Node
from consultation.database import Database
from consultation.permissions import Role
from tests.api.registers.small import TREE, UNITS, as_csv, rows
from tests.conftest import SECRET


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_csv_may_be_encoded_as_offices_do(db: Database, encoding: str) -> None:
    report = await take_register(
        db, RegisterKind.TREE, as_csv(TREE, encoding), community_code="home"
    )
    assert report.added == 9
    assert (await rows(db, select(Node.name).where(Node.code == "T")))[0] == "桐荫苑"


async def test_a_workbook_reads_like_the_csv(small: Database, tmp_path: Path) -> None:
    path = tmp_path / "units.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate([*UNITS[:2], [""] * 10, *UNITS[2:]]):
            for place, cell in enumerate(line):
                plain = cell.replace(".", "", 1).isdigit()
                (sheet.write_number if plain else sheet.write_string)(number, place, _cell(cell))
    report = await take_register(
        small, RegisterKind.UNITS, path.read_bytes(), community_code="home"
    )
    assert (report.rows, report.unchanged) == (3, 3)

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for place, cell in enumerate(UNITS[0]):
            sheet.write(0, place, cell)
        sheet.write(4, 0, "U1")
    with pytest.raises(RegisterRefused) as caught:
        await take_register(small, RegisterKind.UNITS, path.read_bytes(), community_code="home")
    assert {cell.line for cell in caught.value.cells} == {5}  # as the office program counts


def _cell(text: str) -> Any:
    return float(text) if text.replace(".", "", 1).isdigit() else text


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00\x81", b"PK\x03\x04 not a workbook", b'a,"b\n'], ids=str
)
async def test_what_is_neither_csv_nor_workbook_is_refused(db: Database, content: bytes) -> None:
    with pytest.raises(RegisterRefused) as caught:
        await take_register(db, RegisterKind.TREE, content, community_code="home")
    assert [cell.reason for cell in caught.value.cells] == [Reason.FILE_UNREADABLE]


async def test_the_command_line_takes_a_register_over_or_says_what_is_wrong(
    database_url: str, tmp_path: Path
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        environment = {
            "MINYI_DATABASE_URL": database_url,
            "MINYI_FIELD_SECRET": SECRET,
            "MINYI_TOKEN_KEY": "11" * 32,
            "MINYI_BOARD_KEY": "22" * 32,
        }
        done = CliRunner().invoke(cli, ["import", *arguments], env=environment)
        return done.exit_code, done.output

    tree, units = tmp_path / "tree.csv", tmp_path / "units.csv"
    tree.write_bytes(as_csv(TREE))
    units.write_bytes(as_csv([UNITS[0], (*UNITS[1][:5], "68.355", *UNITS[1][6:])]))

    async def in_a_thread(*arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(run, *arguments)

    code, said = await in_a_thread("units", str(units), "--community", "home")
    assert (code, "home" in said) == (1, True)
    code, said = await in_a_thread("tree", str(tree), "--community", "home")
    assert (code, "新增 9" in said) == (0, True)
    code, said = await in_a_thread("tree", str(tree), "--community", "home", "--language", "en")
    assert (code, "9 unchanged" in said) == (0, True)
    code, said = await in_a_thread("units", str(units), "--community", "home")
    assert code == 1
    assert "第 2 行 专有面积" in said
    code, said = await in_a_thread("nonsense", str(units), "--community", "home")
    assert (code, "households" in said) == (1, True)


def test_every_word_that_people_read_may_be_written_in_a_register() -> None:
    texts = catalogue("zh-CN")
    for group, words in (
        ("node_kind", NODE_WORDS),
        ("unit_kind", UNIT_WORDS),
        ("org_kind", ORG_WORDS),
        ("residence_kind", RESIDENCE_WORDS),
    ):
        members = {str(member): member for member in words.values()}
        for value, member in members.items():
            assert words[plain_word(texts[f"words.{group}.{value}"])] is member
            assert words[value] is member
    for role in GRANTABLE[Role.SYSTEM]:
        assert ROLE_WORDS[plain_word(texts[f"words.role.{role}"])] is role


def test_every_reason_has_words() -> None:
    for locale in ("zh-CN", "en"):
        reasons = {
            key.rsplit(".", 1)[1]
            for key in catalogue(locale)
            if key.startswith("words.register_reason.")
        }
        assert reasons == {reason.value for reason in Reason}
