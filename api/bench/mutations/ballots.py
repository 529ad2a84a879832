"""The ballots of a named poll."""

from typing import Any

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.mutation import Mutations

BALLOTS = Mutations()


@BALLOTS.noticed_by("ballots-on-board")
def drop_a_ballot(f: Forgery) -> None:
    f.ballots.remove(f.cast())


@BALLOTS.noticed_by("receipts")
def drop_a_ballot_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(f.cast())
    f.remake()


@BALLOTS.noticed_by("ballots-on-board")
def add_a_ballot_for_an_abstainer(f: Forgery) -> None:
    f.ballots.append({**f.cast(), "place": f.silent()["number"], "salt": "0f" * 16})
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))


@BALLOTS.noticed_by("previous-heads")
def stuff_an_earlier_batch_and_remake_everything(f: Forgery) -> None:
    extra = {**f.cast(), "place": f.silent()["number"], "salt": "0f" * 16}
    f.ballots.append(extra)
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))
    f.board.insert(0, {"tree": "recorded", "idx": 0, "leaf": f.leaf(extra)})
    for head in f.heads:
        head["size"] += 1
    f.remake()


@BALLOTS.noticed_by("ballots-on-board")
def change_a_choice(f: Forgery) -> None:
    turn(f.cast())


@BALLOTS.noticed_by("board")
def change_a_choice_and_its_leaf(f: Forgery) -> None:
    cast = f.cast()
    old = f.leaf(cast)
    turn(cast)
    at([row for row in f.board if row["leaf"] == old], 0)["leaf"] = f.leaf(cast)


@BALLOTS.noticed_by("receipts")
def change_a_choice_and_remake_everything(f: Forgery) -> None:
    turn(f.cast())
    f.remake()


@BALLOTS.noticed_by("ballots-on-board")
def exchange_the_choices_of_two_voters(f: Forgery) -> None:
    one, two = f.cast(0), at([r for r in f.ballots if r["choices"] != f.cast(0)["choices"]], 0)
    one["choices"], two["choices"] = two["choices"], one["choices"]


@BALLOTS.noticed_by("ballots-on-board")
def move_a_ballot_to_a_larger_home(f: Forgery) -> None:
    cast, silent = f.cast(), f.silent()
    cast["place"] = silent["number"]
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))


@BALLOTS.noticed_by("ballots-on-board")
def change_a_channel(f: Forgery) -> None:
    cast = f.cast()
    cast["channel"] = "electronic" if cast["channel"] != "electronic" else "assisted"


@BALLOTS.noticed_by("ballots-on-board")
def swap_a_salt(f: Forgery) -> None:
    f.cast()["salt"] = "00" * 16


@BALLOTS.noticed_by("casts")
def put_ballots_in_another_order(f: Forgery) -> None:
    f.ballots.reverse()


@BALLOTS.noticed_by("casts")
def set_aside_a_ballot_that_stands(f: Forgery) -> None:
    f.cast()["set_aside"] = True


@BALLOTS.noticed_by("casts")
def count_a_ballot_that_was_set_aside(f: Forgery) -> None:
    at([row for row in f.ballots if row["set_aside"]], 0)["set_aside"] = False
    f.remake()


@BALLOTS.noticed_by("casts", "owners")
def let_a_voter_vote_twice_and_remake_everything(f: Forgery) -> None:
    f.ballots.append({**f.cast(), "cast": 2, "salt": "0e" * 16})
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))
    f.remake()


@BALLOTS.noticed_by("casts", "owners")
def let_a_stranger_vote_and_remake_everything(f: Forgery) -> None:
    f.ballots.append({**f.cast(), "place": len(f.roll) + 1, "salt": "0e" * 16})
    f.remake(count=False)


@BALLOTS.noticed_by("casts", "owners")
def vote_for_a_home_without_a_voter_and_remake_everything(f: Forgery) -> None:
    place = at([row for row in f.roll if row["voter"] is None], 0)["number"]
    f.ballots.append({**f.cast(), "place": place, "salt": "0e" * 16})
    f.ballots.sort(key=lambda row: (row["place"], row["cast"]))
    f.remake()


@BALLOTS.noticed_by("casts", "multiple-choice")
def mark_an_option_that_was_not_asked(f: Forgery) -> None:
    f.cast()["choices"]["1"] = ["z9"]
    f.remake(count=False)


@BALLOTS.noticed_by("casts", "multiple-choice")
def leave_an_item_unanswered(f: Forgery) -> None:
    del f.cast()["choices"]["2"]
    f.remake(count=False)


@BALLOTS.noticed_by("casts", "multiple-choice")
def mark_more_options_than_allowed(f: Forgery) -> None:
    item = f.manifest["items"][0]
    f.cast()["choices"]["1"] = sorted(option["code"] for option in item["options"])
    if item["most"] >= len(item["options"]):
        raise NotHere
    f.remake(count=False)


@BALLOTS.noticed_by("casts", "multiple-choice")
def abstain_and_choose_at_once(f: Forgery) -> None:
    if f.manifest["items"][0]["most"] < 2:
        raise NotHere
    f.cast()["choices"]["1"] = ["abstain", "o1"]
    f.remake(count=False)


@BALLOTS.noticed_by("casts", "revotes")
def hide_a_first_vote_and_remake_everything(f: Forgery) -> None:
    f.ballots.remove(at([row for row in f.ballots if row["cast"] == 2], 0))
    again = at([row for row in f.ballots if row["cast"] == 3], 0)
    f.ballots = [r for r in f.ballots if (r["place"], r["cast"]) != (again["place"], 2)]
    f.remake()


@BALLOTS.noticed_by("ballots-on-board", "invalid-not-taking-part")
def make_an_invalid_ballot_valid(f: Forgery) -> None:
    at([row for row in f.ballots if row["choices"] is None], 0)["choices"] = {"1": ["for"]}


@BALLOTS.noticed_by("receipts", "invalid-not-taking-part")
def make_a_ballot_invalid_and_remake_everything(f: Forgery) -> None:
    f.cast()["choices"] = None
    f.remake()


@BALLOTS.noticed_by("casts", "owners")
def vote_by_a_channel_that_the_rule_does_not_take_and_remake_everything(f: Forgery) -> None:
    f.cast()["channel"] = "home_visit"
    f.remake()


@BALLOTS.noticed_by("casts", "owners")
def vote_by_proxy_where_there_is_none_and_remake_everything(f: Forgery) -> None:
    f.cast()["channel"] = "proxy"
    f.remake()


def turn(cast: dict[str, Any]) -> None:
    choices = cast["choices"]
    choices["1"] = ["against"] if choices["1"] == ["for"] else ["for"]


@BALLOTS.noticed_by("ballots-on-board", "owners")
def salt_every_ballot_alike_and_remake_everything(f: Forgery) -> None:
    """Then everybody can work out of the public board how each place voted."""
    if len(f.ballots) < 2:
        raise NotHere
    for row in f.ballots:
        row["salt"] = "00" * 16
    f.remake()


@BALLOTS.noticed_by("casts", "owners")
def number_a_cast_by_a_word_and_remake_everything(f: Forgery) -> None:
    f.cast()["cast"] = True
    f.remake()
