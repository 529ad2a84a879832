"""What the repository holds would work, and say the same, on any machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINS = (ROOT / "tests/constraints.txt").read_text("utf-8")
LOCKS = {"uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"}
A_MACHINE = re.compile(
    r"/(?:home|Users|root|work)/\w+|pypi\.org|pythonhosted|/simple/?\b|index-url"
)
"""Folders of one machine, and addresses of package registries."""


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_pins_name_versions_and_no_addresses() -> None:
    assert "://" not in PINS
    assert [
        line for line in PINS.splitlines() if not re.match(r"[a-z0-9-]+==\S+( ; .+)?$", line)
    ] == []


def test_everything_that_pyproject_asks_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split(r"[^a-z0-9-]", name)[0] for name in asked}
    pinned = {line.partition("==")[0] for line in PINS.splitlines()}

    assert wanted - pinned == set()


def test_no_lock_file_with_addresses_is_tracked(tracked: list[Path]) -> None:
    assert [path for path in tracked if path.name in LOCKS] == []


def test_no_tracked_file_names_a_machine_or_a_registry(tracked: list[Path]) -> None:
    found = []
    for path in tracked:
        if path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in A_MACHINE.finditer(text)]
    assert found == []
