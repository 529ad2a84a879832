"""Who is one voter: several homes, couples, the developer, gaps in the register."""

from uuid import UUID

from consultation.polls.rolls import (
    Member,
    OwnedUnit,
    Owner,
    Place,
    members_roll,
    owners_roll,
    roll_digest,
)
from consultation.polls.rules import RolledUnit


def person(number: int) -> UUID:
    return UUID(int=number)


def unit(code: str, area: int, *owners: Owner, unsold: bool = False) -> OwnedUnit:
    rolled = RolledUnit(unit_id=UUID(int=10**6 + int(code)), code=code, area_dm2=area)
    return OwnedUnit(unit=rolled, place="3幢", developer_unsold=unsold, owners=owners)


def owner(number: int, *, named: bool = True) -> Owner:
    return Owner(person_id=person(number), masked_name=f"王{number}*", named_voter=named)


def summary(roll: list[Place]) -> list[tuple[UUID | None, int, list[str]]]:
    return [(p.person_id, p.area_dm2, [u.code for u in p.units]) for p in roll]


def test_one_owner_of_three_homes_is_one_head_with_three_areas() -> None:
    roll = owners_roll(
        [
            unit("102", 7420, owner(2)),
            unit("301", 1, owner(1)),
            unit("101", 6835, owner(1)),
            unit("201", 10, owner(1)),
        ]
    )

    assert summary(roll) == [(person(1), 6846, ["101", "201", "301"]), (person(2), 7420, ["102"])]
    assert [(place.number, place.label) for place in roll] == [(1, "3幢 王1*"), (2, "3幢 王2*")]


def test_co_owners_are_one_head_whose_named_voter_votes_and_the_unit_counts_once() -> None:
    roll = owners_roll([unit("101", 6835, owner(1, named=False), owner(2))])

    assert summary(roll) == [(person(2), 6835, ["101"])]


def test_the_same_couple_is_one_head_even_if_it_named_each_of_them_once() -> None:
    roll = owners_roll(
        [
            unit("101", 6835, owner(1, named=False), owner(2)),
            unit("102", 7420, owner(1), owner(2, named=False)),
        ]
    )

    assert summary(roll) == [(person(2), 14255, ["101", "102"])]


def test_a_voter_for_two_sets_of_owners_votes_once_with_both_areas() -> None:
    roll = owners_roll(
        [unit("101", 6835, owner(1), owner(2, named=False)), unit("102", 7420, owner(1))]
    )

    assert summary(roll) == [(person(1), 14255, ["101", "102"])]


def test_co_owners_who_named_nobody_or_two_count_in_the_base_and_cannot_vote() -> None:
    roll = owners_roll(
        [
            unit("101", 6835, owner(1, named=False), owner(2, named=False)),
            unit("102", 7420, owner(3), owner(4)),
        ]
    )

    assert summary(roll) == [(None, 6835, ["101"]), (None, 7420, ["102"])]
    assert roll[0].label == "3幢 —"


def test_the_developers_unsold_homes_are_one_head_together() -> None:
    roll = owners_roll(
        [unit("101", 100, unsold=True), unit("102", 50, owner(1)), unit("103", 100, unsold=True)]
    )

    assert summary(roll) == [(None, 200, ["101", "103"]), (person(1), 50, ["102"])]


def test_the_developers_voter_does_not_vote_twice() -> None:
    named = [unit("101", 100, owner(9), unsold=True), unit("103", 100, owner(9), unsold=True)]
    assert summary(owners_roll(named)) == [(person(9), 200, ["101", "103"])]

    roll = owners_roll([*named, unit("104", 50, owner(9))])
    assert summary(roll) == [(None, 200, ["101", "103"]), (person(9), 50, ["104"])]


def test_units_of_unknown_owners_are_heads_of_their_own() -> None:
    roll = owners_roll([unit("101", 100), unit("102", 100)])

    assert summary(roll) == [(None, 100, ["101"]), (None, 100, ["102"])]


def test_a_person_who_represents_two_households_votes_once_and_both_count() -> None:
    one, two = UUID(int=71), UUID(int=72)
    roll = members_roll(
        [
            Member(person(1), "甲", one),
            Member(person(1), "乙", two),
            Member(None, "丙", UUID(int=73)),
        ]
    )

    assert [(p.number, p.person_id, p.household_id) for p in roll] == [
        (1, person(1), one),
        (2, None, two),
        (3, None, UUID(int=73)),
    ]


def test_a_member_with_two_roles_is_one_member() -> None:
    roll = members_roll([Member(person(1), "甲"), Member(person(1), "甲"), Member(person(2), "乙")])

    assert [(p.number, p.person_id) for p in roll] == [(1, person(1)), (2, person(2))]


def test_the_digest_covers_every_part_of_a_place_and_no_order() -> None:
    roll = owners_roll([unit("101", 6835, owner(1)), unit("102", 7420, owner(2))])

    assert roll_digest(roll) == roll_digest(roll[::-1])
    for change in (
        {"label": "4幢 王1*"},
        {"person_id": person(3)},
        {"household_id": person(3)},
        {"area_dm2": 6836},
        {"units": ()},
        {"number": 3},
    ):
        other = {name: getattr(roll[0], name) for name in roll[0].__slots__} | change
        assert roll_digest([Place(**other), roll[1]]) != roll_digest(roll)
