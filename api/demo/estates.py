"""The four estates of 梧桐里社区: homes and shops, who owns them and who lives there."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from api.demo.names import Invented, Inventor


@dataclass(frozen=True, slots=True)
class Estate:
    """Areas in 0.01 m². ``layouts`` are the doors of a floor; what is missing to ``area`` is spread
    over the top floors. ``pairs`` owners have two homes, ``triples`` three, ``couples`` share."""

    name: str
    built: int
    type: str
    manager: str
    buildings: int
    entrances: int
    floors: int
    layouts: tuple[int, ...]
    area: int
    pairs: int
    occupied: int
    adults: int
    grid: Callable[[int, int], int]
    """The number of the grid of a building and entrance, both counted from 1."""
    shops: tuple[int, ...] = ()
    triples: int = 0
    couples: int = 0
    unnamed: int = 0
    """Occupied households that have not named who speaks for them."""
    one_each: frozenset[str] = frozenset()
    """Codes of homes each of which is lived in by an owner of its own."""


ESTATES = (
    Estate(
        name="桐荫苑",
        built=1996,
        type="老旧小区",
        manager="桐荫公益物业服务站",
        buildings=18,
        entrances=3,
        floors=6,
        layouts=(6835, 7420),
        area=4618620,
        triples=1,
        pairs=6,
        couples=1,
        occupied=611,
        adults=1203,
        grid=lambda building, _: (2, 1, 3)[(building - 1) // 6],
        one_each=frozenset(
            f"桐荫苑-3-2-{floor}0{door}" for floor in range(1, 7) for door in (1, 2)
        ),
    ),
    Estate(
        name="梧桐新村",
        built=2003,
        type="安置房小区",
        manager="惠民物业",
        buildings=14,
        entrances=3,
        floors=8,
        layouts=(7160, 8440),
        area=5241600,
        pairs=17,
        occupied=640,
        adults=1366,
        grid=lambda building, entrance: 4 + ((building - 1) * 3 + entrance - 1) // 14,
    ),
    Estate(
        name="荷塘月色",
        built=2011,
        type="商品房小区",
        manager="锦安物业",
        buildings=9,
        entrances=2,
        floors=12,
        layouts=(8865, 9840, 10375, 10920),
        area=8965300,
        shops=(8650,) * 12 + (15225,) * 8 + (24925,) * 4,
        pairs=49,
        occupied=826,
        adults=1742,
        grid=lambda building, _: 7 + (building - 1) // 3,
    ),
    Estate(
        name="秋水名邸",
        built=2016,
        type="商品房小区",
        manager="和居物业",
        buildings=6,
        entrances=2,
        floors=14,
        layouts=(9845, 11680, 13124),
        area=5821120,
        pairs=15,
        occupied=478,
        adults=1009,
        unnamed=3,
        grid=lambda building, _: 10 + (building - 1) // 3,
    ),
)


@dataclass(slots=True)
class Unit:
    """One home or shop as the registers of units and of households will have it."""

    code: str
    building: int
    entrance: int | None
    kind: str
    area: int
    grid: int
    owners: list[Invented] = field(default_factory=list)
    occupied: bool = False
    adults: int = 0
    tenure: str = ""
    speaks: Invented | None = None


def settle(estate: Estate, inventor: Inventor, named: Mapping[str, str]) -> list[Unit]:
    """The estate with everybody in it. ``named`` says who owns, and lives in, which home; people
    named with a leading - have no phone."""
    source = random.Random(estate.name)  # noqa: S311  the same people each time, on purpose
    homes = _homes(estate)
    shops = _shops(estate)
    kept = estate.one_each | named.keys()
    free = [home for home in homes if home.code not in kept]
    _give_owners(estate, homes, shops, free, inventor, named, source)
    _let_live(estate, homes, free, inventor, source)
    return homes + shops


def _homes(estate: Estate) -> list[Unit]:
    homes = [
        Unit(
            code=f"{estate.name}-{building}-{entrance}-{floor}{door:02d}",
            building=building,
            entrance=entrance,
            kind="住宅",
            area=area,
            grid=estate.grid(building, entrance),
        )
        for building in range(1, estate.buildings + 1)
        for entrance in range(1, estate.entrances + 1)
        for floor in range(1, estate.floors + 1)
        for door, area in enumerate(estate.layouts, 1)
    ]
    missing = estate.area - sum(home.area for home in homes) - sum(estate.shops)
    top = [home for home in homes if home.code.rsplit("-", 1)[1].startswith(str(estate.floors))]
    for index, home in enumerate(top):
        home.area += missing // len(top) + (index < missing % len(top))
    return homes


def _shops(estate: Estate) -> list[Unit]:
    """Eight to a building, in the first, second and third, which have no entrance for them."""
    return [
        Unit(
            code=f"{estate.name}-商铺-{number:02d}",
            building=1 + (number - 1) // 8,
            entrance=None,
            kind="商铺",
            area=area,
            grid=estate.grid(1 + (number - 1) // 8, 1),
        )
        for number, area in enumerate(estate.shops, 1)
    ]


def _give_owners(
    estate: Estate,
    homes: Sequence[Unit],
    shops: Sequence[Unit],
    free: Sequence[Unit],
    inventor: Inventor,
    named: Mapping[str, str],
    source: random.Random,
) -> None:
    several = source.sample(free, 3 * estate.triples + 2 * estate.pairs + estate.couples)
    for size in [3] * estate.triples + [2] * estate.pairs:
        owner = inventor.person()
        for _ in range(size):
            several.pop().owners.append(owner)
    for home in several:  # a couple: the first named votes
        home.owners.append(inventor.person())
    shared = {home.code for home in several}
    for unit in [*homes, *shops]:
        if not unit.owners or unit.code in shared:
            name = named.get(unit.code)
            phone = name is None or not name.startswith("-")
            unit.owners.append(inventor.person(name and name.lstrip("-"), phone=phone))


def _let_live(
    estate: Estate,
    homes: Sequence[Unit],
    free: Sequence[Unit],
    inventor: Inventor,
    source: random.Random,
) -> None:
    vacant = {home.code for home in source.sample(free, len(homes) - estate.occupied)}
    may_be_let = {home.code for home in free}
    at_home: set[str] = set()
    for home in homes:
        home.occupied = home.code not in vacant
        if not home.occupied:
            continue
        owner = home.owners[0]
        let = home.code in may_be_let and source.random() < 0.08
        family = home.code in may_be_let and source.random() < 0.06
        if owner.key in at_home or let:
            home.tenure, home.speaks = "租户", inventor.person()
        elif family:
            home.tenure, home.speaks = "家庭成员", inventor.person()
        else:
            home.tenure, home.speaks = "业主", owner
            at_home.add(owner.key)
        home.adults = source.choice((1, 2, 2, 2, 3))
    occupied = [home for home in homes if home.occupied]
    _fit_adults(occupied, estate.adults, source)
    for home in source.sample([h for h in occupied if h.code in may_be_let], estate.unnamed):
        home.speaks = None


def _fit_adults(homes: Sequence[Unit], total: int, source: random.Random) -> None:
    missing = total - sum(home.adults for home in homes)
    step = 1 if missing > 0 else -1
    while missing:
        home = source.choice(homes)
        if 1 <= home.adults + step <= 5:
            home.adults += step
            missing -= step
