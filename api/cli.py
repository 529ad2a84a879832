"""``minyi``: the command line. Heavy modules are imported inside the commands, so that
``minyi --help`` answers at once."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.bench.commands import bench
from api.command import EnvFile, at_head_or_stop, folder_or_stop, settings_or_stop, stop
from api.migrations.commands import migrate

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
replay = typer.Typer(no_args_is_help=True, help="Hold a real consultation of the past again.")
cli.add_typer(migrate, name="migrate")
cli.add_typer(replay, name="replay")
cli.add_typer(bench, name="bench")

HERE = Path(__file__).parent.parent


@cli.callback()
def minyi() -> None:
    """民议: a community decides together from its phones."""


def main() -> None:
    cli()


@cli.command()
def serve(env_file: EnvFile = None) -> None:
    """Serve the API, the live socket and the public pages until a signal says stop."""
    settings = settings_or_stop(env_file)
    from api import logs, server
    from consultation.polls.preset_files import PresetsUnusable, use_local

    try:
        use_local(settings.presets_dir)
    except PresetsUnusable as error:
        stop(f"The rules in {settings.presets_dir} cannot be used.\n  {error}")

    at_head_or_stop(settings)
    if settings.box_keys_dir is not None:
        folder_or_stop("MINYI_BOX_KEYS_DIR", settings.box_keys_dir)
    if settings.photos_dir is not None:
        folder_or_stop("MINYI_PHOTOS_DIR", settings.photos_dir)
    if settings.log_path is None:
        logs.configure()
        server.run(settings)
    else:
        settings.log_path.parent.mkdir(parents=True, exist_ok=True)
        with settings.log_path.open("a", encoding="utf-8", buffering=1) as stream:
            logs.configure(stream)
            server.run(settings)


@cli.command()
def secrets(
    to: Annotated[
        Path, typer.Option(help="Where, - for the screen; a file is never overwritten.")
    ] = Path("var/minyi.env"),
) -> None:
    """Make a settings file with fresh secrets that only you can read."""
    from api.settings import fresh_secrets, write_secrets

    if str(to) == "-":
        typer.echo(fresh_secrets(), nl=False)
        return
    try:
        write_secrets(to)
    except FileExistsError:
        stop(f"{to} is there already. Its secrets open the database; they are never overwritten.")
    typer.echo(f"Secrets written to {to}. Keep a copy in a safe place.")


@cli.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Play five topics against a server; 1 on a difference.")
    ] = False,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The fake WeChat takes the next one.")] = 8000,
    folder: Annotated[Path, typer.Option(help="Made anew.")] = Path("var/demo"),
) -> None:
    """Build the demo community from nothing and serve it, with a fake WeChat beside it."""
    from api.demo import run
    from api.demo.stage import Difference

    if not check:
        run.run_demo(folder, host=host, port=port, tell=typer.echo)
        return
    try:
        steps = run.run_check(typer.echo)
    except Difference as difference:
        stop(f"✗ {difference}")
    typer.echo(f"{steps} 步,全部相符。 {steps} steps, no difference.")


@cli.command("fake-wechat")
def fake_wechat(
    port: Annotated[int, typer.Option(help="On loopback; there is no other address.")] = 8790,
) -> None:
    """Serve a stand-in for WeChat on 127.0.0.1, for the demo and for development."""
    from api.fake_wechat import server

    try:
        app = server.build_fake()
    except server.NotInProduction as error:
        stop(str(error))
    typer.echo("\n".join(server.settings_for(port)))
    server.serve(app, port)


@cli.command()
def contract(
    to: Annotated[Path, typer.Option(help="The folder of the contract.")] = HERE / "client-spec",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file is not as it should be.")
    ] = False,
) -> None:
    """Export openapi.json and problems.json for client developers."""
    from api import contract

    stale = contract.stale(to)
    if not check:
        contract.export(to)
    elif stale:
        stop(f"Not up to date: {', '.join(stale)}. Run `minyi contract` and review the change.")


@cli.command("verify-journal")
def verify_journal(env_file: EnvFile = None) -> None:
    """Follow the digests of every stream of the journal; fail at the first that does not hold."""
    settings = settings_or_stop(env_file)
    at_head_or_stop(settings)
    from api.app import build_database
    from consultation import journal

    async def audited() -> journal.Audit:
        db = build_database(settings)
        try:
            async with db.read() as tx:
                return await journal.audit(tx.session)
        finally:
            await db.dispose()

    found = asyncio.run(audited())
    typer.echo(
        f"{found.streams} streams, {found.entries} entries, {found.waiting} not yet numbered."
    )
    if found.breaks:
        lines = [f"{stream} breaks at {seq}" for stream, seq in found.breaks.items()]
        stop("\n".join(["The journal was changed:", *lines]))
    typer.echo("Every digest follows from the one before it.")


@cli.command("renew-log")
def renew_log(env_file: EnvFile = None) -> None:
    """After a backup was put back, before `minyi serve`: clients fetch afresh what they show."""
    settings = settings_or_stop(env_file)
    at_head_or_stop(settings)
    from api.app import build_database
    from notifications.relay import renew

    async def renewed() -> str | None:
        db = build_database(settings)
        try:
            return await renew(db)
        finally:
            await db.dispose()

    epoch = asyncio.run(renewed())
    if epoch is None:
        stop("No server has run on this database yet; there is nothing to renew.")
    typer.echo(f"The log goes on as {epoch}.")


@cli.command("pack")
def write_pack(
    poll: Annotated[UUID, typer.Argument(help="The id of a published poll.")],
    to: Annotated[Path, typer.Option(help="A folder; made, and must be empty.")],
    public: Annotated[bool, typer.Option("--public", help="The public edition.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Write the result pack of a poll, which `minyi verify` counts again."""
    settings = settings_or_stop(env_file)
    at_head_or_stop(settings)
    from api import evidence
    from consultation.refusals import Refusal

    try:
        asyncio.run(evidence.write_pack(settings, poll, to, public=public))
    except FileExistsError:
        stop(f"{to} is not an empty folder.")
    except Refusal as refusal:
        stop(f"There is no pack of {poll}: {refusal.code}.")
    typer.echo(f"The pack is in {to}. `minyi verify {to}` counts it again.")


@cli.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def verify(context: typer.Context) -> None:
    """Count a result pack again, by client-spec/verifier/minyi_verify.py, which knows no server."""
    from api import evidence

    raise typer.Exit(evidence.verify(context.args))


@cli.command()
def deliveries(
    resend: Annotated[
        bool, typer.Option("--resend", help="Try every dead letter again from the beginning.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Count messages by channel and state, and try dead letters again."""
    settings = settings_or_stop(env_file)
    at_head_or_stop(settings)
    from api.app import build_database
    from consultation.permissions import SYSTEM
    from notifications import dead_letters

    async def counted() -> tuple[int, list[tuple[str, str, int]]]:
        db = build_database(settings)
        try:
            async with db.begin(SYSTEM) as tx:
                again = await dead_letters.resend_all(tx) if resend else 0
            async with db.read(SYSTEM) as tx:
                return again, await dead_letters.counts(tx)
        finally:
            await db.dispose()

    again, counts = asyncio.run(counted())
    for channel, state, count in counts:
        typer.echo(f"{channel:<8} {state:<11} {count}")
    if resend:
        typer.echo(f"{again} dead letters wait to be sent again.")


@cli.command("import")
def import_register(
    kind: Annotated[
        str, typer.Argument(help="tree, organisations, units, households, residents or roles.")
    ],
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="CSV or XLSX.")
    ] = None,
    community: Annotated[str, typer.Option(help="The code of the community or village.")] = "",
    columns: Annotated[
        bool, typer.Option("--columns", help="Print the columns of this register, and stop.")
    ] = False,
    language: Annotated[str, typer.Option(help="zh-CN or en.")] = "zh-CN",
    env_file: EnvFile = None,
) -> None:
    """Take over a register, whole or not at all; every bad row is named."""
    from api import registers
    from api.words import pick_locale
    from consultation.community.registers import COLUMNS, RegisterKind

    if kind not in set(RegisterKind):
        stop(f"There is no register of {kind}; there are {', '.join(RegisterKind)}.")
    if columns:
        for column in COLUMNS[RegisterKind(kind)]:
            needed = "必填 required" if column.required else ""
            typer.echo(f"{column.header}\t{column.name}\t{needed}".rstrip())
        return
    if file is None or not community:
        stop("Name the file and the --community it is for, or ask for --columns.")
    settings = settings_or_stop(env_file)
    at_head_or_stop(settings)
    done, lines = asyncio.run(
        registers.import_file(
            settings,
            RegisterKind(kind),
            file.read_bytes(),
            community_code=community,
            locale=pick_locale(language),
        )
    )
    if not done:
        stop("\n".join(lines))
    typer.echo("\n".join(lines))


@replay.command()
def vtaiwan(
    folder: Annotated[Path, typer.Argument(help="With comments.csv and votes.csv.")],
) -> None:
    """vTaiwan on UberX, 2015: every statement and mark through the public API, in their order."""
    from api.replay import records
    from api.replay import vtaiwan as consultation

    try:
        if not asyncio.run(consultation.replay(folder, tell=typer.echo)):
            stop("Not as it was.")
    except records.RecordsUnreadable as error:
        stop(str(error))


@cli.command()
def faults(
    trials: Annotated[
        int, typer.Option(min=1, help="Kills on each database, and power cuts.")
    ] = 100,
    casts: Annotated[int, typer.Option(min=100, help="With many repeats.")] = 40_000,
) -> None:
    """What becomes of ballots when things go wrong, on both databases; 1 if one is lost."""
    from api.bench import postgres
    from api.faults import run

    try:
        kept = run.run(trials, casts, typer.echo)
    except postgres.NoPostgres as error:
        stop(str(error))
    if not kept:
        raise typer.Exit(1)
