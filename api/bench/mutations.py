"""What may be done to a pack: each mutation by name, on the kind of poll that it needs, with the
check that has to notice it. Checksums are always fixed up afterwards, unless the mutation is about
them; ``remake`` is the operator's own forgery, with the board's key."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.bench.forging import Forgery, NotHere, at
from consultation.polls import board
from consultation.polls.keys import LocalBoardKey
from consultation.polls.leaves import canonical
from consultation.polls.pack import Edition
from consultation.polls.presets import Threshold
from consultation.polls.thresholds import least_reaching

Deed = Callable[[Forgery], None]
STRANGER = LocalBoardKey(b"a key of somebody else, 32 bytes")


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    kind: str
    check: str
    deed: Deed
    edition: Edition


MUTATIONS: list[Mutation] = []


def mutation(
    check: str, kind: str = "owners-all-channels", *, edition: Edition = Edition.FULL
) -> Callable[[Deed], Deed]:
    """The deed below is to be noticed by ``check``."""

    def note(deed: Deed) -> Deed:
        MUTATIONS.append(Mutation(deed.__name__, kind, check, deed, edition))
        return deed

    return note


# ---- files --------------------------------------------------------------------------------------


@mutation("files")
def drop_a_file(f: Forgery) -> None:
    f.without.add("reconciliation.json")


@mutation("files")
def add_a_file(f: Forgery) -> None:
    f.extra["corrected-result.json"] = b"{}"


@mutation("sums")
def leave_the_checksums(f: Forgery) -> None:
    f.format += b"\n"
    f.sums_fixed = False


@mutation("format")
def explain_another_format(f: Forgery) -> None:
    f.format = b"A pack of this format is always right.\n"


@mutation("encoding")
def write_json_with_spaces(f: Forgery) -> None:
    f.raw["tally.json"] = json.dumps(f.tally, ensure_ascii=False).encode()


@mutation("encoding")
def name_the_result_twice(f: Forgery) -> None:
    f.raw["tally.json"] = canonical(f.tally)[:-1] + b',"result":{}}'


@mutation("encoding")
def count_in_fractions(f: Forgery) -> None:
    f.result["valid"]["heads"] += 0.0


@mutation("encoding")
def add_a_field_to_a_ballot(f: Forgery) -> None:
    f.cast()["weight"] = 2


@mutation("encoding")
def leave_a_line_empty(f: Forgery) -> None:
    f.raw["ballots.jsonl"] = b"".join(canonical(row) + b"\n" for row in f.ballots) + b"\n"


# ---- the manifest -------------------------------------------------------------------------------


@mutation("manifest")
def change_the_wording(f: Forgery) -> None:
    f.manifest["question"] += ",并由物业公司使用"


@mutation("manifest")
def name_a_format_of_ones_own(f: Forgery) -> None:
    f.manifest["format"] = "minyi-poll-0"
    f.remake()


@mutation("notice", "sealed-revotes")
def go_back_to_the_first_format_and_remake_everything(f: Forgery) -> None:
    f.manifest["format"] = "minyi-poll-1"
    f.ballots.remove(at(f.ballots, 0))
    f.remake()
    f.report.pop("envelopes", None)
    f.recertify()


@mutation("notice")
def change_the_wording_and_its_digest(f: Forgery) -> None:
    f.manifest["question"] += ",并由物业公司使用"
    f.rehash()


@mutation("notice")
def change_the_wording_and_remake_everything(f: Forgery) -> None:
    f.manifest["question"] += ",并由物业公司使用"
    f.remake()


@mutation("manifest")
def change_an_item(f: Forgery) -> None:
    f.manifest["items"][0]["text"] = "加装两部电梯"


@mutation("manifest")
def lower_a_threshold(f: Forgery) -> None:
    f.manifest["preset"]["content"]["approval"][0]["numerator"] = 0


@mutation("notice", "owners-special")
def lower_a_threshold_and_remake_everything(f: Forgery) -> None:
    for threshold in f.manifest["preset"]["content"]["approval"]:
        threshold.update(numerator=1, denominator=3)
    f.remake()


@mutation("manifest")
def name_another_edition_of_the_rule(f: Forgery) -> None:
    f.manifest["preset"]["key"] = "owners_all_channels@2021-01-01"


@mutation("manifest", "sealed")
def call_a_sealed_poll_anonymous(f: Forgery) -> None:
    f.manifest["mode_label"]["zh-CN"] = "匿名表决:任何人都不能知道谁选了什么。"


@mutation("manifest", "sealed")
def call_a_sealed_poll_secret_and_remake_everything(f: Forgery) -> None:
    f.manifest["mode_label"]["en"] = "Secret: nobody can know who chose what."
    f.remake()


@mutation("manifest")
def give_a_named_poll_a_box_key(f: Forgery) -> None:
    f.manifest["box_key"] = "ab" * 32
    f.remake()


@mutation("heads")
def swap_the_board_key(f: Forgery) -> None:
    f.manifest["board_key"] = STRANGER.public


@mutation("notice")
def swap_the_board_key_and_sign_everything_again(f: Forgery) -> None:
    f.key = STRANGER
    f.remake()


@mutation("heads")
def move_the_close(f: Forgery) -> None:
    f.manifest["closes_at"] = "2026-06-17T15:00:00Z"


@mutation("manifest")
def move_the_day_on_which_voters_are_of_age(f: Forgery) -> None:
    f.manifest["reference_day"] = "2026-01-01"
    f.remake()


@mutation("roll")
def swap_the_root_of_the_roll(f: Forgery) -> None:
    f.manifest["roll"]["root"] = "00" * 32


@mutation("result-digest")
def swap_the_digest_of_the_roll(f: Forgery) -> None:
    f.manifest["roll"]["digest"] = "00" * 32


@mutation("manifest", "budget")
def raise_the_ceiling(f: Forgery) -> None:
    f.manifest["budget_fen"] += 100_000_000


# ---- the roll -----------------------------------------------------------------------------------


@mutation("roll")
def strike_a_voter_off_the_roll(f: Forgery) -> None:
    f.roll.remove(f.silent())


@mutation("roll")
def add_a_place_to_the_roll(f: Forgery) -> None:
    f.roll.append({**f.roll[-1], "number": len(f.roll) + 1, "voter": "ee" * 16})


@mutation("roll")
def add_a_hundredth_of_a_square_metre(f: Forgery) -> None:
    f.roll[0]["area_dm2"] += 1


@mutation("roll")
def move_area_from_one_owner_to_another(f: Forgery) -> None:
    f.roll[0]["area_dm2"] += 1000
    at(f.roll, 1)["area_dm2"] -= 1000


@mutation("roll")
def exchange_two_voters_on_the_roll(f: Forgery) -> None:
    one, two = (
        at([row for row in f.roll if row["voter"]], 0),
        at([row for row in f.roll if row["voter"]], 1),
    )
    one["voter"], two["voter"] = two["voter"], one["voter"]


@mutation("roll")
def give_a_voter_two_places_and_remake_everything(f: Forgery) -> None:
    f.silent()["voter"] = at([row for row in f.roll if row["voter"]], 0)["voter"]
    f.remake()


@mutation("notice")
def put_a_cousin_on_the_roll_and_remake_everything(f: Forgery) -> None:
    f.roll.append({**f.roll[-1], "number": len(f.roll) + 1, "voter": "ee" * 16})
    f.remake()


# ---- ballots ------------------------------------------------------------------------------------


@mutation("ballots-on-board")
def drop_a_ballot(f: Forgery) -> None:
    f.ballots.remove(f.cast())


@mutation("receipts")
def drop_a_ballot_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(f.cast())
    f.remake()


@mutation("ballots-on-board")
def add_a_ballot_for_an_abstainer(f: Forgery) -> None:
    f.ballots.append({**f.cast(), "place": f.silent()["number"], "salt": "0f" * 16})
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))


@mutation("previous-heads")
def stuff_an_earlier_batch_and_remake_everything(f: Forgery) -> None:
    extra = {**f.cast(), "place": f.silent()["number"], "salt": "0f" * 16}
    f.ballots.append(extra)
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))
    f.board.insert(0, {"tree": "recorded", "idx": 0, "leaf": f.leaf(extra)})
    for head in f.heads:
        head["size"] += 1
    f.remake()


@mutation("ballots-on-board")
def change_a_choice(f: Forgery) -> None:
    _turn(f.cast())


@mutation("board")
def change_a_choice_and_its_leaf(f: Forgery) -> None:
    cast = f.cast()
    old = f.leaf(cast)
    _turn(cast)
    at([row for row in f.board if row["leaf"] == old], 0)["leaf"] = f.leaf(cast)


@mutation("receipts")
def change_a_choice_and_remake_everything(f: Forgery) -> None:
    _turn(f.cast())
    f.remake()


@mutation("ballots-on-board")
def exchange_the_choices_of_two_voters(f: Forgery) -> None:
    one, two = f.cast(0), at([r for r in f.ballots if r["choices"] != f.cast(0)["choices"]], 0)
    one["choices"], two["choices"] = two["choices"], one["choices"]


@mutation("ballots-on-board")
def move_a_ballot_to_a_larger_home(f: Forgery) -> None:
    cast, silent = f.cast(), f.silent()
    cast["place"] = silent["number"]
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))


@mutation("ballots-on-board")
def change_a_channel(f: Forgery) -> None:
    cast = f.cast()
    cast["channel"] = "electronic" if cast["channel"] != "electronic" else "assisted"


@mutation("ballots-on-board")
def swap_a_salt(f: Forgery) -> None:
    f.cast()["salt"] = "00" * 16


@mutation("casts")
def put_ballots_in_another_order(f: Forgery) -> None:
    f.ballots.reverse()


@mutation("casts")
def set_aside_a_ballot_that_stands(f: Forgery) -> None:
    f.cast()["set_aside"] = True


@mutation("casts")
def count_a_ballot_that_was_set_aside(f: Forgery) -> None:
    at([row for row in f.ballots if row["set_aside"]], 0)["set_aside"] = False
    f.remake()


@mutation("casts", "owners")
def let_a_voter_vote_twice_and_remake_everything(f: Forgery) -> None:
    f.ballots.append({**f.cast(), "cast": 2, "salt": "0e" * 16})
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))
    f.remake()


@mutation("casts", "owners")
def let_a_stranger_vote_and_remake_everything(f: Forgery) -> None:
    f.ballots.append({**f.cast(), "place": len(f.roll) + 1, "salt": "0e" * 16})
    f.remake(count=False)


@mutation("casts", "owners")
def vote_for_a_home_without_a_voter_and_remake_everything(f: Forgery) -> None:
    place = at([row for row in f.roll if row["voter"] is None], 0)["number"]
    f.ballots.append({**f.cast(), "place": place, "salt": "0e" * 16})
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))
    f.remake()


@mutation("casts", "multiple-choice")
def mark_an_option_that_was_not_asked(f: Forgery) -> None:
    f.cast()["choices"]["1"] = ["z9"]
    f.remake(count=False)


@mutation("casts", "multiple-choice")
def leave_an_item_unanswered(f: Forgery) -> None:
    del f.cast()["choices"]["2"]
    f.remake(count=False)


@mutation("casts", "multiple-choice")
def mark_more_options_than_allowed(f: Forgery) -> None:
    item = f.manifest["items"][0]
    f.cast()["choices"]["1"] = sorted(option["code"] for option in item["options"])
    if item["most"] >= len(item["options"]):
        raise NotHere
    f.remake(count=False)


@mutation("casts", "multiple-choice")
def abstain_and_choose_at_once(f: Forgery) -> None:
    if f.manifest["items"][0]["most"] < 2:
        raise NotHere
    f.cast()["choices"]["1"] = ["abstain", "o1"]
    f.remake(count=False)


@mutation("casts", "revotes")
def hide_a_first_vote_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at([row for row in f.ballots if row["cast"] == 2], 0))
    again = at([row for row in f.ballots if row["cast"] == 3], 0)
    f.ballots = [r for r in f.ballots if (r["place"], r["cast"]) != (again["place"], 2)]
    f.remake()


@mutation("ballots-on-board", "invalid-not-taking-part")
def make_an_invalid_ballot_valid(f: Forgery) -> None:
    at([row for row in f.ballots if row["choices"] is None], 0)["choices"] = {"1": ["for"]}


@mutation("receipts", "invalid-not-taking-part")
def make_a_ballot_invalid_and_remake_everything(f: Forgery) -> None:
    f.cast()["choices"] = None
    f.remake()


@mutation("casts", "owners")
def vote_by_a_channel_that_the_rule_does_not_take_and_remake_everything(f: Forgery) -> None:
    f.cast()["channel"] = "home_visit"
    f.remake()


@mutation("casts", "owners")
def vote_by_proxy_where_there_is_none_and_remake_everything(f: Forgery) -> None:
    f.cast()["channel"] = "proxy"
    f.remake()


def _turn(cast: dict[str, Any]) -> None:
    choices = cast["choices"]
    choices["1"] = ["against"] if choices["1"] == ["for"] else ["for"]


# ---- sealed ballots -----------------------------------------------------------------------------


@mutation("ballots-on-board", "sealed")
def change_an_opened_ballot(f: Forgery) -> None:
    _turn(at(f.ballots, 0))


@mutation("ballots-on-board", "sealed")
def drop_an_opened_ballot(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))


@mutation("receipts", "sealed")
def drop_an_opened_ballot_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))
    f.remake()


@mutation("ballots-on-board", "sealed")
def drop_opened_ballots_where_nothing_replaces_one_and_remake_everything(f: Forgery) -> None:
    at(f.ballots, 3)
    f.ballots = f.ballots[3:]
    f.remake()


@mutation("ballots-on-board", "sealed-late")
def drop_an_opened_ballot_of_a_late_close_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))
    f.remake()


@mutation("receipts", "sealed-revotes")
def call_a_dropped_ballot_replaced_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at(f.ballots, 0))
    f.remake()


@mutation("reconciliation", "sealed-revotes")
def drop_an_opened_ballot_and_keep_the_number_of_the_replaced(f: Forgery) -> None:
    replaced = f.report["envelopes"]["replaced"]
    f.ballots.remove(at(f.ballots, 0))
    f.remake()
    f.report["envelopes"]["replaced"] = replaced
    f.recertify()


@mutation("reconciliation", "sealed-revotes")
def certify_fewer_envelopes_than_the_board_has(f: Forgery) -> None:
    line = f.report["envelopes"]
    if not line["replaced"]:
        raise NotHere
    line.update(recorded=line["recorded"] - 1, replaced=line["replaced"] - 1)
    f.recertify()


@mutation("reconciliation", "sealed-revotes")
def certify_no_number_of_envelopes(f: Forgery) -> None:
    f.report["envelopes"] = None
    f.recertify()


@mutation("reconciliation", "sealed-paper")
def forget_an_envelope_that_stayed_shut_and_certify(f: Forgery) -> None:
    at(f.ballots, 0)
    f.report["envelopes"].update(replaced=0)
    f.recertify()


@mutation("reconciliation", "sealed")
def say_that_a_sealed_ballot_came_by_proxy_and_certify(f: Forgery) -> None:
    at(f.report["channels"], 0)["channel"] = "proxy"
    f.recertify()


@mutation("ballots-on-board", "sealed")
def add_opened_ballots_beyond_the_envelopes(f: Forgery) -> None:
    f.ballots += [{**at(f.ballots, 0), "tracker": f"ZZ{n:030d}"} for n in range(len(f.ballots))]
    f.remake(count=False)


@mutation("ballots-on-board", "sealed")
def give_two_ballots_one_tracker_and_remake_everything(f: Forgery) -> None:
    at(f.ballots, 1)["tracker"] = at(f.ballots, 0)["tracker"]
    f.remake()


@mutation("ballots-on-board", "sealed")
def exchange_two_trackers(f: Forgery) -> None:
    other = at([r for r in f.ballots if r["choices"] != at(f.ballots, 0)["choices"]], 0)
    first = f.ballots[0]
    first["choices"], other["choices"] = other["choices"], first["choices"]


@mutation("ballots-on-board", "sealed")
def open_ballots_in_the_order_of_arrival(f: Forgery) -> None:
    if len(f.ballots) < 2:
        raise NotHere
    f.ballots.reverse()
    f.remake()


@mutation("recount", "sealed")
def make_an_opened_ballot_invalid_and_certify(f: Forgery) -> None:
    at(f.ballots, 0)["choices"] = None
    f.remake(count=False)


@mutation("casts", "sealed")
def mark_an_opened_ballot_twice(f: Forgery) -> None:
    at(f.ballots, 0)["choices"] = {"1": ["against", "for"]}
    f.remake(count=False)


@mutation("reconciliation", "sealed")
def report_fewer_voters_than_ballots(f: Forgery) -> None:
    at(f.report["channels"], 0)["cast"] -= 1
    f.report["voters"] -= 1
    f.recertify()


# ---- board and heads ----------------------------------------------------------------------------


@mutation("board")
def drop_a_leaf(f: Forgery) -> None:
    f.board.pop()


@mutation("board")
def add_a_leaf(f: Forgery) -> None:
    f.board.append({"tree": "recorded", "idx": len(f.board), "leaf": "0d" * 32})


@mutation("board")
def exchange_two_leaves(f: Forgery) -> None:
    one, two = at(f.board, 0), at(f.board, 1)
    one["leaf"], two["leaf"] = two["leaf"], one["leaf"]


@mutation("board")
def put_a_leaf_twice_and_sign_again(f: Forgery) -> None:
    f.board[-1]["leaf"] = f.board[0]["leaf"]
    f.sign_heads()
    f.recertify()


@mutation("board")
def number_the_leaves_anew(f: Forgery) -> None:
    f.board[0]["idx"] = 1


@mutation("batches", "large")
def show_the_order_of_arrival_and_sign_again(f: Forgery) -> None:
    for row, leaf in zip(f.board, [row["leaf"] for row in reversed(f.board)], strict=True):
        row["leaf"] = leaf
    f.sign_heads()
    f.recertify()


@mutation("batches", "large")
def publish_every_ballot_at_once_and_sign_again(f: Forgery) -> None:
    first = f.heads[0]
    f.heads = [
        {**first, "number": size, "size": size, "at": f.heads[-1]["at"]}
        for size in range(1, len(f.board) + 1)
    ]
    f.sign_heads()
    f.recertify()


@mutation("heads")
def forge_a_head(f: Forgery) -> None:
    f.heads[-1]["signature"] = STRANGER.sign(b"a head")


@mutation("heads")
def sign_all_heads_with_another_key(f: Forgery) -> None:
    f.key = STRANGER
    f.sign_heads()


@mutation("heads")
def change_a_root(f: Forgery) -> None:
    f.heads[-1]["root"] = "00" * 32


@mutation("heads", "large")
def drop_a_head(f: Forgery) -> None:
    f.heads.remove(at(f.heads, 1))


@mutation("board", "large")
def end_with_an_old_head(f: Forgery) -> None:
    f.heads.pop()


@mutation("certificate", "large")
def end_with_an_old_head_and_board(f: Forgery) -> None:
    f.heads.pop()
    f.board = f.board[: f.heads[-1]["size"]]


@mutation("heads", "large")
def shrink_the_tree_and_sign_again(f: Forgery) -> None:
    f.heads[1]["size"] = f.heads[0]["size"] - 1
    f.sign_heads()
    f.recertify()


@mutation("heads", "large")
def unlink_a_head_and_sign_again(f: Forgery) -> None:
    f.heads[1]["prev"] = None
    f.sign_head(f.heads[1])


@mutation("heads")
def take_a_head_of_another_poll(f: Forgery) -> None:
    here, f.manifest["poll"] = f.manifest["poll"], "00000000-0000-4000-8000-000000000000"
    f.sign_head(f.heads[-1])
    f.manifest["poll"] = here


@mutation("batches")
def tell_the_minute_and_sign_again(f: Forgery) -> None:
    f.heads[-1]["at"] = f.heads[-1]["at"].replace(":00:00Z", ":07:00Z")
    f.sign_heads()
    f.recertify()


@mutation("heads", "large")
def put_heads_in_another_order(f: Forgery) -> None:
    f.heads.reverse()


@mutation("times", "large")
def begin_the_board_before_the_opening_and_sign_again(f: Forgery) -> None:
    f.heads[0]["at"] = "2026-06-09T04:00:00Z"
    f.sign_heads()
    f.recertify()


@mutation("times", "large")
def date_the_last_head_after_the_certificate_and_sign_again(f: Forgery) -> None:
    f.heads[-1]["at"] = "2026-07-16T16:00:00Z"
    f.sign_heads()
    f.recertify()


@mutation("times", "sealed")
def open_the_box_before_the_close_and_sign_again(f: Forgery) -> None:
    at(f.tree("opened"), 0)["at"] = "2026-06-10T16:00:00Z"
    f.sign_heads()
    f.recertify()


@mutation("times", "sealed")
def open_the_box_after_the_signatures_and_sign_again(f: Forgery) -> None:
    at(f.tree("opened"), 0)["at"] = "2026-06-16T18:00:00Z"
    f.sign_heads()
    f.certificate["certified_at"] = "2026-06-17T16:00:00Z"
    f.recertify()


@mutation("times", "large")
def collect_ballots_for_days_after_the_close_and_certify(f: Forgery) -> None:
    for days, head in enumerate(f.heads[-3:]):
        head["at"] = f"2026-06-{18 + days}T16:00:00Z"
    f.sign_heads()
    _close(f, "2026-06-20T16:00:00Z")
    f.recertify()


@mutation("previous-heads", "large")
def show_another_board_than_before(f: Forgery) -> None:
    _turn(f.cast(0))
    _turn(f.cast(3))
    f.remake()


# ---- the result ---------------------------------------------------------------------------------


@mutation("recount")
def count_one_vote_more(f: Forgery) -> None:
    f.result["items"][0]["tallies"][0]["votes"]["heads"] += 1


@mutation("recount")
def count_a_hundredth_of_a_square_metre_more(f: Forgery) -> None:
    f.result["items"][0]["tallies"][0]["votes"]["area_dm2"] += 1


@mutation("recount")
def move_votes_from_against_to_for_and_certify(f: Forgery) -> None:
    tallies = f.result["items"][0]["tallies"]
    tallies[0]["votes"]["heads"] += 1
    tallies[1]["votes"]["heads"] -= 1
    f.redigest()
    f.recertify()


@mutation("recount")
def count_abstentions_as_agreement_and_certify(f: Forgery) -> None:
    tallies = f.result["items"][0]["tallies"]
    tallies[0]["votes"], tallies[2]["votes"] = tallies[2]["votes"], tallies[0]["votes"]
    f.redigest()
    f.recertify()


@mutation("recount", "no-quorum")
def turn_the_verdict_and_certify(f: Forgery) -> None:
    if f.result["verdict"] != "no_quorum":
        raise NotHere
    f.result["verdict"] = f.result["items"][0]["verdict"] = "passed"
    f.redigest()
    f.recertify()


@mutation("recount", "no-quorum")
def reach_the_quorum_by_decree_and_certify(f: Forgery) -> None:
    if f.result["quorum_reached"]:
        raise NotHere
    f.result["quorum_reached"] = True
    for check in f.result["turnout"]:
        check.update(reached=True, missing=0)
    f.redigest()
    f.recertify()


@mutation("recount", "owners-special")
def count_by_another_rule_and_certify(f: Forgery) -> None:
    honest = json.loads(json.dumps(f.manifest["preset"]["content"]))
    for threshold in f.manifest["preset"]["content"]["approval"]:
        threshold.update(numerator=1, denominator=2, inclusive=False)
    f.recount()
    f.manifest["preset"]["content"] = honest
    f.redigest()
    f.recertify()


@mutation("recount", "invalid-taking-part")
def leave_invalid_ballots_out_of_the_base_and_certify(f: Forgery) -> None:
    f.result["participating"]["heads"] -= f.result["invalid"]["heads"]
    if not f.result["invalid"]["heads"]:
        raise NotHere
    f.redigest()
    f.recertify()


@mutation("result-digest")
def change_the_steps_of_the_count(f: Forgery) -> None:
    at(f.result["steps"], 0)["facts"]["value"] = 0


@mutation("result-digest")
def change_the_digest_of_the_result(f: Forgery) -> None:
    f.tally["result_digest"] = "00" * 32


@mutation("recount", "election")
def elect_another_candidate_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    others = [one["code"] for one in f.manifest["items"][0]["options"]]
    at(item["chosen"], 0)
    item["chosen"][0] = at([one for one in others if one not in item["chosen"]], 0)
    f.redigest()
    f.recertify()


@mutation("recount", "election-tied")
def draw_lots_at_a_tie_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    item["chosen"].append(at(item["tied"], 0))
    item.update(tied=[], runoff=[])
    f.redigest()
    f.recertify()


@mutation("recount", "election-run-off")
def hide_a_run_off_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    at(item["runoff"], 0)
    item["runoff"] = []
    f.redigest()
    f.recertify()


@mutation("recount", "tied")
def let_a_tie_pass_and_certify(f: Forgery) -> None:
    f.result["verdict"] = f.result["items"][0]["verdict"] = "passed"
    f.redigest()
    f.recertify()


@mutation("recount", "rating")
def better_a_grade_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    codes = [one["code"] for one in f.manifest["items"][0]["options"]]
    item["chosen"] = [at([code for code in codes if code not in item["chosen"]], 0)]
    f.redigest()
    f.recertify()


@mutation("recount", "budget")
def fund_another_project_and_certify(f: Forgery) -> None:
    at([item for item in f.result["items"] if item["funding"] == "reserve"], 0)["funding"] = (
        "funded"
    )
    f.redigest()
    f.recertify()


@mutation("result-digest", "meeting")
def raise_the_number_of_those_present(f: Forgery) -> None:
    f.result["present"] += 1


@mutation("recount", "meeting-hands")
def raise_a_hand_more_and_certify(f: Forgery) -> None:
    f.tally["hands"]["heads"] += 1
    f.redigest()
    f.recertify()


@mutation("recount", "zero-ballots-sealed")
def raise_hands_in_a_sealed_poll_without_ballots_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll))


@mutation("recount", "sealed-election")
def raise_hands_in_a_sealed_election_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll) - len(f.ballots))


@mutation("recount", "revotes")
def raise_hands_without_a_meeting_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll) - len({row["place"] for row in f.ballots}))


@mutation("recount", "zero-ballots")
def raise_hands_where_areas_count_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll))


@mutation("recount", "meeting")
def raise_hands_beside_ballots_and_certify(f: Forgery) -> None:
    free = f.result["present"] - f.result["valid"]["heads"] - f.result["invalid"]["heads"]
    if not free:
        raise NotHere
    f.raise_hands(free)


@mutation("recount", "owners")
def count_silence_as_consent_and_certify(f: Forgery) -> None:
    f.tally["deemed"] = [f.silent()["number"]]


@mutation("recount", "deemed")
def let_a_voter_be_silent_too(f: Forgery) -> None:
    f.tally["deemed"] = sorted([*f.tally["deemed"], f.cast()["place"]])


@mutation("recount", "deemed")
def deem_a_home_without_a_voter_and_remake_everything(f: Forgery) -> None:
    place = at([row for row in f.roll if row["voter"] is None], 0)["number"]
    f.tally["deemed"] = sorted([*f.tally["deemed"], place])
    f.remake()


# ---- reconciliation and certificate -------------------------------------------------------------


@mutation("reconciliation")
def change_the_report(f: Forgery) -> None:
    f.report["channels"][0]["cast"] += 1


@mutation("reconciliation")
def move_a_ballot_to_another_channel_in_the_report(f: Forgery) -> None:
    one, two = at(f.report["channels"], 0), at(f.report["channels"], 1)
    for line, more in ((one, 1), (two, -1)):
        line["cast"] += more
        line["counted"] += more
    f.recertify()


@mutation("reconciliation")
def certify_what_does_not_reconcile(f: Forgery) -> None:
    f.report["differences"] = [{"code": "turnout", "expected": 1, "found": 2}]
    f.recertify()


@mutation("reconciliation")
def lose_a_paper_form_and_certify(f: Forgery) -> None:
    f.report["paper"]["printed"] += 1
    f.report["paper"]["unaccounted"] += 1
    f.recertify()


@mutation("reconciliation")
def hide_a_revoked_mandate_and_certify(f: Forgery) -> None:
    if not f.report["proxies"]["revoked"]:
        raise NotHere
    f.report["proxies"]["revoked"] -= 1
    f.recertify()


@mutation("reconciliation")
def certify_mandates_of_more_principals_than_the_rule_knows(f: Forgery) -> None:
    f.manifest["preset"]["content"]["proxies"]["max_principals"] = 0
    f.remake()


@mutation("reconciliation")
def certify_help_that_nobody_confirmed(f: Forgery) -> None:
    f.report["countersigned"]["confirmed"] -= 1
    f.recertify()


@mutation("reconciliation")
def leave_out_who_helped_and_certify(f: Forgery) -> None:
    line = f.report["countersigned"]
    line.update(entries=line["entries"] - 1, confirmed=line["confirmed"] - 1)
    f.recertify()


@mutation("reconciliation", "sealed-paper")
def enter_a_sheet_too_many_and_certify(f: Forgery) -> None:
    f.report["sheets"]["entered"] += 1
    f.recertify()


@mutation("reconciliation", "sealed-paper")
def forget_an_envelope_with_its_sheet_and_certify(f: Forgery) -> None:
    f.report["sheets"]["envelopes"] -= 1
    f.report["sheets"]["entered"] -= 1
    f.recertify()


@mutation("reconciliation", "sealed-paper")
def say_that_a_sheet_came_from_a_phone_and_certify(f: Forgery) -> None:
    phone, paper = at(f.report["channels"], 0), at(f.report["channels"], 1)
    for line, more in ((phone, 1), (paper, -1)):
        line["cast"] += more
        line["counted"] += more
    f.recertify()


@mutation("reconciliation")
def take_back_more_forms_than_were_issued_and_certify(f: Forgery) -> None:
    f.report["paper"]["issued"] = f.report["paper"]["returned"] - 1
    f.recertify()


@mutation("reconciliation", "meeting-hands")
def report_fewer_hands_and_certify(f: Forgery) -> None:
    f.report["by_hand"] += 1
    f.recertify()


@mutation("signers")
def certify_with_one_teller(f: Forgery) -> None:
    f.certificate["signatures"].pop(0)
    f.recertify()


@mutation("signers")
def certify_without_a_supervisor(f: Forgery) -> None:
    f.certificate["signatures"].pop()
    f.recertify()


@mutation("signers")
def let_one_person_sign_twice(f: Forgery) -> None:
    one, two, _ = f.certificate["signatures"]
    two["signer"] = one["signer"]
    f.recertify()


@mutation("signers")
def let_a_teller_supervise_too(f: Forgery) -> None:
    one, _, three = f.certificate["signatures"]
    three["signer"] = one["signer"]
    f.recertify()


@mutation("signers")
def take_a_signature_under_another_result(f: Forgery) -> None:
    f.certificate["signatures"][0]["result_digest"] = "00" * 32
    f.recertify()


@mutation("signers")
def let_a_clerk_sign(f: Forgery) -> None:
    f.certificate["signatures"][0]["role"] = "clerk"
    f.recertify()


@mutation("certificate")
def certify_under_another_key(f: Forgery) -> None:
    f.key = STRANGER
    f.recertify()


@mutation("certificate")
def change_a_name_in_the_certificate(f: Forgery) -> None:
    f.certificate["signatures"][0]["name"] = "张*"
    f.paper["content"] = canonical(f.certificate).decode()


@mutation("certificate")
def take_the_certificate_of_another_poll(f: Forgery) -> None:
    f.certificate["poll"] = "00000000-0000-4000-8000-000000000000"
    f.sign_certificate()


@mutation("certificate")
def certify_another_board(f: Forgery) -> None:
    f.certificate["heads"]["recorded"]["size"] -= 1
    f.sign_certificate()


@mutation("times")
def sign_before_the_close(f: Forgery) -> None:
    for one in f.certificate["signatures"]:
        one["at"] = "2026-06-16T15:59:59Z"
    f.recertify()


@mutation("times")
def close_too_early(f: Forgery) -> None:
    f.tally["closed_at"] = f.certificate["closed_at"] = "2026-06-15T16:00:00Z"
    f.recertify()


@mutation("times")
def tell_another_close_than_the_certificate(f: Forgery) -> None:
    f.tally["closed_at"] = "2026-06-16T17:00:00Z"


@mutation("times", "extended")
def extend_beyond_the_longest_window_and_certify(f: Forgery) -> None:
    f.certificate["extension"]["to"] = "2026-08-20T16:00:00Z"
    _close(f, "2026-08-20T16:00:00Z")
    f.recertify()


@mutation("times", "extended")
def extend_a_second_time_and_certify(f: Forgery) -> None:
    moved = f.certificate["extension"]
    moved.update({"from": moved["to"], "at": moved["to"], "to": "2026-08-01T16:00:00Z"})
    _close(f, "2026-08-01T16:00:00Z")
    f.recertify()


@mutation("times", "extended")
def extend_after_the_end_and_certify(f: Forgery) -> None:
    f.certificate["extension"]["at"] = "2026-06-16T16:00:01Z"
    f.recertify()


@mutation("times", "extended")
def extend_at_the_very_end_and_certify(f: Forgery) -> None:
    f.certificate["extension"]["at"] = f.certificate["extension"]["from"]
    f.recertify()


@mutation("times", "extended")
def hide_an_extension_and_certify(f: Forgery) -> None:
    sizes = [head["size"] for head in f.heads if head["at"] >= f.certificate["extension"]["from"]]
    if not sizes or sizes[0] == sizes[-1]:  # nobody voted in the days that it gave
        raise NotHere
    f.certificate["extension"] = None
    f.recertify()


@mutation("times")
def extend_against_the_rule_and_certify(f: Forgery) -> None:
    f.certificate["extension"] = {
        "from": f.manifest["closes_at"],
        "to": "2026-06-20T16:00:00Z",
        "at": "2026-06-16T08:00:00Z",
    }
    _close(f, "2026-06-20T16:00:00Z")
    f.recertify()


@mutation("signers", "counted-twice")
def publish_a_close_result_without_counting_again(f: Forgery) -> None:
    signed = f.certificate["signatures"]
    f.certificate["signatures"] = [one for one in signed if not one["recount"]]
    f.recertify()


@mutation("signers", "election-counted-twice")
def publish_a_close_election_without_counting_again(f: Forgery) -> None:
    publish_a_close_result_without_counting_again(f)


@mutation("signers", "counted-twice", edition=Edition.PUBLIC)
def publish_a_close_result_without_counting_again_in_public(f: Forgery) -> None:
    publish_a_close_result_without_counting_again(f)


@mutation("signers", "corrected-early-counted-twice")
def publish_a_close_correction_with_two_tellers_alone(f: Forgery) -> None:
    publish_a_close_result_without_counting_again(f)


@mutation("signers", "counted-twice")
def count_again_with_one_teller(f: Forgery) -> None:
    f.certificate["signatures"].pop()
    f.recertify()


@mutation("signers", "counted-twice")
def let_the_first_tellers_count_again(f: Forgery) -> None:
    one, two, _, *again = f.certificate["signatures"]
    for mine, theirs in zip(again, (one, two), strict=True):
        mine["signer"] = theirs["signer"]
    f.recertify()


@mutation("corrections", "corrected")
def hide_the_version_that_was_corrected(f: Forgery) -> None:
    f.paper["earlier"] = []


@mutation("corrections", "corrected")
def change_the_version_that_was_corrected(f: Forgery) -> None:
    content = json.loads(f.paper["earlier"][0]["content"])
    content["result_digest"] = "00" * 32
    f.paper["earlier"][0]["content"] = canonical(content).decode()


@mutation("corrections", "corrected")
def correct_without_a_reason(f: Forgery) -> None:
    f.certificate["reason"] = None
    f.recertify()


@mutation("corrections")
def publish_a_second_version_as_the_first(f: Forgery) -> None:
    f.certificate["version"] = 2
    f.recertify()


# ---- the public edition -------------------------------------------------------------------------

PUBLIC = Edition.PUBLIC


@mutation("ballots-on-board", edition=PUBLIC)
def drop_a_ballot_of_the_public_edition(f: Forgery) -> None:
    f.ballots.pop()


@mutation("roll", edition=PUBLIC)
def drop_a_place_of_the_public_edition(f: Forgery) -> None:
    f.roll.pop()


@mutation("encoding", edition=PUBLIC)
def withhold_more_than_the_edition_may(f: Forgery) -> None:
    f.tally["withheld"].append("signatures")


@mutation("encoding", edition=PUBLIC)
def call_a_public_edition_full(f: Forgery) -> None:
    f.tally.update(edition="full", withheld=[])


@mutation("recount", edition=PUBLIC)
def turn_the_quorum_of_the_public_edition(f: Forgery) -> None:
    f.result["quorum_reached"] = not f.result["quorum_reached"]


@mutation("result-digest", "several-motions", edition=PUBLIC)
def change_a_count_of_the_public_edition(f: Forgery) -> None:
    f.result["items"][0]["tallies"][1]["votes"]["heads"] += 1


@mutation("recount", "revotes", edition=PUBLIC)
def raise_hands_without_a_meeting_in_public(f: Forgery) -> None:
    f.raise_hands(len(f.roll) - f.result["valid"]["heads"])


@mutation("recount", "meeting", edition=PUBLIC)
def raise_hands_beside_ballots_in_public(f: Forgery) -> None:
    free = f.result["present"] - f.result["valid"]["heads"] - f.result["invalid"]["heads"]
    if not free:
        raise NotHere
    f.raise_hands(free)


@mutation("recount", "meeting-hands", edition=PUBLIC)
def count_a_hand_for_another_answer_in_public(f: Forgery) -> None:
    shown = f.tally["hands"]["items"]["1"]
    if not shown["against"]:
        raise NotHere
    shown["for"] += 1
    shown["against"] -= 1


@mutation("recount", "meeting-hands", edition=PUBLIC)
def hide_the_hands_in_public(f: Forgery) -> None:
    if not f.tally["hands"]["heads"]:
        raise NotHere
    f.tally["hands"] = None


@mutation("reconciliation", "owners", edition=PUBLIC)
def report_a_channel_that_the_rule_does_not_take_in_public(f: Forgery) -> None:
    at(f.report["channels"], 0)["channel"] = "home_visit"
    f.recertify()


@mutation("recount", "owners", edition=PUBLIC)
def turn_the_verdict_of_the_public_edition(f: Forgery) -> None:
    word = "not_passed" if f.result["verdict"] == "passed" else "passed"
    f.result["verdict"] = f.result["items"][0]["verdict"] = word


@mutation("recount", "owners", edition=PUBLIC)
def count_a_vote_more_in_public(f: Forgery) -> None:
    f.result["items"][0]["tallies"][0]["votes"]["heads"] += 1


@mutation("recount", "owners", edition=PUBLIC)
def count_one_fewer_as_taking_part_in_public(f: Forgery) -> None:
    f.result["participating"]["heads"] -= 1


@mutation("recount", "owners", edition=PUBLIC)
def leave_out_a_bound_of_area_in_public(f: Forgery) -> None:
    f.result["turnout"] = [one for one in f.result["turnout"] if one["measure"] == "heads"]


@mutation("recount", "owners", edition=PUBLIC)
def lower_the_base_of_a_bound_in_public(f: Forgery) -> None:
    check = f.result["items"][0]["tallies"][0]["approval"][0]
    names = ("measure", "of", "numerator", "denominator", "inclusive")
    threshold = Threshold.model_validate({name: check[name] for name in names})
    check["base"] -= 2
    check["needed"] = max(1, least_reaching(threshold, check["base"]))
    check["missing"] = max(0, check["needed"] - check["value"])
    check["reached"] = check["value"] >= check["needed"]


@mutation("recount", "deemed", edition=PUBLIC)
def let_the_silent_follow_the_minority_in_public(f: Forgery) -> None:
    agree, object_, *_ = f.result["items"][0]["tallies"]
    silent = f.result["deemed"]["heads"]
    if not (silent and agree["deemed"]["heads"]):
        raise NotHere
    agree["deemed"], object_["deemed"] = object_["deemed"], agree["deemed"]
    check = agree["approval"][0]
    check["value"] -= silent
    check["missing"] = max(0, check["needed"] - check["value"])
    check["reached"] = check["value"] >= check["needed"]


@mutation("recount", "election", edition=PUBLIC)
def elect_another_candidate_in_public(f: Forgery) -> None:
    elect_another_candidate_and_certify(f)


# ---- what the operator may try besides ----------------------------------------------------------


@mutation("corrections", "counted-twice")
def correct_a_version_that_nobody_signed(f: Forgery) -> None:
    """A correction is itself another count: so a first version is invented, and the second count
    is saved."""
    first = canonical({**f.certificate, "signatures": []})
    f.paper["earlier"] = [{"content": first.decode(), "signature": f.key.sign(first)}]
    signed = [one for one in f.certificate["signatures"] if not one["recount"]]
    f.certificate |= {
        "version": 2,
        "corrects": board.text_digest(first),
        "reason": "复核后更正",
        "signatures": signed,
    }
    f.recertify()


@mutation("corrections", "corrected")
def correct_a_version_of_another_manifest(f: Forgery) -> None:
    first = json.loads(f.paper["earlier"][0]["content"])
    content = canonical({**first, "manifest": "00" * 32})
    f.paper["earlier"] = [{"content": content.decode(), "signature": f.key.sign(content)}]
    f.certificate["corrects"] = board.text_digest(content)
    f.recertify()


@mutation("reconciliation")
def lose_fewer_forms_than_none_and_certify(f: Forgery) -> None:
    f.report["paper"]["missing"] -= 3
    f.report["paper"]["unused"] += 3
    f.recertify()


@mutation("reconciliation", "sealed-revotes")
def set_fewer_ballots_aside_than_none_and_certify(f: Forgery) -> None:
    line = at(f.report["channels"], 0)
    line["set_aside"] -= 1
    line["cast"] -= 1
    f.recertify()


@mutation("reconciliation", "sealed")
def report_a_channel_in_two_lines_and_certify(f: Forgery) -> None:
    line = at(f.report["channels"], 0)
    if line["counted"] < 2:
        raise NotHere
    part = {**line, "cast": 1, "counted": 1}
    line["cast"] -= 1
    line["counted"] -= 1
    f.report["channels"].append(part)
    f.recertify()


@mutation("reconciliation")
def bring_more_forms_to_doors_than_were_issued_and_certify(f: Forgery) -> None:
    f.report["paper"]["issued_at_door"] = f.report["paper"]["issued"] + 1
    f.recertify()


@mutation("ballots-on-board", "owners")
def salt_every_ballot_alike_and_remake_everything(f: Forgery) -> None:
    """Then everybody can work out of the public board how each place voted."""
    if len(f.ballots) < 2:
        raise NotHere
    for row in f.ballots:
        row["salt"] = "00" * 16
    f.remake()


@mutation("roll", "owners")
def salt_every_place_alike_and_remake_everything(f: Forgery) -> None:
    for row in f.roll:
        row["salt"] = "00" * 16
    f.remake()


@mutation("casts", "owners")
def number_a_cast_by_a_word_and_remake_everything(f: Forgery) -> None:
    f.cast()["cast"] = True
    f.remake()


@mutation("ballots-on-board", "sealed")
def write_a_name_for_a_tracker_and_remake_everything(f: Forgery) -> None:
    at(f.ballots, 0)["tracker"] = "0WANGDAMING"
    f.remake()


@mutation("manifest", "sealed")
def seal_to_no_key_and_remake_everything(f: Forgery) -> None:
    f.manifest["box_key"] = "00"
    f.remake()


@mutation("receipts", "sealed")
def make_a_voters_ballot_invalid_and_remake_everything(f: Forgery) -> None:
    f.cast_of_a_receipt()["choices"] = None
    f.remake()


@mutation("roll", "owners")
def give_a_home_less_than_no_area_and_remake_everything(f: Forgery) -> None:
    f.silent()["area_dm2"] *= -1
    f.remake()


@mutation("roll", "owners")
def write_a_voter_in_capitals_for_a_second_place_and_remake_everything(f: Forgery) -> None:
    voters = [row for row in f.roll if row["voter"]]
    at(voters, 1)["voter"] = voters[0]["voter"].upper()
    f.remake()


@mutation("manifest", "owners")
def let_a_motion_be_answered_twice_over_and_remake_everything(f: Forgery) -> None:
    f.manifest["items"][0]["most"] = 2
    f.remake()


@mutation("manifest", "single-choice")
def put_an_option_twice(f: Forgery) -> None:
    options = f.manifest["items"][0]["options"]
    options[1]["code"] = options[0]["code"]
    _retext(f)


@mutation("manifest", "election")
def elect_for_no_seat(f: Forgery) -> None:
    f.manifest["items"][0]["seats"] = 0
    _retext(f)


@mutation("manifest", "owners")
def bind_and_ask_for_no_approval(f: Forgery) -> None:
    f.manifest["preset"]["content"]["approval"] = []
    _retext(f)


@mutation("manifest", "owners")
def ask_for_a_share_of_nothing(f: Forgery) -> None:
    f.manifest["preset"]["content"]["turnout"][0]["numerator"] = 0
    _retext(f)


@mutation("manifest", "owners")
def ask_for_a_bound_of_what_is_not_counted(f: Forgery) -> None:
    f.manifest["preset"]["content"]["measures"] = ["heads"]
    _retext(f)


@mutation("manifest", "deemed")
def count_the_silence_of_residents(f: Forgery) -> None:
    f.manifest["preset"]["content"]["layer"] = "assembly"
    _retext(f)


@mutation("manifest", "election")
def count_silence_in_an_election(f: Forgery) -> None:
    f.manifest["preset"]["content"]["silent"] = "deemed_majority"
    _retext(f)


class _Anybody(LocalBoardKey):
    """The neutral point of the curve as a public key: it needs no private one."""

    def __init__(self) -> None:
        self.public = "01" + "00" * 31

    def sign(self, message: bytes) -> str:
        return self.public + "00" * 32


@mutation("manifest", "owners")
def sign_under_a_key_that_everybody_has_and_remake_everything(f: Forgery) -> None:
    f.key = _Anybody()
    f.remake()


def _retext(f: Forgery) -> None:
    """The hash of a text that the program itself would not announce."""
    m = f.manifest
    text = {name: m[name] for name in ("question", "items", "budget_fen")}
    m["text_hash"] = board.text_digest(canonical({**text, "preset": m["preset"]["content"]}))


def _close(f: Forgery, at_: str) -> None:
    """Closed at another hour, and all that follows the close with it."""
    f.tally["closed_at"] = f.certificate["closed_at"] = at_
    for one in f.certificate["signatures"]:
        one["at"] = at_
    f.certificate["certified_at"] = at_
