"""What the commands of ``minyi`` share: the settings file, and how they stop."""

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

    try:
        return settings.load(env_file)
    except settings.SettingsUnusable as error:
        stop(str(error))
