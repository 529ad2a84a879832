"""What the whole run says at its end: what was skipped, and what was never asked of the API.

With ``REQUIRE_ALL=1`` a skip is a failure. When the whole suite ran, so is an operation that no
test has called with success. The most statements per route are kept in ``.pytest_cache``, from one
run to the next (``--cache-clear`` begins anew), for filling in the budgets.
"""

import os
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from tests import measuring

STATEMENTS = "minyi/statements"


def _no_skips() -> bool:
    return bool(os.environ.get("REQUIRE_ALL"))


def _forbid(report: Any) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL is set, and this was skipped: {_reason(report)}"


def _reason(report: Any) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    if _no_skips():
        _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    if _no_skips():
        _forbid(report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    measuring.merge(node.workeroutput.get(STATEMENTS, {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # one of several workers; the controller sums up
        output[STATEMENTS] = measuring.statements
        return
    if measuring.statements and session.config.cache is not None:
        measured = dict(measuring.statements)
        for name, count in session.config.cache.get(STATEMENTS, {}).items():
            measured[name] = max(count, measured.get(name, 0))
        session.config.cache.set(STATEMENTS, dict(sorted(measured.items())))
    if _whole(session.config) and not session.testsfailed and measuring.never_called():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _whole(config: pytest.Config) -> bool:
    """The whole suite ran: pytest was called without paths and without a selection."""
    return (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not config.option.keyword
        and not config.option.markexpr
        and not config.option.collectonly
        and not config.option.maxfail
        and not getattr(config.option, "lf", False)
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.section("SKIPPED: this machine has not all that the tests use", sep="!")
        for reason, count in skipped.most_common():
            terminalreporter.line(f"{count:5} × {reason.removeprefix('Skipped: ')}")
    if _whole(config) and (never := measuring.never_called()):
        terminalreporter.section("operations that no test has called with success", sep="!")
        terminalreporter.line(", ".join(never))
