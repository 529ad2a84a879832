"""What may be said about a poll is made of its preset and its counts, in both languages."""

from datetime import UTC, datetime

import pytest

from api.phrases import speak, write
from api.words import LOCALES, catalogue
from consultation.polls.counting import Count
from consultation.polls.phrases import Phrase
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotMode
from consultation.polls.result_wording import result
from consultation.polls.rules import PollItem
from consultation.polls.wording import extension, mode_promise, notice
from tests.consultation.polls.counting_cases import ONE_ITEM, preset, tally

LIFT = [6835, 7420] * 6


def said(
    name: str, roll: list[int], answers: str, *, present: int | None = None, locale: str = "zh-CN"
) -> str:
    counted = tally(name, roll, answers, present=present)
    return "\n".join(speak(locale, p) for p in result(preset(name), ONE_ITEM, counted))


def test_d1_round_1_in_words() -> None:
    assert said("lift_scope_owners", LIFT, "aafo" + "f" * 8).splitlines() == [
        "应参与表决业主12人、专有部分面积855.30平方米;参与表决12人、855.30平方米,分别约占100.00%、100.00%。",
        "参与人数须达到应参与表决人数的三分之二以上即8人,实际12人。",
        "参与面积须达到专有部分总面积的三分之二以上即570.20平方米,实际855.30平方米。",
        "达到法定参与比例。",
        "第1项“事项”:同意9人、638.55平方米;反对2人、142.55平方米;弃权1人、74.20平方米。",
        "同意9人,达到参与表决人数的四分之三以上(须9人),约占75.00%。",
        "同意面积638.55平方米,未达到参与表决的专有部分面积的四分之三以上(须641.48平方米),约占74.66%。",
        "表决未通过。",
        "百分比均为四舍五入后的约数,是否达到以票数和面积为准。",
    ]


def test_a_missed_quorum_is_no_vote_and_nothing_else_is_said_of_it() -> None:
    text = said("lift_scope_owners", LIFT, "f" * 7)

    assert "未达到法定参与比例,表决不成立。" in text
    assert "同意7人" in text
    assert "通过" not in text
    assert "四分之三" not in text


def test_an_indicative_poll_is_supported_and_does_not_claim_law() -> None:
    text = said("household_poll", [0] * 640, "f" * 301 + "a" * 98 + "o" * 22)

    assert "应参与表决住户640户;参与表决421户,约占65.78%。" in text
    assert "达到规定参与比例。" in text
    assert "同意301户,反对98户,弃权22户。" in text
    assert "获得多数支持。" in text
    assert "不具有约束力" in text
    assert "法定" not in text
    assert "表决通过" not in text


def test_an_opinion_poll_is_never_said_to_pass() -> None:
    text = said("open_poll", [0] * 10, "f" * 9)

    assert "同意9人,反对0人,弃权0人。" in text
    assert "不产生通过或者不通过的效力" in text
    assert "比例。" not in text
    assert "表决通过" not in text
    assert "支持" not in text


def test_a_meeting_says_who_was_to_come_and_who_came() -> None:
    text = said("village_reps", [0] * 91, "f" * 61 + "a" * 9 + "o" * 4, present=74)

    assert "村民代表会议成员应到91人,实到74人,约占81.32%;参加表决74人。" in text
    assert "同意61人,达到出席人数的过半数(须38人),约占82.43%。" in text
    assert "表决通过。" in text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", [one.id for one in presets().values()])
def test_every_preset_can_be_said_in_both_languages(name: str, locale: str) -> None:
    """Every phrase has a text and all its facts, and the three numbers are always there."""
    present = {True: 10, False: None}[preset(name).held_in_meeting]
    for answers in ("", "f" * 10, "a" * 10, "fffaao"):
        text = said(name, [7000] * 10, answers, present=present, locale=locale)
        assert "…" not in text
        assert "{" not in text
        for letter in "fao":
            assert str(answers.count(letter)) in text


@pytest.mark.parametrize("locale", LOCALES)
def test_each_mode_says_what_it_does_not_protect_against(locale: str) -> None:
    named = speak(locale, mode_promise(BallotMode.NAMED))
    confidential = speak(locale, mode_promise(BallotMode.CONFIDENTIAL))
    wanted = {
        "zh-CN": ("保密表决,不是无记名表决", "不能防止", "运营者", "密钥和数据副本", "结果本身"),
        "en": ("not an anonymous one", "does not protect", "operator", "keeps the key", "itself"),
    }
    assert all(words in confidential for words in wanted[locale])
    assert named != confidential
    assert {"zh-CN": "记名表决", "en": "named vote"}[locale] in named


@pytest.mark.parametrize("mode", [BallotMode.NAMED, BallotMode.CONFIDENTIAL])
@pytest.mark.parametrize("name", [one.id for one in presets().values()])
def test_the_notice_of_every_preset_is_whole(name: str, mode: BallotMode) -> None:
    one = preset(name)
    cost = 8_600_000 if one.allocation.value != "none" else None
    text = write(
        notice(
            one,
            mode=mode,
            question="是否加装电梯",
            items=[PollItem(number=1, text="加装电梯", cost_fen=cost)],
            budget_fen=cost,
            scope="桐荫苑3幢2单元",
            eligible=Count(heads=12, area_dm2=85530),
            opens_at=datetime(2026, 6, 9, 16, tzinfo=UTC),
            closes_at=datetime(2026, 6, 16, 16, tzinfo=UTC),
            text_hash="a1" * 32,
            manifest_hash="b2" * 32,
        )
    )

    assert "…" not in text
    assert "桐荫苑3幢2单元" in text
    assert "2026-06-10 00:00至2026-06-16 24:00" in text
    assert "未投票不计为同意" in text
    assert speak("zh-CN", mode_promise(mode)) in text
    assert all(source in text for source in one.legal_basis)
    assert cost is None or "86000元" in text


def test_the_extension_says_both_times_and_the_reason() -> None:
    closes = datetime(2026, 6, 16, 16, tzinfo=UTC)
    text = write([extension(closes, closes.replace(day=20), "部分业主外出")])

    assert "2026-06-16 24:00" in text
    assert "2026-06-20 24:00" in text
    assert "部分业主外出" in text


def test_what_people_wrote_is_never_read_as_a_template() -> None:
    phrase = Phrase("polls.notice.question", {"question": "{hash} {0.__class__}"})

    assert "{hash} {0.__class__}" in speak("zh-CN", phrase)


def test_no_text_of_a_result_lacks_the_mark_that_percentages_are_rounded() -> None:
    for locale, mark in (("zh-CN", "约占"), ("en", "about")):
        for key, text in catalogue(locale).items():
            if key.startswith("polls.result.") and "percent}" in text:
                assert mark in text, key
