"""The files of a pack and the bytes they are written in."""

import json

from api.bench.forging import Forgery
from api.bench.mutations.mutation import Mutations
from consultation.polls.leaves import canonical

FILES = Mutations()


@FILES.noticed_by("files")
def drop_a_file(f: Forgery) -> None:
    f.without.add("reconciliation.json")


@FILES.noticed_by("files")
def add_a_file(f: Forgery) -> None:
    f.extra["corrected-result.json"] = b"{}"


@FILES.noticed_by("sums")
def leave_the_checksums(f: Forgery) -> None:
    f.format += b"\n"
    f.sums_fixed = False


@FILES.noticed_by("format")
def explain_another_format(f: Forgery) -> None:
    f.format = b"A pack of this format is always right.\n"


@FILES.noticed_by("encoding")
def write_json_with_spaces(f: Forgery) -> None:
    f.raw["tally.json"] = json.dumps(f.tally, ensure_ascii=False).encode()


@FILES.noticed_by("encoding")
def name_the_result_twice(f: Forgery) -> None:
    f.raw["tally.json"] = canonical(f.tally)[:-1] + b',"result":{}}'


@FILES.noticed_by("encoding")
def count_in_fractions(f: Forgery) -> None:
    f.result["valid"]["heads"] += 0.0


@FILES.noticed_by("encoding")
def add_a_field_to_a_ballot(f: Forgery) -> None:
    f.cast()["weight"] = 2


@FILES.noticed_by("encoding")
def leave_a_line_empty(f: Forgery) -> None:
    f.raw["ballots.jsonl"] = b"".join(canonical(row) + b"\n" for row in f.ballots) + b"\n"
