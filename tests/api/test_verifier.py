"""The verifier takes every honest pack and refuses every mutation by the check it is about.
``minyi bench verify`` does the same with 200 packs and the verifier as a process of its own."""

import ast
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.bench import verifying
from api.bench.mutations import MUTATIONS, Mutation
from api.bench.packs import invent
from api.bench.poll_kinds import KINDS, RECOUNT, Kind
from api.bench.verifying import BY_NAME
from api.cli import cli
from api.evidence import VERIFIER, write_files
from consultation.polls import manifest, recounts
from consultation.polls.leaves import canonical
from consultation.polls.pack import Edition
from consultation.polls.results import Result
from tests.verifier import failing, module


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_honest_packs_hold(kind: Kind, tmp_path: Path) -> None:
    for number, edition in enumerate((Edition.FULL, Edition.PUBLIC, Edition.FULL)):
        honest = invent(kind, 1000 + number // 2)
        heads = [] if honest.earlier_head is None else [honest.earlier_head]
        failed = failing(
            tmp_path / str(number),
            honest.files(edition),
            notice=honest.notice,
            receipts=honest.receipts,
            heads=heads,
        )
        assert failed == {}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_refused_by_the_check_it_is_about(mutation: Mutation, tmp_path: Path) -> None:
    honest, files = verifying.mutated(mutation)
    heads = [] if honest.earlier_head is None else [honest.earlier_head]
    failed = failing(tmp_path, files, notice=honest.notice, receipts=honest.receipts, heads=heads)

    assert mutation.check in failed
    assert "rests on" not in failed[mutation.check]  # it fails by itself, not for another's sake


def test_it_asks_for_a_recount_exactly_where_the_rule_does() -> None:
    said: set[bool] = set()
    for kind in (kind for kind in KINDS if kind.rule == RECOUNT):
        for seed in range(25):
            honest = invent(kind, seed)
            rule, result = honest.terms.preset, honest.source.certificates[-1].result
            close = recounts.is_close(rule, Result.model_validate(result))
            assert module().is_close(rule.model_dump(mode="json"), result) is close
            said.add(close)
    assert said == {True, False}


def test_there_are_enough_mutations_each_with_a_name_of_its_own() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


def test_what_only_people_hold_is_needed_against_the_operator(tmp_path: Path) -> None:
    """A pack that the operator made anew is consistent in itself; receipts and notice are not."""
    for mutation in MUTATIONS:
        if mutation.name not in (
            "drop_a_ballot_and_remake_everything",
            "change_the_wording_and_remake_everything",
        ):
            continue
        honest, files = verifying.mutated(mutation)
        alone = failing(tmp_path / mutation.name, files)
        assert alone == {}
        held = failing(
            tmp_path / f"{mutation.name} held",
            files,
            notice=honest.notice,
            receipts=honest.receipts,
        )
        assert mutation.check in held


def test_the_same_poll_always_makes_the_same_bytes() -> None:
    for kind in KINDS[:8]:
        assert invent(kind, 7).files() == invent(kind, 7).files()


def test_the_verifier_imports_nothing_of_ours() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(VERIFIER.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names == {"cryptography"}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_runs_alone_and_says_what_it_found_in_words_and_by_its_exit_code(tmp_path: Path) -> None:
    honest = invent(KINDS[0], 3)
    pack = tmp_path / "pack"
    write_files(pack, honest.files())

    held = run(str(pack), "--notice", honest.notice)
    assert held.returncode == 0, held.stdout
    assert "ok   recount" in held.stdout
    assert held.stdout.endswith("Everything holds.\n")

    (pack / "ballots.jsonl").write_bytes((pack / "ballots.jsonl").read_bytes()[:-1])
    broken = run(str(pack))
    assert broken.returncode == 1
    assert "FAIL sums" in broken.stdout
    assert "--notice" in broken.stdout  # that nobody compared it
    for nothing in (tmp_path / "nowhere", pack / "heads.jsonl"):
        assert run(nothing).returncode == 2
        said = run(nothing, "--json")
        assert said.returncode == 2
        assert json.loads(said.stdout)["ok"] is False


def test_minyi_verify_hands_over_to_it(tmp_path: Path) -> None:
    write_files(tmp_path / "pack", invent(KINDS[0], 3).files())

    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "pack"), "--json"]).exit_code == 0
    (tmp_path / "pack" / "heads.jsonl").unlink()
    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "pack")]).exit_code == 1


def states(said: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["state"] for one in said["checks"]}


def test_what_it_could_not_check_it_does_not_call_ok(tmp_path: Path) -> None:
    honest = invent(BY_NAME["owners-counted-twice"], 2)
    write_files(tmp_path / "full", honest.files())
    write_files(tmp_path / "public", honest.files(Edition.PUBLIC))

    told = run(tmp_path / "public")
    assert told.returncode == 0
    assert "skip casts " in told.stdout
    assert "skip recount " in told.stdout
    assert "Everything holds" not in told.stdout
    last = told.stdout.splitlines()[-1]
    assert last == (
        "Everything that could be checked here holds. "
        "NOT checked: notice, casts, recount, result-digest, signers."
    )
    said = json.loads(run(tmp_path / "public", "--notice", honest.notice, "--json").stdout)
    assert said["skipped"] == ["casts", "recount", "result-digest", "signers"]
    assert {states(said)[name] for name in said["skipped"]} == {"skip"}

    said = json.loads(run(tmp_path / "full", "--json").stdout)
    assert (said["ok"], said["skipped"]) == (True, ["notice"])
    assert "NOT checked: notice." in run(tmp_path / "full").stdout


def test_a_close_days_late_is_noted_and_no_fault(tmp_path: Path) -> None:
    """The server was down; a receipt of those days would be a breach all the same."""
    for kind in ("closed-late", "sealed-late"):
        honest = invent(BY_NAME[kind], 3)
        write_files(tmp_path / kind, honest.files())
        said = json.loads(run(tmp_path / kind, "--notice", honest.notice, "--json").stdout)
        assert (said["ok"], said["skipped"]) == (True, [])
        assert any("closed at" in note for note in said["notes"])


def test_a_pack_is_taken_as_the_zip_that_it_is_downloaded_as(tmp_path: Path) -> None:
    honest = invent(KINDS[0], 3)
    files = honest.files()

    def zipped(name: str, files: Mapping[str, bytes]) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for one, content in files.items():
                archive.writestr(one, content)
        return tmp_path / name

    held = run(zipped("public", files), "--notice", honest.notice)
    assert (held.returncode, held.stdout.splitlines()[-1]) == (0, "Everything holds.")
    for name in ("../heads.jsonl", "/heads.jsonl", "more/heads.jsonl"):
        slipped = {**files, name: files["heads.jsonl"]}
        said = json.loads(run(zipped("slip", slipped), "--json").stdout)
        assert states(said)["files"] == "fail"
    less = {name: content for name, content in files.items() if name != "heads.jsonl"}
    assert states(json.loads(run(zipped("less", less), "--json").stdout))["files"] == "fail"
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(zipped("twice", files), "a") as archive,
    ):
        archive.writestr("heads.jsonl", b"")
    assert states(json.loads(run(tmp_path / "twice", "--json").stdout))["files"] == "fail"
    with zipfile.ZipFile(zipped("otherwise", less), "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("heads.jsonl", files["heads.jsonl"])
    assert states(json.loads(run(tmp_path / "otherwise", "--json").stdout))["files"] == "fail"
    broken = zipped("broken", files)
    content = broken.read_bytes()
    broken.write_bytes(content[:200] + bytes(200) + content[400:])
    assert states(json.loads(run(broken, "--json").stdout))["files"] == "fail"


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_pack_too_large_to_be_one_is_not_read(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module(), "MOST_BYTES", 100_000)
    files = {**invent(KINDS[0], 3).files(), "heads.jsonl": b" " * 100_001}
    where = tmp_path / "pack"
    if packed:
        with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        assert where.stat().st_size < 100_000
    else:
        write_files(where, files)
    options = Namespace(notice=None, receipt=[], previous_head=[])
    done, read = module().verify(where, options)
    assert (done[0]["check"], done[0]["state"]) == ("files", "fail")
    assert "heads.jsonl: too large" in done[0]["why"]
    assert "heads.jsonl" not in read.raw


def test_nothing_but_plain_files_of_a_pack_is_opened(tmp_path: Path) -> None:
    files = invent(KINDS[0], 3).files()
    (tmp_path / "elsewhere").write_bytes(files["roll.jsonl"])

    def link(path: Path, to: str | Path) -> None:
        path.unlink()
        path.symlink_to(to)

    spoilt: list[Callable[[Path], None]] = [
        lambda path: link(path, tmp_path / "elsewhere"),
        lambda path: link(path, "/dev/zero"),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.parent / os.fsdecode(b"\xff\x1b[2J")).write_bytes(b"x"),
    ]
    for number, spoil in enumerate(spoilt):
        folder = tmp_path / str(number)
        write_files(folder, files)
        spoil(folder / "roll.jsonl")
        told, said = run(folder), json.loads(run(folder, "--json").stdout)
        assert told.returncode == 1
        assert states(said)["files"] == "fail"
        assert "\x1b" not in told.stdout


def changed(name: str, change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def spoil(files: dict[str, bytes]) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = canonical(value)

    return spoil


def without_denominator(manifest: Any) -> None:
    for threshold in manifest["preset"]["content"]["approval"]:
        threshold["denominator"] = 0


HOSTILE: dict[str, tuple[str, Callable[[dict[str, bytes]], None]]] = {
    "divides by nothing": ("recount", changed("manifest.json", without_denominator)),
    "open for a trillion days": (
        "times",
        changed("manifest.json", lambda m: m["preset"]["content"].update(window_days_max=10**12)),
    ),
    "deep lists": (
        "encoding",
        lambda files: files.update({"reconciliation.json": b"[" * 200_000 + b"]" * 200_000}),
    ),
    "deep objects": (
        "encoding",
        lambda files: files.update({"tally.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000}),
    ),
    "a long number": ("encoding", lambda files: files.update({"tally.json": b"9" * 5000})),
    "a terminal's commands": (
        "manifest",
        changed(
            "manifest.json",
            lambda m: m.update(opens_at="\x1b[2J\x1b[H\nEverything holds.\x1b[8m\u202e"),
        ),
    ),
    "half a character": (
        "encoding",
        lambda files: files.update({"tally.json": b'{"poll":"\\ud800"}'}),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_stands_in_a_pack_it_answers_by_a_named_check(name: str, tmp_path: Path) -> None:
    check, spoil = HOSTILE[name]
    files = invent(KINDS[0], 3).files()
    spoil(files)
    write_files(tmp_path / "pack", files)

    told, said = run(tmp_path / "pack"), run(tmp_path / "pack", "--json")
    assert (told.returncode, said.returncode) == (1, 1)
    assert states(json.loads(said.stdout))[check] == "fail"
    assert told.stderr == said.stderr == ""
    assert not any(sign in told.stdout + said.stdout for sign in "\x1b\u202e")
    assert told.stdout.splitlines()[-1] == "THIS PACK DOES NOT HOLD."
    assert "Everything holds." not in told.stdout.splitlines()


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b"NaN", b"\xff", b"[" * 100_000, b'{"receipt":"zz"}', None]
)
@pytest.mark.parametrize("option", ["--receipt", "--previous-head"])
def test_whatever_people_hold_it_answers(
    option: str, content: bytes | None, tmp_path: Path
) -> None:
    write_files(tmp_path / "pack", invent(KINDS[0], 3).files())
    held = tmp_path / "held.json"
    if content is not None:
        held.write_bytes(content)
    given = {"receipt": [], "previous_head": [], option[2:].replace("-", "_"): [held]}
    done, _ = module().verify(tmp_path / "pack", Namespace(notice=None, **given))
    failed = [one["check"] for one in done if one["state"] == "fail"]
    assert failed == [f"{option[2:]}s"]


def test_it_knows_the_text_that_packs_are_written_with() -> None:
    """Whoever changes pack_format.md adds its hash to the verifier and keeps the old ones."""
    text = invent(KINDS[0], 3).files()["FORMAT.md"]
    assert hashlib.sha256(text).hexdigest() in module().FORMAT_TEXTS
    assert manifest.FORMAT in module().FORMATS
    assert manifest.FORMAT in text.decode().splitlines()[0]
