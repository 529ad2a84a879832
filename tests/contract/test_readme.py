"""The README is a promise too."""

import re
from pathlib import Path

import pytest

from api.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_two_commands_come_first(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert text.index("make demo") < text.index("make test") < text.index("## ")
    assert "client-spec/pictures/topic.png" in text
    assert "@@" not in text


def test_every_setting_is_named() -> None:
    text = (ROOT / "README.md").read_text("utf-8")

    missing = [n for n in Settings.model_fields if f"`MINYI_{n.upper()}`" not in text]
    assert missing == []


def test_no_setting_has_two_rows() -> None:
    rows = [
        line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if "MINYI_" in line
    ]
    named = [line.split("`")[1] for line in rows if line.startswith("| `MINYI_")]
    assert len(named) == len(set(named)) >= len(Settings.model_fields)


def test_the_long_runs_are_one_command() -> None:
    """Whatever a test runs only briefly unless it is told to."""
    told = re.compile(r'"(MINYI_\w+_(?:RUNS|EVENTS|WHOLE))"')
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    texts = {path: path.read_text("utf-8") for path in tests}
    [(_, recipe)] = re.findall(
        r"^long:(.*)\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )

    long = {path: names for path, text in texts.items() if (names := set(told.findall(text)))}
    assert long
    for path, names in long.items():
        assert str(path.relative_to(ROOT)) in recipe
        assert all(f"{name}=" in recipe for name in names)
    assert "make long" in (ROOT / "README.md").read_text("utf-8")


def test_it_is_said_that_the_fake_was_never_compared_with_the_live_service() -> None:
    assert "Nobody has compared the fake WeChat with the live service" in (
        ROOT / "README.md"
    ).read_text("utf-8")
    assert "模拟微信从未与真实的微信服务核对过" in (ROOT / "README.zh-CN.md").read_text("utf-8")


def test_every_decision_record_has_its_five_headings() -> None:
    for record in sorted((ROOT / "consultation" / "decisions").glob("*.md")):
        text = record.read_text("utf-8")
        for heading in ("Status:", "## Context", "## Decision", "## Consequences", "## Considered"):
            assert heading in text, (record.name, heading)
