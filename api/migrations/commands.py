"""``minyi migrate``: the database to a revision of its schema, and back."""

import asyncio
from typing import Annotated

import typer

from api.command import EnvFile, database_answers, settings_or_stop, stop

migrate = typer.Typer(no_args_is_help=True, help="Move the database to a revision of its schema.")


@migrate.command()
def up(
    env_file: EnvFile = None, to: Annotated[str, typer.Argument(help="A revision.")] = "head"
) -> None:
    """Upgrade, by default to the newest revision."""
    settings = settings_or_stop(env_file)
    from api.migrations import runner

    with database_answers():
        asyncio.run(runner.upgrade(settings.database_url, to))
        at = asyncio.run(runner.current(settings.database_url))
    typer.echo(f"At revision {at}.")


@migrate.command()
def down(
    to: Annotated[str, typer.Argument(help="A revision, -1 for one step, or base for none.")],
    env_file: EnvFile = None,
) -> None:
    """Downgrade. What only the newer schema can hold is lost."""
    settings = settings_or_stop(env_file)
    from api.migrations import runner

    with database_answers():
        asyncio.run(runner.downgrade(settings.database_url, to))
        at = asyncio.run(runner.current(settings.database_url))
    typer.echo(f"At revision {at or 'none'}.")


@migrate.command("check")
def check_schema(env_file: EnvFile = None) -> None:
    """Fail unless the database is at the newest revision and its tables are as the program's."""
    settings = settings_or_stop(env_file)
    from api.migrations import runner

    with database_answers():
        at = asyncio.run(runner.current(settings.database_url))
    if at != runner.head():
        stop(f"At revision {at or 'none'}, the newest is {runner.head()}.")
    differences = asyncio.run(runner.differences(settings.database_url))
    if differences:
        stop("\n".join(["The tables differ from the models:", *map(str, differences)]))
    typer.echo(f"At revision {at}, as the models.")


@migrate.command()
def revision(
    message: Annotated[str, typer.Argument(help="What it does, in the imperative.")],
    again: Annotated[
        bool, typer.Option("--again", help="In place of the newest, which no database has seen.")
    ] = False,
) -> None:
    """Write a revision file from what the models have and the newest revision has not."""
    from api.migrations import runner

    asyncio.run(runner.make_revision(message, again=again))
