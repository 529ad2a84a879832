"""The README is a promise too."""

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


def test_every_decision_record_has_its_five_headings() -> None:
    for record in sorted((ROOT / "consultation" / "decisions").glob("*.md")):
        text = record.read_text("utf-8")
        for heading in ("Status:", "## Context", "## Decision", "## Consequences", "## Considered"):
            assert heading in text, (record.name, heading)
