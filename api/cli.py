"""``minyi``: the command line."""

import typer

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@cli.callback()
def minyi() -> None:
    """民议: a community decides together from its phones."""


def main() -> None:
    cli()
