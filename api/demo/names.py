"""Invented people: a name nobody else in the city has, a key in the register, a phone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢"
    "唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜"
)
_FIRST = "建志文明国海永春秋德玉桂美淑秀雅晓思子佳嘉雨梓俊振庆世家光荣宝瑞福"
_SECOND = "华平强军英兰芳娟敏静丽霞燕玲梅萍红云莲珍涛斌勇杰鹏飞波辉刚伟宁远安康乐欣怡然"


@dataclass(frozen=True, slots=True)
class Invented:
    """``phone`` is empty for somebody who has none."""

    key: str
    name: str
    phone: str = ""


class Inventor:
    """Makes people in a fixed order: the same seed gives the same people."""

    def __init__(self, prefix: str, *, taken: frozenset[str], first: int) -> None:
        """``first`` name and phone; inventors of one city start far apart."""
        self._prefix = prefix
        self._names = islice(_names(taken), first, None)
        self._phone = first + 1
        self._made = 0

    def person(self, name: str | None = None, *, phone: bool = True) -> Invented:
        """The next person, invented unless ``name`` says who. Phones are 1990000xxxx upwards."""
        self._made += 1
        number = ""
        if phone:
            number = str(19900000000 + self._phone)
            self._phone += 1
        return Invented(f"{self._prefix}{self._made:05d}", name or next(self._names), number)


def _names(taken: frozenset[str]) -> Iterator[str]:
    every = [s + a + b for s in _SURNAMES for a in _FIRST for b in _SECOND]
    every += [s + b for s in _SURNAMES for b in _SECOND]
    random.Random(2026).shuffle(every)  # noqa: S311  the same data set each time, on purpose
    return (name for name in every if name not in taken)
