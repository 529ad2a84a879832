"""Register files: CSV (UTF-8 with or without a mark, GB18030) and XLSX, read into cells of text."""

import csv
import hashlib
import io
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineError, load_workbook

from api.app import build_database
from api.settings import Settings
from api.words import say
from consultation.community.commands.registers import ImportReport, import_register
from consultation.community.register_cells import Reason
from consultation.community.registers import (
    BadCell,
    RegisterKind,
    RegisterRefused,
    Sheet,
    read_register,
)
from consultation.community.rules import CommunityUnknown
from consultation.database import Database
from consultation.permissions import SYSTEM


class UnreadableFile(Exception):
    """Neither CSV in a known encoding nor XLSX."""

    bad = BadCell(1, "", Reason.FILE_UNREADABLE)


def read_sheet(content: bytes) -> Sheet:
    """The first sheet of a workbook, or a CSV file: what it is shows in its first bytes, and not in
    its name. Raises UnreadableFile."""
    lines = _xlsx(content) if content.startswith(b"PK\x03\x04") else _csv(content)
    rows = [(line, tuple(cells)) for line, cells in lines if any(cell.strip() for cell in cells)]
    if not rows or rows[0][0] != lines[0][0]:
        return Sheet((), ())
    header = tuple(cell.strip() for cell in rows[0][1])
    return Sheet(header, tuple(rows[1:]))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _csv(content: bytes) -> list[tuple[int, list[str]]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise UnreadableFile()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            lines.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        raise UnreadableFile() from None
    return lines


def _xlsx(content: bytes) -> list[tuple[int, list[str]]]:
    try:
        sheet = load_workbook(io.BytesIO(content)).get_sheet_by_index(0)
    except CalamineError:
        raise UnreadableFile() from None
    rows = sheet.to_python(skip_empty_area=False)
    return [(line, [_text(cell) for cell in cells]) for line, cells in enumerate(rows, 1)]


def _text(cell: str | float | bool | date | datetime | time | timedelta) -> str:
    """As a person would have typed it: 3.0 is 3, 68.35 is 68.35, a date is 2026-03-01."""
    match cell:
        case bool():
            return "是" if cell else "否"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return cell.date().isoformat()
        case date():
            return cell.isoformat()
        case _:
            return str(cell)


async def take_register(
    db: Database, kind: RegisterKind, content: bytes, *, community_code: str
) -> ImportReport:
    """Import one file as the command line does it; refuses with RegisterRefused or
    CommunityUnknown."""
    try:
        sheet = read_sheet(content)
    except UnreadableFile as error:
        raise RegisterRefused(kind, [error.bad]) from None
    async with db.begin(SYSTEM) as tx:
        return await import_register(
            tx, read_register(kind, sheet), community_code=community_code, digest=digest(content)
        )


def describe(report: ImportReport, locale: str) -> list[str]:
    """What an import did, in lines for a person."""
    kind = say(locale, f"words.register_kind.{report.kind}")
    facts = {"kind": kind, "rows": report.rows, "added": report.added}
    facts |= {"changed": report.changed, "unchanged": report.unchanged}
    return [
        say(locale, "registers.taken", facts),
        *(
            say(
                locale,
                "registers.large",
                {"place": large.node_code, "households": large.households, "norm": large.norm},
            )
            for large in report.warnings
        ),
        *(say(locale, "registers.kept", {"code": code}) for code in report.kept),
    ]


def explain(refused: RegisterRefused, locale: str) -> list[str]:
    """Every bad cell, a line each, and how many there were."""
    lines = [
        say(
            locale,
            "registers.bad",
            {
                "line": cell.line,
                "column": cell.column,
                "reason": say(locale, f"words.register_reason.{cell.reason}"),
            },
        )
        for cell in refused.cells
    ]
    kind = say(locale, f"words.register_kind.{refused.kind}")
    facts = {"kind": kind, "count": len(refused.cells)}
    return [*lines, say(locale, "registers.refused", facts)]


async def import_file(
    settings: Settings, kind: RegisterKind, content: bytes, *, community_code: str, locale: str
) -> tuple[bool, list[str]]:
    """Whether the file was taken over, and what to say about it."""
    db = build_database(settings)
    try:
        report = await take_register(db, kind, content, community_code=community_code)
    except RegisterRefused as refused:
        return False, explain(refused, locale)
    except CommunityUnknown as unknown:
        return False, [say(locale, "problems.community-unknown.detail", unknown.facts)]
    finally:
        await db.dispose()
    return True, describe(report, locale)
