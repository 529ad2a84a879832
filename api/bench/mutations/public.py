"""The public edition, which withholds who chose what."""

from api.bench.forging import Forgery, NotHere, at
from api.bench.mutations.certificate import publish_a_close_result_without_counting_again
from api.bench.mutations.mutation import Mutations
from api.bench.mutations.result import raise_hands_beside_ballots_and_certify
from consultation.polls.pack import Edition

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
