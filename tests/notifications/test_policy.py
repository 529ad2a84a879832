"""Quiet hours, waits and weeks: pure rules, for all times."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consultation.calendar import SHANGHAI
from notifications.policy import Policy, policy, week_of

MOMENTS = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001  the strategy adds the zone
    max_value=datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def at(clock: str, day: str = "2026-03-11") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("clock", "quiet"),
    [
        ("21:59:59", False),
        ("22:00:00", True),
        ("00:00:00", True),
        ("07:59:59", True),
        ("08:00:00", False),
    ],
)
def test_the_quiet_hours_are_from_ten_to_eight(clock: str, quiet: bool) -> None:
    assert policy().is_quiet(at(clock)) is quiet


@given(MOMENTS)
def test_what_falls_into_the_quiet_hours_waits_for_their_end_and_no_longer(now: datetime) -> None:
    loud = policy().loud_from(now)

    assert not policy().is_quiet(loud)
    if policy().is_quiet(now):
        assert timedelta(0) < loud - now <= timedelta(hours=10)
        assert policy().is_quiet(loud - timedelta(seconds=1))
    else:
        assert loud == now


@given(MOMENTS, st.integers(min_value=0, max_value=23))
def test_a_digest_is_made_once_in_every_day_of_its_hour(now: datetime, hour: int) -> None:
    last = policy().last_digest(now, hour)
    following = policy().next_digest(now, [hour])

    assert last.astimezone(SHANGHAI).hour == hour
    assert last + policy().digest.settles <= now < following
    assert following == last + timedelta(days=1) + policy().digest.settles


@given(st.integers(min_value=1, max_value=60), st.integers())
def test_a_wait_doubles_up_to_the_longest_and_the_jitter_only_shortens_it(
    attempt: int, seed: int
) -> None:
    rule = policy().attempts
    whole = min(rule.first_seconds * 2 ** (attempt - 1), rule.longest_seconds)
    wait = rule.wait(attempt, random.Random(seed)).total_seconds()

    assert whole * 3 / 4 <= wait <= whole


def test_an_outage_of_ten_minutes_is_far_from_giving_up() -> None:
    rule = policy().attempts
    shortest = [
        min(rule.first_seconds * 2**n, rule.longest_seconds) * 3 / 4 for n in range(rule.most - 1)
    ]

    assert sum(shortest) > 3600


@given(MOMENTS)
def test_a_week_begins_on_monday_in_shanghai(now: datetime) -> None:
    monday = week_of(now)

    assert monday.weekday() == 0
    assert 0 <= (now.astimezone(SHANGHAI).date() - monday).days < 7


@pytest.mark.parametrize(
    "change",
    [
        {"quiet": {"from": "25:00", "until": "08:00"}},
        {"budget": {"per_week": -1}},
        {"chains": {"x": {"steps": []}}},
        {"chains": {"x": {"steps": [{"channel": "pigeon"}]}}},
        {"unknown": 1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    whole = policy().model_dump(by_alias=True, mode="json")

    with pytest.raises(ValidationError):
        Policy.model_validate(whole | change)


@given(
    MOMENTS, st.integers(min_value=1, max_value=14 * 24 * 60), st.sampled_from(["vote", "ballot"])
)
def test_a_vote_that_closes_is_told_of_before_it_does_and_never_at_night(
    now: datetime, minutes: int, chain: str
) -> None:
    closes = now + timedelta(minutes=minutes)
    usual = policy().loud_from(
        now + timedelta(minutes=policy().chains[chain].steps[0].after_minutes)
    )
    due = policy().first_try(chain, now, closes)

    assert not policy().is_quiet(due)
    assert now <= due <= usual == policy().first_try(chain, now, None)
    if policy().loud_time(now, closes, enough=timedelta(days=1)):
        assert due < closes
    if minutes >= 4 * 24 * 60:
        assert due == usual


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        ("19:00", "21:00", 120),
        ("20:00", "23:00", 120),
        ("22:00", "23:00", 0),
        ("07:00", "09:00", 60),
    ],
)
def test_loud_time_is_what_lies_outside_the_quiet_hours(
    since: str, until: str, minutes: int
) -> None:
    day = timedelta(days=1)
    assert policy().loud_time(at(since), at(until), enough=day) == timedelta(minutes=minutes)
    assert policy().loud_time(at(since), at(until) + day, enough=day) == timedelta(
        minutes=min(minutes + 14 * 60, 24 * 60)
    )
    assert policy().loud_time(at(until), at(since), enough=day) == timedelta(0)
