"""The public edition, which withholds who chose what."""

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.certificate import publish_a_close_result_without_counting_again
from api.bench.mutations.mutation import Mutations
from api.bench.mutations.result import (
    elect_another_candidate_and_certify,
    raise_hands_beside_ballots_and_certify,
)
from consultation.polls.pack import Edition
from consultation.polls.presets import Threshold
from consultation.polls.thresholds import least_reaching

PUBLIC = Mutations()


@PUBLIC.noticed_by("ballots-on-board", edition=Edition.PUBLIC)
def drop_a_ballot_of_the_public_edition(f: Forgery) -> None:
    f.ballots.pop()


@PUBLIC.noticed_by("roll", edition=Edition.PUBLIC)
def drop_a_place_of_the_public_edition(f: Forgery) -> None:
    f.roll.pop()


@PUBLIC.noticed_by("encoding", edition=Edition.PUBLIC)
def withhold_more_than_the_edition_may(f: Forgery) -> None:
    f.tally["withheld"].append("signatures")


@PUBLIC.noticed_by("encoding", edition=Edition.PUBLIC)
def call_a_public_edition_full(f: Forgery) -> None:
    f.tally.update(edition="full", withheld=[])


@PUBLIC.noticed_by("recount", edition=Edition.PUBLIC)
def turn_the_quorum_of_the_public_edition(f: Forgery) -> None:
    f.result["quorum_reached"] = not f.result["quorum_reached"]


@PUBLIC.noticed_by("result-digest", "several-motions", edition=Edition.PUBLIC)
def change_a_count_of_the_public_edition(f: Forgery) -> None:
    f.result["items"][0]["tallies"][1]["votes"]["heads"] += 1


@PUBLIC.noticed_by("recount", "revotes", edition=Edition.PUBLIC)
def raise_hands_without_a_meeting_in_public(f: Forgery) -> None:
    f.raise_hands(len(f.roll) - f.result["valid"]["heads"])


@PUBLIC.noticed_by("recount", "meeting", edition=Edition.PUBLIC)
def raise_hands_beside_ballots_in_public(f: Forgery) -> None:
    raise_hands_beside_ballots_and_certify(f)


@PUBLIC.noticed_by("recount", "meeting-hands", edition=Edition.PUBLIC)
def count_a_hand_for_another_answer_in_public(f: Forgery) -> None:
    shown = f.tally["hands"]["items"]["1"]
    if not shown["against"]:
        raise NotHere
    shown["for"] += 1
    shown["against"] -= 1


@PUBLIC.noticed_by("recount", "meeting-hands", edition=Edition.PUBLIC)
def hide_the_hands_in_public(f: Forgery) -> None:
    if not f.tally["hands"]["heads"]:
        raise NotHere
    f.tally["hands"] = None


@PUBLIC.noticed_by("reconciliation", "owners", edition=Edition.PUBLIC)
def report_a_channel_that_the_rule_does_not_take_in_public(f: Forgery) -> None:
    at(f.report["channels"], 0)["channel"] = "home_visit"
    f.recertify()


@PUBLIC.noticed_by("signers", "counted-twice", edition=Edition.PUBLIC)
def publish_a_close_result_without_counting_again_in_public(f: Forgery) -> None:
    publish_a_close_result_without_counting_again(f)


@PUBLIC.noticed_by("recount", "owners", edition=Edition.PUBLIC)
def turn_the_verdict_of_the_public_edition(f: Forgery) -> None:
    word = "not_passed" if f.result["verdict"] == "passed" else "passed"
    f.result["verdict"] = f.result["items"][0]["verdict"] = word


@PUBLIC.noticed_by("recount", "owners", edition=Edition.PUBLIC)
def count_a_vote_more_in_public(f: Forgery) -> None:
    f.result["items"][0]["tallies"][0]["votes"]["heads"] += 1


@PUBLIC.noticed_by("recount", "owners", edition=Edition.PUBLIC)
def count_one_fewer_as_taking_part_in_public(f: Forgery) -> None:
    f.result["participating"]["heads"] -= 1


@PUBLIC.noticed_by("recount", "owners", edition=Edition.PUBLIC)
def leave_out_a_bound_of_area_in_public(f: Forgery) -> None:
    f.result["turnout"] = [one for one in f.result["turnout"] if one["measure"] == "heads"]


@PUBLIC.noticed_by("recount", "owners", edition=Edition.PUBLIC)
def lower_the_base_of_a_bound_in_public(f: Forgery) -> None:
    check = f.result["items"][0]["tallies"][0]["approval"][0]
    names = ("measure", "of", "numerator", "denominator", "inclusive")
    threshold = Threshold.model_validate({name: check[name] for name in names})
    check["base"] -= 2
    check["needed"] = max(1, least_reaching(threshold, check["base"]))
    check["missing"] = max(0, check["needed"] - check["value"])
    check["reached"] = check["value"] >= check["needed"]


@PUBLIC.noticed_by("recount", "deemed", edition=Edition.PUBLIC)
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


@PUBLIC.noticed_by("recount", "election", edition=Edition.PUBLIC)
def elect_another_candidate_in_public(f: Forgery) -> None:
    elect_another_candidate_and_certify(f)


@PUBLIC.noticed_by("public-result", "owners", edition=Edition.PUBLIC)
def move_a_vote_in_public_and_all_that_follows(f: Forgery) -> None:
    """Without the board's key: everything fits together, and nobody signed it."""
    agree, object_, *_ = f.result["items"][0]["tallies"]
    agree, object_ = (agree, object_) if agree["votes"]["heads"] else (object_, agree)
    agree["votes"]["heads"] -= 1
    object_["votes"]["heads"] += 1
    for tally, more in ((agree, -1), (object_, 1)):
        for check in tally["approval"]:
            if check["measure"] == "heads":
                check["value"] += more
                check["missing"] = max(0, check["needed"] - check["value"])
                check["reached"] = check["value"] >= check["needed"]


@PUBLIC.noticed_by("result-digest", "owners", edition=Edition.PUBLIC)
def show_the_salt_of_the_result_in_public(f: Forgery) -> None:
    """Whoever knows the homes could try out which of them stands behind a sum of areas."""
    salt = f.honest.source.result_salt
    assert salt is not None
    f.tally["salt"] = salt.hex()
