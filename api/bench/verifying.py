"""``minyi bench verify``: does the verifier take every honest pack and refuse every mutation."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from api.bench.forging import Forgery, NotHere
from api.bench.honest import Honest
from api.bench.mutations import MUTATIONS, Mutation
from api.bench.packs import invent
from api.bench.poll_kinds import KINDS
from api.bench.report import Report
from api.evidence import VERIFIER, write_files
from consultation.polls.pack import Edition

SEEDS = 60
BY_NAME = {kind.name: kind for kind in KINDS}


def honest_packs(number: int) -> Iterator[tuple[Honest, Edition]]:
    """The kinds in turn, each with seeds of its own; every fifth in its public edition."""
    for index in range(number):
        kind = KINDS[index % len(KINDS)]
        edition = Edition.PUBLIC if index % 5 == 4 else Edition.FULL
        yield invent(kind, index // len(KINDS)), edition


def mutated(mutation: Mutation) -> tuple[Honest, dict[str, bytes]]:
    """A pack that this mutation changed, from the first seed that has what it needs."""
    for seed in range(SEEDS):
        honest = invent(BY_NAME[mutation.kind], seed)
        if mutation.check == "previous-heads" and honest.earlier_head is None:
            continue
        forgery = Forgery(honest, mutation.edition)
        try:
            mutation.deed(forgery)
        except NotHere:
            continue
        files = forgery.files()
        if files != honest.files(mutation.edition):
            return honest, files
    raise LookupError(f"{mutation.name} changes no pack of {mutation.kind}")


def verified(honest: Honest, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What the verifier, as a process of its own, says of these files with all that people hold:
    the code in the notice, every receipt, an earlier head."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "pack", files)
        arguments = ["--notice", honest.notice]
        for index, receipt in enumerate(honest.receipts):
            path = folder / f"receipt-{index}.json"
            path.write_text(json.dumps(receipt))
            arguments += ["--receipt", str(path)]
        if honest.earlier_head is not None:
            path = folder / "head.json"
            path.write_text(json.dumps(honest.earlier_head))
            arguments += ["--previous-head", str(path)]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(VERIFIER), str(folder / "pack"), *arguments, "--json"],
            capture_output=True,
            check=False,
        )
    said = json.loads(done.stdout)
    if said["ok"] is not (done.returncode == 0):
        raise RuntimeError("the verifier's exit code contradicts what it says")
    return said


def failed(said: Mapping[str, Any]) -> list[str]:
    return [one["check"] for one in said["checks"] if one["state"] == "fail"]


def run(packs: int) -> Report:
    report = Report(bench="verify", runs=1)
    accepted, refused_honest, seconds, ballots = 0, [], 0.0, 0
    for honest, edition in honest_packs(packs):
        files = honest.files(edition)
        began = time.perf_counter()
        said = verified(honest, files)
        seconds += time.perf_counter() - began
        ballots += said["ballots"]
        if said["ok"]:
            accepted += 1
        else:
            refused_honest.append(f"{honest.kind.name} {edition}: {failed(said)}")
    refused, missed = 0, []
    for mutation in MUTATIONS:
        honest, files = mutated(mutation)
        checks = failed(verified(honest, files))
        if mutation.check in checks:
            refused += 1
        else:
            missed.append(f"{mutation.name}: {checks}")
    report.at_least("honest packs accepted", accepted / packs, 1.0)
    report.at_least("mutations refused by the check they are about", refused / len(MUTATIONS), 1.0)
    report.figures |= {
        "honest_packs": packs,
        "kinds": len(KINDS),
        "accepted": accepted,
        "mutations": len(MUTATIONS),
        "refused": refused,
        "ballots": ballots,
        "seconds_per_pack": round(seconds / packs, 4),
        "wrongly_refused": refused_honest,
        "missed": missed,
        "mutation_names": [one.name for one in MUTATIONS],
    }
    return report
