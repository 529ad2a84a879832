"""Who may vote, and with what area."""

from api.bench.forging import Forgery, at
from api.bench.mutations.mutation import Mutations

ROLL = Mutations()


@ROLL.noticed_by("roll")
def strike_a_voter_off_the_roll(f: Forgery) -> None:
    f.roll.remove(f.silent())


@ROLL.noticed_by("roll")
def add_a_place_to_the_roll(f: Forgery) -> None:
    f.roll.append({**f.roll[-1], "number": len(f.roll) + 1, "voter": "ee" * 16})


@ROLL.noticed_by("roll")
def add_a_hundredth_of_a_square_metre(f: Forgery) -> None:
    f.roll[0]["area_dm2"] += 1


@ROLL.noticed_by("roll")
def move_area_from_one_owner_to_another(f: Forgery) -> None:
    f.roll[0]["area_dm2"] += 1000
    at(f.roll, 1)["area_dm2"] -= 1000


@ROLL.noticed_by("roll")
def exchange_two_voters_on_the_roll(f: Forgery) -> None:
    one, two = (
        at([row for row in f.roll if row["voter"]], 0),
        at([row for row in f.roll if row["voter"]], 1),
    )
    one["voter"], two["voter"] = two["voter"], one["voter"]


@ROLL.noticed_by("roll")
def give_a_voter_two_places_and_remake_everything(f: Forgery) -> None:
    f.silent()["voter"] = at([row for row in f.roll if row["voter"]], 0)["voter"]
    f.remake()


@ROLL.noticed_by("notice")
def put_a_cousin_on_the_roll_and_remake_everything(f: Forgery) -> None:
    f.roll.append({**f.roll[-1], "number": len(f.roll) + 1, "voter": "ee" * 16})
    f.remake()


@ROLL.noticed_by("roll", "owners")
def give_a_home_less_than_no_area_and_remake_everything(f: Forgery) -> None:
    f.silent()["area_dm2"] *= -1
    f.remake()


@ROLL.noticed_by("roll", "owners")
def write_a_voter_in_capitals_for_a_second_place_and_remake_everything(f: Forgery) -> None:
    voters = [row for row in f.roll if row["voter"]]
    at(voters, 1)["voter"] = voters[0]["voter"].upper()
    f.remake()


@ROLL.noticed_by("roll", "owners")
def salt_every_place_alike_and_remake_everything(f: Forgery) -> None:
    for row in f.roll:
        row["salt"] = "00" * 16
    f.remake()
