"""The verifier takes every honest pack and refuses every mutation by the check it is about.
``minyi bench verify`` does the same with 200 packs and the verifier as a process of its own."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.bench import verifying
from api.bench.mutations import MUTATIONS, Mutation
from api.bench.packs import invent
from api.bench.poll_kinds import KINDS, RECOUNT, Kind
from api.cli import cli
from api.evidence import VERIFIER, write_files
from consultation.polls import recounts
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


def test_it_runs_alone_and_says_what_it_found_in_words_and_by_its_exit_code(tmp_path: Path) -> None:
    honest = invent(KINDS[0], 3)
    pack = tmp_path / "pack"
    write_files(pack, honest.files())

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(VERIFIER), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    held = run(str(pack), "--notice", honest.notice)
    assert held.returncode == 0, held.stdout
    assert "ok   recount" in held.stdout
    assert held.stdout.endswith("Everything holds.\n")

    (pack / "ballots.jsonl").write_bytes((pack / "ballots.jsonl").read_bytes()[:-1])
    broken = run(str(pack))
    assert broken.returncode == 1
    assert "FAIL sums" in broken.stdout
    assert "--notice" in broken.stdout  # that nobody compared it
    assert run(str(tmp_path / "nowhere")).returncode == 2


def test_minyi_verify_hands_over_to_it(tmp_path: Path) -> None:
    write_files(tmp_path / "pack", invent(KINDS[0], 3).files())

    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "pack"), "--json"]).exit_code == 0
    (tmp_path / "pack" / "heads.jsonl").unlink()
    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "pack")]).exit_code == 1
