"""The opened ballots of a confidential poll, and the envelopes that they came in."""

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.ballots import turn
from api.bench.mutations.mutation import Mutations

SEALED = Mutations()


@SEALED.noticed_by("ballots-on-board", "sealed")
def change_an_opened_ballot(f: Forgery) -> None:
    turn(at(f.ballots, 0))


@SEALED.noticed_by("ballots-on-board", "sealed")
def drop_an_opened_ballot(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))


@SEALED.noticed_by("receipts", "sealed")
def drop_an_opened_ballot_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))
    f.remake()


@SEALED.noticed_by("ballots-on-board", "sealed")
def drop_opened_ballots_where_nothing_replaces_one_and_remake_everything(f: Forgery) -> None:
    at(f.ballots, 3)
    f.ballots = f.ballots[3:]
    f.remake()


@SEALED.noticed_by("ballots-on-board", "sealed-late")
def drop_an_opened_ballot_of_a_late_close_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))
    f.remake()


@SEALED.noticed_by("receipts", "sealed-revotes")
def call_a_dropped_ballot_replaced_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))
    f.remake()


@SEALED.noticed_by("reconciliation", "sealed-revotes")
def drop_an_opened_ballot_and_keep_the_number_of_the_replaced(f: Forgery) -> None:
    replaced = f.report["envelopes"]["replaced"]
    f.ballots.remove(at(f.ballots, 0))
    f.remake()
    f.report["envelopes"]["replaced"] = replaced
    f.recertify()


@SEALED.noticed_by("reconciliation", "sealed-revotes")
def certify_fewer_envelopes_than_the_board_has(f: Forgery) -> None:
    line = f.report["envelopes"]
    if not line["replaced"]:
        raise NotHere
    line.update(recorded=line["recorded"] - 1, replaced=line["replaced"] - 1)
    f.recertify()


@SEALED.noticed_by("reconciliation", "sealed-revotes")
def certify_no_number_of_envelopes(f: Forgery) -> None:
    f.report["envelopes"] = None
    f.recertify()


@SEALED.noticed_by("reconciliation", "sealed-paper")
def forget_an_envelope_that_stayed_shut_and_certify(f: Forgery) -> None:
    at(f.ballots, 0)
    f.report["envelopes"].update(replaced=0)
    f.recertify()


@SEALED.noticed_by("reconciliation", "sealed")
def say_that_a_sealed_ballot_came_by_proxy_and_certify(f: Forgery) -> None:
    at(f.report["channels"], 0)["channel"] = "proxy"
    f.recertify()


@SEALED.noticed_by("ballots-on-board", "sealed")
def add_opened_ballots_beyond_the_envelopes(f: Forgery) -> None:
    f.ballots += [{**at(f.ballots, 0), "tracker": f"ZZ{n:030d}"} for n in range(len(f.ballots))]
    f.remake(count=False)


@SEALED.noticed_by("ballots-on-board", "sealed")
def give_two_ballots_one_tracker_and_remake_everything(f: Forgery) -> None:
    at(f.ballots, 1)["tracker"] = at(f.ballots, 0)["tracker"]
    f.remake()


@SEALED.noticed_by("ballots-on-board", "sealed")
def exchange_two_trackers(f: Forgery) -> None:
    other = at([r for r in f.ballots if r["choices"] != at(f.ballots, 0)["choices"]], 0)
    first = f.ballots[0]
    first["choices"], other["choices"] = other["choices"], first["choices"]


@SEALED.noticed_by("ballots-on-board", "sealed")
def open_ballots_in_the_order_of_arrival(f: Forgery) -> None:
    if len(f.ballots) < 2:
        raise NotHere
    f.ballots.reverse()
    f.remake()


@SEALED.noticed_by("recount", "sealed")
def make_an_opened_ballot_invalid_and_certify(f: Forgery) -> None:
    at(f.ballots, 0)["choices"] = None
    f.remake(count=False)


@SEALED.noticed_by("casts", "sealed")
def mark_an_opened_ballot_twice(f: Forgery) -> None:
    at(f.ballots, 0)["choices"] = {"1": ["against", "for"]}
    f.remake(count=False)


@SEALED.noticed_by("reconciliation", "sealed")
def report_fewer_voters_than_ballots(f: Forgery) -> None:
    at(f.report["channels"], 0)["cast"] -= 1
    f.report["voters"] -= 1
    f.recertify()


@SEALED.noticed_by("receipts", "sealed")
def make_a_voters_ballot_invalid_and_remake_everything(f: Forgery) -> None:
    f.cast_of_a_receipt()["choices"] = None
    f.remake()


@SEALED.noticed_by("ballots-on-board", "sealed")
def write_a_name_for_a_tracker_and_remake_everything(f: Forgery) -> None:
    at(f.ballots, 0)["tracker"] = "0WANGDAMING"
    f.remake()
