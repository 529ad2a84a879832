"""When the board moved, the poll closed, was extended, counted and signed."""

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.mutation import Mutations

TIMES = Mutations()


@TIMES.noticed_by("times", "large")
def begin_the_board_before_the_opening_and_sign_again(f: Forgery) -> None:
    f.heads[0]["at"] = "2026-06-09T04:00:00Z"
    f.sign_heads()
    f.recertify()


@TIMES.noticed_by("times", "large")
def date_the_last_head_after_the_certificate_and_sign_again(f: Forgery) -> None:
    f.heads[-1]["at"] = "2026-07-16T16:00:00Z"
    f.sign_heads()
    f.recertify()


@TIMES.noticed_by("times", "sealed")
def open_the_box_before_the_close_and_sign_again(f: Forgery) -> None:
    at(f.tree("opened"), 0)["at"] = "2026-06-10T16:00:00Z"
    f.sign_heads()
    f.recertify()


@TIMES.noticed_by("times", "sealed")
def open_the_box_after_the_signatures_and_sign_again(f: Forgery) -> None:
    at(f.tree("opened"), 0)["at"] = "2026-06-16T18:00:00Z"
    f.sign_heads()
    f.certificate["certified_at"] = "2026-06-17T16:00:00Z"
    f.recertify()


@TIMES.noticed_by("times", "large")
def collect_ballots_for_days_after_the_close_and_certify(f: Forgery) -> None:
    for days, head in enumerate(f.heads[-3:]):
        head["at"] = f"2026-06-{18 + days}T16:00:00Z"
    f.sign_heads()
    _close(f, "2026-06-20T16:00:00Z")
    f.recertify()


@TIMES.noticed_by("times")
def sign_before_the_close(f: Forgery) -> None:
    for one in f.certificate["signatures"]:
        one["at"] = "2026-06-16T15:59:59Z"
    f.recertify()


@TIMES.noticed_by("times")
def close_too_early(f: Forgery) -> None:
    f.tally["closed_at"] = f.certificate["closed_at"] = "2026-06-15T16:00:00Z"
    f.recertify()


@TIMES.noticed_by("times")
def tell_another_close_than_the_certificate(f: Forgery) -> None:
    f.tally["closed_at"] = "2026-06-16T17:00:00Z"


@TIMES.noticed_by("times", "extended")
def extend_beyond_the_longest_window_and_certify(f: Forgery) -> None:
    f.certificate["extension"]["to"] = "2026-08-20T16:00:00Z"
    _close(f, "2026-08-20T16:00:00Z")
    f.recertify()


@TIMES.noticed_by("times", "extended")
def extend_a_second_time_and_certify(f: Forgery) -> None:
    moved = f.certificate["extension"]
    moved.update({"from": moved["to"], "at": moved["to"], "to": "2026-08-01T16:00:00Z"})
    _close(f, "2026-08-01T16:00:00Z")
    f.recertify()


@TIMES.noticed_by("times", "extended")
def extend_after_the_end_and_certify(f: Forgery) -> None:
    f.certificate["extension"]["at"] = "2026-06-16T16:00:01Z"
    f.recertify()


@TIMES.noticed_by("times", "extended")
def extend_at_the_very_end_and_certify(f: Forgery) -> None:
    f.certificate["extension"]["at"] = f.certificate["extension"]["from"]
    f.recertify()


@TIMES.noticed_by("times", "extended")
def hide_an_extension_and_certify(f: Forgery) -> None:
    sizes = [head["size"] for head in f.heads if head["at"] >= f.certificate["extension"]["from"]]
    if not sizes or sizes[0] == sizes[-1]:  # nobody voted in the days that it gave
        raise NotHere
    f.certificate["extension"] = None
    f.recertify()


@TIMES.noticed_by("times")
def extend_against_the_rule_and_certify(f: Forgery) -> None:
    f.certificate["extension"] = {
        "from": f.manifest["closes_at"],
        "to": "2026-06-20T16:00:00Z",
        "at": "2026-06-16T08:00:00Z",
    }
    _close(f, "2026-06-20T16:00:00Z")
    f.recertify()


def _close(f: Forgery, at_: str) -> None:
    """Closed at another hour, and all that follows the close with it."""
    f.tally["closed_at"] = f.certificate["closed_at"] = at_
    for one in f.certificate["signatures"]:
        one["at"] = at_
    f.certificate["certified_at"] = at_
