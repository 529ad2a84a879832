"""The command line, run as a user runs it: as a process of its own, in an empty folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from api.migrations import runner

MINYI = Path(sys.executable).with_name("minyi")
OURS = {name: value for name, value in os.environ.items() if not name.startswith("MINYI_")}


@pytest.fixture
def minyi(tmp_path: Path) -> object:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MINYI, *arguments],
            cwd=tmp_path,
            env=OURS | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_serve_without_secrets_says_which_are_missing(minyi) -> None:
    done = minyi("serve")

    assert done.returncode == 1
    assert "MINYI_FIELD_SECRET" in done.stderr
    assert "MINYI_TOKEN_KEY" in done.stderr
    assert "minyi secrets" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_secret_is_refused_and_not_shown(minyi) -> None:
    done = minyi("serve", MINYI_FIELD_SECRET="s3cret-too-short", MINYI_TOKEN_KEY="not-hex-at-all")

    assert done.returncode == 1
    assert "MINYI_TOKEN_KEY" in done.stderr
    assert "MINYI_FIELD_SECRET" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
    assert "not-hex" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_secrets_are_fresh_for_the_owner_only_and_never_overwritten(minyi, tmp_path: Path) -> None:
    assert minyi("secrets").returncode == 0
    file = tmp_path / "var/minyi.env"
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    again = minyi("secrets")

    assert again.returncode == 1
    assert "never overwritten" in again.stderr
    assert file.read_text() == first
    assert minyi("secrets", "--to", "other.env").returncode == 0
    assert not set(first.splitlines()) & set((tmp_path / "other.env").read_text().splitlines())


def test_serve_refuses_a_database_that_is_not_at_the_head(minyi) -> None:
    minyi("secrets")

    done = minyi("serve")

    assert done.returncode == 1
    assert "minyi migrate up" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_goes_up_checks_and_goes_down(minyi) -> None:
    minyi("secrets", "--to", "my.env")
    mine = ("--env-file", "my.env")

    assert minyi("migrate", "check", *mine).returncode == 1
    up = minyi("migrate", "up", *mine)
    assert up.stdout == f"At revision {runner.head()}.\n", up.stderr
    assert minyi("migrate", "check", *mine).returncode == 0
    assert minyi("migrate", "down", "base", *mine).stdout == "At revision none.\n"
    assert minyi("migrate", "check", *mine).returncode == 1


def test_help_does_not_load_the_application() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, api.cli; print([m for m in ('fastapi', 'sqlalchemy', 'alembic',"
            " 'pydantic', 'httpx', 'uvicorn') if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_serve_stops_at_rules_that_are_looser_than_the_law(minyi, tmp_path: Path) -> None:
    minyi("secrets")
    minyi("migrate", "up")
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "own.toml").write_text(
        'id = "civil278_special"\nversion = 2026-03-01\neffective_from = 2026-03-01\n'
        "window_days_min = 1\n"
    )

    done = minyi("serve", MINYI_PRESETS_DIR=str(rules))

    assert done.returncode == 1
    assert "own.toml: looser than civil278_special@2021-01-01: window_days_min." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ACCESS_TOKEN_SECONDS", "-5", "MINYI_ACCESS_TOKEN_SECONDS: Input should be greater"),
        ("PUBLIC_URL", "foo", "MINYI_PUBLIC_URL: Value error, must be an address"),
        ("DATABASE_URL", "mysql://me:pw@h/d", "MINYI_DATABASE_URL: Value error, must begin with"),
        ("LIVE_ORIGINS", "https://x", "MINYI_LIVE_ORIGINS: must be JSON"),
        ("WECHAT_TEMPLATES", "zzz", "MINYI_WECHAT_TEMPLATES: must be JSON"),
        ("PRODUCTION", "true", "production needs MINYI_WECHAT_APP_ID"),
        ("SMS_PROVIDER", "http", "needs MINYI_SMS_URL, MINYI_SMS_SECRET and MINYI_SMS_TEMPLATES"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_as_people_set_it(
    minyi, name: str, value: str, said: str
) -> None:
    minyi("secrets")

    done = minyi("serve", **{f"MINYI_{name}": value})

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "minyi secrets" not in done.stderr  # no key is missing
    assert "pw@" not in done.stderr


def test_a_variable_that_is_no_setting_is_said_with_the_one_that_was_meant(minyi) -> None:
    minyi("secrets")

    done = minyi("migrate", "up", MINYI_LIVEORIGINS="[]", MINYI_ENV_FILE="var/minyi.env")

    assert done.returncode == 0
    assert done.stderr == "MINYI_LIVEORIGINS is no setting; MINYI_LIVE_ORIGINS is one.\n"


@pytest.mark.parametrize(
    "command",
    [
        ("verify-journal",),
        ("renew-log",),
        ("deliveries",),
        ("pack", "00000000-0000-0000-0000-000000000000", "--to", "pack"),
        ("import", "tree", "tree.csv", "--community", "x"),
    ],
)
def test_a_command_on_a_database_that_is_not_at_the_head_says_so(
    minyi, tmp_path: Path, command: tuple[str, ...]
) -> None:
    minyi("secrets")
    (tmp_path / "tree.csv").write_text("code\n")

    done = minyi(*command)

    assert done.returncode == 1
    assert "Run `minyi migrate up` first." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("serve",), ("migrate", "up"), ("verify-journal",)])
def test_a_database_that_is_not_there_is_one_line(minyi, command: tuple[str, ...]) -> None:
    minyi("secrets")

    done = minyi(*command, MINYI_DATABASE_URL="postgresql+asyncpg://me:hidden@127.0.0.1:9/minyi")

    assert done.returncode == 1
    assert "The database does not answer: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_a_folder_that_cannot_be_written_stops_the_server(minyi, tmp_path: Path) -> None:
    minyi("secrets")
    minyi("migrate", "up")
    (tmp_path / "file").touch()

    done = minyi("serve", MINYI_BOX_KEYS_DIR=str(tmp_path / "file" / "keys"))

    assert done.returncode == 1
    assert "MINYI_BOX_KEYS_DIR: nothing can be written to" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_columns_of_a_register_are_printed_without_a_database(minyi) -> None:
    done = minyi("import", "units", "--columns")

    assert done.returncode == 0, done.stderr
    assert "房屋编码\tcode\t必填 required" in done.stdout.splitlines()
    assert "业主姓名\towner_names" in done.stdout.splitlines()
    assert minyi("import", "units").returncode == 1
