"""The result: counts, verdicts, hands and silence."""

import json

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.mutation import Mutations

RESULT = Mutations()


@RESULT.noticed_by("recount")
def count_one_vote_more(f: Forgery) -> None:
    f.result["items"][0]["tallies"][0]["votes"]["heads"] += 1


@RESULT.noticed_by("recount")
def count_a_hundredth_of_a_square_metre_more(f: Forgery) -> None:
    f.result["items"][0]["tallies"][0]["votes"]["area_dm2"] += 1


@RESULT.noticed_by("recount")
def move_votes_from_against_to_for_and_certify(f: Forgery) -> None:
    tallies = f.result["items"][0]["tallies"]
    tallies[0]["votes"]["heads"] += 1
    tallies[1]["votes"]["heads"] -= 1
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount")
def count_abstentions_as_agreement_and_certify(f: Forgery) -> None:
    tallies = f.result["items"][0]["tallies"]
    tallies[0]["votes"], tallies[2]["votes"] = tallies[2]["votes"], tallies[0]["votes"]
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "no-quorum")
def turn_the_verdict_and_certify(f: Forgery) -> None:
    if f.result["verdict"] != "no_quorum":
        raise NotHere
    f.result["verdict"] = f.result["items"][0]["verdict"] = "passed"
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "no-quorum")
def reach_the_quorum_by_decree_and_certify(f: Forgery) -> None:
    if f.result["quorum_reached"]:
        raise NotHere
    f.result["quorum_reached"] = True
    for check in f.result["turnout"]:
        check.update(reached=True, missing=0)
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "owners-special")
def count_by_another_rule_and_certify(f: Forgery) -> None:
    honest = json.loads(json.dumps(f.manifest["preset"]["content"]))
    for threshold in f.manifest["preset"]["content"]["approval"]:
        threshold.update(numerator=1, denominator=2, inclusive=False)
    f.recount()
    f.manifest["preset"]["content"] = honest
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "invalid-taking-part")
def leave_invalid_ballots_out_of_the_base_and_certify(f: Forgery) -> None:
    f.result["participating"]["heads"] -= f.result["invalid"]["heads"]
    if not f.result["invalid"]["heads"]:
        raise NotHere
    f.redigest()
    f.recertify()


@RESULT.noticed_by("result-digest")
def change_the_steps_of_the_count(f: Forgery) -> None:
    at(f.result["steps"], 0)["facts"]["value"] = 0


@RESULT.noticed_by("result-digest")
def change_the_digest_of_the_result(f: Forgery) -> None:
    f.tally["result_digest"] = "00" * 32


@RESULT.noticed_by("recount", "election")
def elect_another_candidate_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    others = [one["code"] for one in f.manifest["items"][0]["options"]]
    at(item["chosen"], 0)
    item["chosen"][0] = at([one for one in others if one not in item["chosen"]], 0)
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "election-tied")
def draw_lots_at_a_tie_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    item["chosen"].append(at(item["tied"], 0))
    item.update(tied=[], runoff=[])
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "election-run-off")
def hide_a_run_off_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    at(item["runoff"], 0)
    item["runoff"] = []
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "tied")
def let_a_tie_pass_and_certify(f: Forgery) -> None:
    f.result["verdict"] = f.result["items"][0]["verdict"] = "passed"
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "rating")
def better_a_grade_and_certify(f: Forgery) -> None:
    item = f.result["items"][0]
    codes = [one["code"] for one in f.manifest["items"][0]["options"]]
    item["chosen"] = [at([code for code in codes if code not in item["chosen"]], 0)]
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "budget")
def fund_another_project_and_certify(f: Forgery) -> None:
    at([item for item in f.result["items"] if item["funding"] == "reserve"], 0)["funding"] = (
        "funded"
    )
    f.redigest()
    f.recertify()


@RESULT.noticed_by("result-digest", "meeting")
def raise_the_number_of_those_present(f: Forgery) -> None:
    f.result["present"] += 1


@RESULT.noticed_by("recount", "meeting-hands")
def raise_a_hand_more_and_certify(f: Forgery) -> None:
    f.tally["hands"]["heads"] += 1
    f.redigest()
    f.recertify()


@RESULT.noticed_by("recount", "zero-ballots-sealed")
def raise_hands_in_a_sealed_poll_without_ballots_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll))


@RESULT.noticed_by("recount", "sealed-election")
def raise_hands_in_a_sealed_election_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll) - len(f.ballots))


@RESULT.noticed_by("recount", "revotes")
def raise_hands_without_a_meeting_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll) - len({row["place"] for row in f.ballots}))


@RESULT.noticed_by("recount", "zero-ballots")
def raise_hands_where_areas_count_and_certify(f: Forgery) -> None:
    f.raise_hands(len(f.roll))


@RESULT.noticed_by("recount", "meeting")
def raise_hands_beside_ballots_and_certify(f: Forgery) -> None:
    free = f.result["present"] - f.result["valid"]["heads"] - f.result["invalid"]["heads"]
    if not free:
        raise NotHere
    f.raise_hands(free)


@RESULT.noticed_by("recount", "owners")
def count_silence_as_consent_and_certify(f: Forgery) -> None:
    f.tally["deemed"] = [f.silent()["number"]]


@RESULT.noticed_by("recount", "deemed")
def let_a_voter_be_silent_too(f: Forgery) -> None:
    f.tally["deemed"] = sorted([*f.tally["deemed"], f.cast()["place"]])


@RESULT.noticed_by("recount", "deemed")
def deem_a_home_without_a_voter_and_remake_everything(f: Forgery) -> None:
    place = at([row for row in f.roll if row["voter"] is None], 0)["number"]
    f.tally["deemed"] = sorted([*f.tally["deemed"], place])
    f.remake()


@RESULT.noticed_by("public-result")
def certify_another_public_result(f: Forgery) -> None:
    f.certificate["public_result"] = "00" * 32
    f.sign_certificate()


@RESULT.noticed_by("result-digest")
def salt_the_digest_of_the_result_otherwise(f: Forgery) -> None:
    f.tally["salt"] = "00" * 16


@RESULT.noticed_by("result-digest")
def salt_no_digest_of_the_result(f: Forgery) -> None:
    f.tally["salt"] = None
    f.redigest()
    f.recertify()


@RESULT.noticed_by("public-result")
def certify_no_public_result(f: Forgery) -> None:
    del f.certificate["public_result"]
    f.sign_certificate()
