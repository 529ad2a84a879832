"""Every kind of question, every channel and every verdict has its words, in both languages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.phrases import speak
from api.words import LOCALES, catalogue
from consultation.polls.counting import Count, HandTotals, Result, Vote, count
from consultation.polls.deeming import with_clause
from consultation.polls.phrases import Phrase, rule
from consultation.polls.presets import (
    BallotChannel,
    BallotMode,
    QuestionKind,
    RulePreset,
    Threshold,
)
from consultation.polls.result_wording import result, steps
from consultation.polls.rules import Option, PollItem, Verdict
from consultation.polls.wording import ballot_warning, notice
from tests.consultation.polls.counting_cases import ONE_ITEM, preset, voter


def asked(kind: QuestionKind, *, number: int = 1) -> PollItem:
    if kind is QuestionKind.MOTION:
        return PollItem(number=number, text="加装电梯")
    codes = {"a": "甲案", "b": "乙案", "c": "丙案"}
    return PollItem(
        number=number,
        text="如何办理",
        kind=kind,
        options=[Option(code=code, text=text) for code, text in codes.items()],
        most=1 if kind in (QuestionKind.SINGLE_CHOICE, QuestionKind.RATING) else 2,
        seats=2 if kind is QuestionKind.ELECTION else None,
    )


def announced(rule: RulePreset, items: list[PollItem], locale: str, **more: object) -> list[str]:
    given: dict[str, Any] = {"mode": BallotMode.NAMED, "manifest_hash": "b2" * 32} | more
    phrases = notice(
        rule,
        question="是否同意",
        items=items,
        budget_fen=None,
        scope="桐荫苑",
        eligible=Count(heads=12, area_dm2=85530),
        opens_at=datetime(2026, 6, 9, 16, tzinfo=UTC),
        closes_at=datetime(2026, 6, 16, 16, tzinfo=UTC),
        text_hash="a1" * 32,
        **given,
    )
    return [speak(locale, phrase) for phrase in phrases]


def of(rule: RulePreset, items: list[PollItem], ballots: list[str], roll: int = 0) -> Result:
    """``ballots``: codes of every item, "f" for, "-" none of these, "x" an invalid ballot."""
    words = {"f": ["for"], "-": ["none"]}
    size = max(roll, len(ballots))
    return count(
        rule,
        items,
        {voter(index): 100 for index in range(size)},
        [
            Vote(
                voter(index),
                None
                if marks == "x"
                else {str(item.number): words.get(marks, list(marks)) for item in items},
            )
            for index, marks in enumerate(ballots)
        ],
        present=len(ballots) if rule.held_in_meeting else None,
    )


def said(rule: RulePreset, items: list[PollItem], counted: Result, locale: str) -> list[str]:
    return [speak(locale, phrase) for phrase in result(rule, items, counted)]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", list(QuestionKind))
def test_the_notice_says_how_each_kind_is_answered(kind: QuestionKind, locale: str) -> None:
    texts = announced(preset("civil278_general"), [asked(kind)], locale)

    assert not [text for text in texts if "…" in text or "{" in text]
    motion = kind is QuestionKind.MOTION
    assert motion or any(
        all(option in text for option in ("甲案", "乙案", "丙案")) for text in texts
    )
    approval = speak(locale, _approval_rule(kind)) if kind is not QuestionKind.RATING else None
    assert approval is None or approval in texts


def _approval_rule(kind: QuestionKind) -> Phrase:
    general = preset("civil278_general")
    word = {
        QuestionKind.MOTION: "approval_rule",
        QuestionKind.ELECTION: "approval_rule_election",
    }.get(kind, "approval_rule_choice")
    return Phrase(f"polls.notice.{word}", rule(general, general.approval[0]))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("channel", list(BallotChannel))
def test_the_notice_names_every_way_to_vote(channel: BallotChannel, locale: str) -> None:
    rule = preset("civil278_general").model_copy(update={"channels": [channel]})

    word = catalogue(locale)[f"words.ballot_channel.{channel.value}"]
    assert any(word in text for text in announced(rule, ONE_ITEM, locale))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "截止前可以改票,以最后一次有效票为准。"),
        ({"revote": "none"}, "投票后不得更改。"),
        ({}, "线上与纸质重复投票的,以线上为准;其中一张无效的,以有效的为准。"),
        (
            {"duplicates": "paper_prevails"},
            "线上与纸质重复投票的,以纸质为准;其中一张无效的,以有效的为准。",
        ),
        ({}, "可以书面委托他人代为投票,每名受托人最多接受3人委托,不得转委托;本人投票的,委托失效。"),
        ({"invalid": "participating"}, "废票计入收回的选票。"),
        ({}, "废票不计为参与。"),
        ({"binding": False}, "本次表决为意向性表决,结果不具有约束力。"),
        (
            {"verification": "to_confirm"},
            "本规则的人数规定为暂定,公告人已确认对照现行法律文本核对。",
        ),
        (
            {"conditions": ["consent_of_used_parts"]},
            "占用业主专有部分的,另须取得该业主书面同意,方可实施。",
        ),
    ],
)
def test_the_notice_says_what_the_rule_says(change: dict[str, object], text: str) -> None:
    rule = preset("civil278_general")
    rule = RulePreset.model_validate(rule.model_dump(mode="json") | change)

    assert text in announced(rule, ONE_ITEM, "zh-CN")


def test_the_notice_names_the_mode_and_where_the_lawful_vote_is_held() -> None:
    confidential = announced(
        preset("household_poll"), ONE_ITEM, "zh-CN", mode=BallotMode.CONFIDENTIAL
    )
    assert any("本次表决为保密表决" in text for text in confidential)
    assert not any("本次表决为记名表决" in text for text in confidential)
    elsewhere = announced(
        preset("civil278_general"), ONE_ITEM, "zh-CN", legal_system_of_record=False
    )
    assert any("不产生表决通过的效力" in text for text in elsewhere)


def test_silence_that_counts_is_warned_of_on_the_notice_and_on_the_ballot() -> None:
    plain = preset("civil278_general")
    assert ballot_warning(plain) is None
    rule = with_clause(plain, ONE_ITEM)
    warning = ballot_warning(rule)
    assert warning is not None
    assert "计入多数意见" in speak("zh-CN", warning)
    assert speak("zh-CN", warning) in announced(rule, ONE_ITEM, "zh-CN")
    assert speak("en", warning) in announced(rule, ONE_ITEM, "en")


def test_real_and_deemed_counts_are_published_apart() -> None:
    rule = with_clause(preset("civil278_general"), ONE_ITEM)
    roll = {voter(index): 100 for index in range(4)}
    votes = [
        *(Vote(voter(index), {"1": ["for"]}) for index in range(2)),
        *(Vote(voter(index), None, deemed=True) for index in (2, 3)),
    ]
    counted = count(rule, ONE_ITEM, roll, votes)

    text = said(rule, ONE_ITEM, counted, "zh-CN")
    assert (
        "实际投票2人、2.00平方米;按约定计入多数意见的未投票业主2人、2.00平方米,分别公布。" in text
    )
    assert "第1项“事项”:同意2人、2.00平方米;反对0人、0.00平方米;弃权0人、0.00平方米。" in text
    assert "另有未投票的2人、2.00平方米按约定计入“同意”。" in text
    explained = [speak("zh-CN", phrase) for _, _, phrase in steps(ONE_ITEM, counted)]
    assert "未投票的2人按约定计入“同意”。" in explained


VERDICTS: list[tuple[str, QuestionKind, list[str], int, Verdict, str]] = [
    ("household_poll", QuestionKind.SINGLE_CHOICE, ["a", "a", "b"], 0, Verdict.SUPPORTED,
     "达到要求的选项:甲案。"),
    ("household_poll", QuestionKind.SINGLE_CHOICE, ["a", "b", "-"], 0, Verdict.NOT_SUPPORTED,
     "通过须达到参与表决户数的过半数即2户。"),
    ("household_poll", QuestionKind.MULTIPLE_CHOICE, ["ab", "ab", "c"], 0, Verdict.SUPPORTED,
     "达到要求的选项:甲案、乙案。"),
    ("household_poll", QuestionKind.SINGLE_CHOICE, ["a"], 3, Verdict.NO_QUORUM,
     "未达到规定参与比例,表决不成立。"),
    ("open_poll", QuestionKind.SINGLE_CHOICE, ["a", "b"], 0, Verdict.NOTED,
     "得票最多:甲案、乙案。"),
    ("village_election", QuestionKind.ELECTION, ["ab", "ab", "a"], 0, Verdict.PASSED,
     "当选(按得票多少排列,应选2名):甲案、乙案。"),
    ("village_election", QuestionKind.ELECTION, ["ab", "ac", "bc"], 0, Verdict.NOT_PASSED,
     "末位得票相等,就以下各人重新投票,缺额2名:甲案、乙案、丙案。"),
    ("village_election", QuestionKind.ELECTION, ["a", "a", "b"], 0, Verdict.PARTLY_PASSED,
     "当选人数不足,就以下各人另行选举,缺额1名:乙案、丙案。"),
    ("village_election", QuestionKind.ELECTION, ["-", "-", "a"], 0, Verdict.NOT_PASSED,
     "没有人当选,应选2名,缺额2名。"),
    ("village_election", QuestionKind.ELECTION, ["a", "a", "x"], 0, Verdict.PARTLY_PASSED,
     "废票1张,计入收回的选票。"),
    ("satisfaction", QuestionKind.RATING, ["a", "b", "b"], 0, Verdict.NOTED,
     "过半数评议人给出的等次不低于:乙案。"),
    ("satisfaction", QuestionKind.RATING, ["a"], 0, Verdict.NOTED,
     "参加人数少于10人,结果仅供参考。"),
    ("lift_scope_owners", QuestionKind.MOTION, ["f", "f", "f"], 0, Verdict.PASSED,
     "占用业主专有部分的,另须取得该业主书面同意,方可实施。"),
    ("lift_scope_owners", QuestionKind.MOTION, ["f", "f", "x"], 0, Verdict.PASSED,
     "废票1张,不计为参与。"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "ballots", "roll", "verdict", "text"), VERDICTS)
def test_a_result_of_each_kind_in_words(
    name: str, kind: QuestionKind, ballots: list[str], roll: int, verdict: Verdict, text: str
) -> None:
    items = [asked(kind)]
    counted = of(preset(name), items, ballots, roll)

    assert counted.verdict is verdict
    assert text in said(preset(name), items, counted, "zh-CN")
    english = said(preset(name), items, counted, "en")
    assert len(english) == len(said(preset(name), items, counted, "zh-CN"))
    assert not [one for one in english if "…" in one or "{" in one]


def test_hands_are_said_to_be_hands() -> None:
    counted = count(
        preset("village_reps"),
        ONE_ITEM,
        {voter(index): 0 for index in range(4)},
        [],
        present=4,
        hands=HandTotals(heads=4, items={"1": {"for": 3, "against": 1}}),
    )

    assert "其中现场举手计数4人。" in said(preset("village_reps"), ONE_ITEM, counted, "zh-CN")


def test_a_bound_of_this_place_is_said_by_its_numbers() -> None:
    bound = {"measure": "heads", "of": "participating", "at_least": "4/5"}
    rule = preset("household_poll").model_copy(
        update={"approval": [Threshold.model_validate(bound)]}
    )
    counted = of(rule, ONE_ITEM, ["f"] * 5)

    text = said(rule, ONE_ITEM, counted, "zh-CN")
    assert "同意5户,达到参与表决户数的5分之4以上(含本数)(须4户),约占100.00%。" in text
    assert any("at least 4/5" in one for one in said(rule, ONE_ITEM, counted, "en"))


def test_the_steps_of_an_election_in_words() -> None:
    items = [asked(QuestionKind.ELECTION)]
    counted = of(preset("village_election"), items, ["ab", "ab", "a"])

    assert [speak("zh-CN", phrase) for _, _, phrase in steps(items, counted)] == [
        "参与人数3,须2(基数3),达到。",
        "甲案:3票,须2(基数3),达到。",
        "乙案:2票,须2(基数3),达到。",
        "丙案:0票,须2(基数3),未达到。",
        "甲案当选,第1名,应选2名。",
        "乙案当选,第2名,应选2名。",
    ]


def test_every_channel_mode_and_verdict_has_a_word() -> None:
    for locale in LOCALES:
        texts = catalogue(locale)
        for channel in BallotChannel:
            assert f"words.ballot_channel.{channel.value}" in texts
        for verdict in Verdict:
            assert f"words.verdict.{verdict.value}" in texts
        for mode in (BallotMode.NAMED, BallotMode.CONFIDENTIAL):
            assert f"polls.promise.{mode.value}" in texts


def test_the_notice_is_written_in_chinese() -> None:
    items = [asked(kind, number=number) for number, kind in enumerate(QuestionKind, 1)]
    assert "第4项(选举,应选2名,最多选2名" in "\n".join(
        announced(preset("civil278_general"), items, "zh-CN")
    )
