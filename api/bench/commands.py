"""``minyi bench``: each bench as a command. None is imported before it is asked for."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from api.command import stop

if TYPE_CHECKING:
    from api.bench.report import Report

bench = typer.Typer(no_args_is_help=True, help="Measure, beside a baseline; 1 if a goal is missed.")


def conclude(report: "Report", *, as_json: bool) -> None:
    """Show what a bench has measured; 1 if it missed a goal."""
    typer.echo(report.as_json() if as_json else "\n".join(report.lines()))
    if not report.ok:
        raise typer.Exit(1)


@bench.command()
def read(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Public reads: a topic and a list of 50 at 64 clients, beside a bare answer and the ORM."""
    from api.bench import read

    conclude(read.run(lambda line: typer.echo(line, err=True)), as_json=as_json)


@bench.command("verify")
def bench_verify(
    as_json: Annotated[bool, typer.Option("--json", help="One object, for machines.")] = False,
    packs: Annotated[int, typer.Option(min=1, help="Random honest packs.")] = 200,
) -> None:
    """Random honest packs of every kind and every mutation: all of these refused, none of those."""
    from api.bench import verifying

    conclude(verifying.run(packs), as_json=as_json)


@bench.command("pack")
def bench_pack(
    as_json: Annotated[bool, typer.Option("--json", help="One object, for machines.")] = False,
    ballots: Annotated[int, typer.Option(min=20)] = 5_000,
    runs: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """A closed owners' poll: tally, board and pack in one go, and its check; time per ballot."""
    from api.bench import packing

    conclude(asyncio.run(packing.run(runs, ballots)), as_json=as_json)


@bench.command("cast")
def bench_cast(
    as_json: Annotated[bool, typer.Option("--json", help="One object, for machines.")] = False,
    runs: Annotated[int, typer.Option(min=1)] = 5,
    casts: Annotated[int, typer.Option(min=64, help="In one turn.")] = 6000,
) -> None:
    """Ballots: over HTTP on PostgreSQL at 64 phones, and the store of SQLite; needs two cores."""
    from api.bench import cast, postgres

    try:
        report = cast.run(runs, casts, lambda line: typer.echo(line, err=True))
    except postgres.NoPostgres as error:
        stop(str(error))
    conclude(report, as_json=as_json)


@bench.command("live")
def bench_live(
    as_json: Annotated[bool, typer.Option("--json", help="One object, for machines.")] = False,
    turns: Annotated[int, typer.Option(min=3)] = 15,
    phones: Annotated[int, typer.Option(min=100)] = 10_000,
) -> None:
    """The live socket: fan-out, memory, connections, a restart; two cores and gcc are needed."""
    from api.bench import live

    try:
        report = live.run(turns, phones)
    except live.Unmeasurable as error:
        stop(str(error))
    conclude(report, as_json=as_json)


@bench.command("tally")
def bench_tally(
    as_json: Annotated[bool, typer.Option("--json", help="One object, for machines.")] = False,
    runs: Annotated[int, typer.Option(min=1)] = 5,
    ballots: Annotated[int, typer.Option(min=2000, help="In the large polls.")] = 100_000,
) -> None:
    """Reading a turnout and a closed result: a hundred thousand ballots beside a thousand."""
    from api.bench import postgres, tally

    try:
        report = tally.run(runs, ballots, lambda line: typer.echo(line, err=True))
    except postgres.NoPostgres as error:
        stop(str(error))
    conclude(report, as_json=as_json)
