"""Packages from npm that tests use, installed once per checkout into pytest's own cache."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = ("@asyncapi/specs@6.11.1", "ws@8.23.0")


def packages(config: pytest.Config) -> Path:
    """The folder of ``node_modules``. Skips the test where there is no Node or no registry, and
    fails it when all must run (``REQUIRE_ALL``)."""
    assert config.cache is not None
    folder = config.cache.mkdir("node")
    modules = folder / "node_modules"
    stamp = folder / ("installed-" + "-".join(PACKAGES).replace("/", "-"))
    if stamp.exists():
        return modules
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return _without("Node is not installed")
    done = subprocess.run(
        [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", *PACKAGES],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        return _without("npm cannot install packages")
    stamp.touch()
    return modules


def _without(reason: str) -> Path:
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(f"{reason}, and REQUIRE_ALL is set")
    pytest.skip(reason)
