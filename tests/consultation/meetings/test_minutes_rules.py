import pytest

from consultation.meetings import minutes_rules


@pytest.mark.parametrize(
    ("version", "asked", "confirmed", "objections", "over", "stands"),
    [
        (1, 3, 3, 0, False, True),  # all of them
        (1, 3, 2, 0, False, False),
        (1, 3, 0, 0, True, True),  # nobody objected in time
        (1, 3, 2, 1, True, False),  # a second version is owed
        (2, 3, 2, 1, True, True),  # what remains is annexed
        (2, 3, 2, 1, False, False),
        (1, 0, 0, 0, False, False),
    ],
)
def test_minutes_stand_when_all_confirm_or_nobody_objects_in_time(
    version: int, asked: int, confirmed: int, objections: int, over: bool, stands: bool
) -> None:
    answer = minutes_rules.is_confirmed(
        version=version, asked=asked, confirmed=confirmed, objections=objections, over=over
    )
    assert answer is stands


def test_a_new_version_answers_an_objection() -> None:
    minutes_rules.check_new_version(version=0, objections=0)
    minutes_rules.check_new_version(version=1, objections=1)
    with pytest.raises(minutes_rules.MinutesNotOpenToChange):
        minutes_rules.check_new_version(version=1, objections=0)


def test_who_does_not_confirm_says_why() -> None:
    minutes_rules.check_answer(confirmed=True, objection=None)
    minutes_rules.check_answer(confirmed=False, objection="第二条记反了")
    with pytest.raises(minutes_rules.ObjectionMissing):
        minutes_rules.check_answer(confirmed=False, objection=" ")
