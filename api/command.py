"""What the commands of ``minyi`` share: the settings file, and how they stop."""

import asyncio
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from api.settings import Settings

EnvFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MINYI_ENV_FILE", help="Settings file; var/minyi.env is read if it is there."
    ),
]


def stop(message: str) -> NoReturn:
    """End the command with a message in place of a traceback."""
    typer.echo(message, err=True)
    raise typer.Exit(1)


def settings_or_stop(env_file: Path | None) -> "Settings":
    from api import settings

    for line in settings.unknown(os.environ):
        typer.echo(line, err=True)
    try:
        return settings.load(env_file)
    except settings.SettingsUnusable as error:
        stop(str(error))


@contextmanager
def database_answers() -> Generator[None]:
    """A database that cannot be reached or refuses us ends the command in one line; its address,
    which may hold a password, is not in it."""
    from asyncpg import PostgresError
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        stop(f"The database does not answer: {str(error.orig).splitlines()[0]}")
    except (OSError, PostgresError) as error:
        stop(f"The database does not answer: {str(error).splitlines()[0]}")


def at_head_or_stop(settings: "Settings") -> None:
    """The database is there, at the schema of this program."""
    from api.migrations import runner

    with database_answers():
        at = asyncio.run(runner.current(settings.database_url))
    if at != runner.head():
        stop(
            f"The database is at revision {at or 'none'}, this program needs {runner.head()}. "
            "Run `minyi migrate up` first."
        )


def folder_or_stop(name: str, folder: Path) -> None:
    """A folder of the settings, made for us alone if it is not there: that is said, as it may be a
    disk that is not mounted."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
            typer.echo(f"{name}: {folder} was not there and is made, empty.", err=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        stop(f"{name}: nothing can be written to {folder}: {error.strerror}.")
