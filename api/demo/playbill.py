"""Which stories are played: all thirteen for the demo, five for the check."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

from api.demo.stage import Stage, at
from api.demo.stories import (
    d01_lift,
    d02_charging,
    d03_parking,
    d04_waste,
    d05_fee,
    d06_meals,
    d07_fund,
    d08_lamps,
    d09_rooftop,
    d10_square,
    d12_pond,
    d13_handrails,
)

Story = Callable[[Stage], AsyncGenerator[datetime]]

THE_END = at("2026-11-20", "10:00")
"""Where the stories stop and time runs on."""

WALKED: tuple[Story, ...] = (
    d01_lift.play,
    d02_charging.play,
    d06_meals.play,
    d12_pond.play,
    d13_handrails.play,
)

WHOLE: tuple[Story, ...] = (
    *WALKED,
    d03_parking.play,
    d04_waste.play,
    d05_fee.play,
    d07_fund.play,
    d08_lamps.play,
    d09_rooftop.play,
    d10_square.play,
)
"""D11 is played with D2, into which it is merged."""
