"""THE RULES OF OVERSIGHT: dissent is explained and may stand; a survey publishes itself. No I/O."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from consultation.permissions import Role
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted
from consultation.topics.plan import Period, SurveyNumbers
from consultation.topics.states import State


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DissentState(StrEnum):
    RECORDED = "recorded"
    ASSIGNED = "assigned"
    EXPLAINED = "explained"
    UNDERSTOOD = "understood"
    MAINTAINED = "maintained"  # a normal end: agreement is never forced
    UNREACHABLE = "unreachable"


class Reply(StrEnum):
    UNDERSTOOD = "understood"
    MAINTAINED = "maintained"
    TALK_AGAIN = "talk_again"


class ExplanationChannel(StrEnum):
    IN_PERSON = "in_person"
    PHONE = "phone"
    WRITTEN = "written"
    IN_APP = "in_app"
    HOME_VISIT = "home_visit"


class SurveyState(StrEnum):
    PLANNED = "planned"
    OPEN = "open"
    PUBLISHED = "published"


class SurveyChannel(StrEnum):
    ONLINE = "online"
    PAPER = "paper"
    ASSISTED = "assisted"


class ThemeCount(Frozen):
    theme: str
    count: int


class SurveyResult(Frozen):
    """``scores``: how many answers per score, from 1 to 5."""

    invited: int
    answers: int
    scores: list[int]
    channels: dict[str, int]
    themes: list[ThemeCount]
    sample_sufficient: bool
    low_score: bool


# ---- refusals -----------------------------------------------------------------------------


class DissentNotNow(NotNow):
    """A different view is recorded from deliberation to the publication of the outcome."""

    code = "dissent-not-now"


class DissentAlreadyRecorded(AlreadyDone):
    """One record per person and step: it is never changed, and a later step has its own."""

    code = "dissent-already-recorded"


class DissenterUnknown(Invalid):
    """No person is named, or the person does not belong to this community."""

    code = "dissenter-unknown"


class NotYourDissent(NotPermitted):
    """Without a role that records for others, one puts only one's own view on record."""

    code = "not-your-dissent"


class DissentStepNotAllowed(NotNow):
    code = "dissent-step-not-allowed"


class ExplainerNotSuitable(Invalid):
    """Whoever is to explain holds a role here that explains."""

    code = "explainer-not-suitable"


class NotYoursToExplain(NotPermitted):
    """A government office explains to those who dissent from what it has commissioned."""

    code = "not-yours-to-explain"


class AlreadyReplied(AlreadyDone):
    code = "explanation-already-answered"


class RejoinderGiven(AlreadyDone):
    code = "rejoinder-already-given"


class SurveyNotOpen(NotNow):
    code = "survey-not-open"


class NotInvited(NotPermitted):
    """The survey asks those who are affected."""

    code = "not-invited"


class SurveyAlreadyAnswered(AlreadyDone):
    code = "survey-already-answered"


class ChannelNotAllowed(Invalid):
    """Staff enter answers on paper or taken down for somebody; online everybody answers alone."""

    code = "channel-not-allowed"


class SurveyNotPublished(NotNow):
    code = "survey-not-published"


class SurveyAlreadyResponded(AlreadyDone):
    code = "survey-already-responded"


class RectifyByRequired(Invalid):
    """A low score is answered with a date by which it is put right."""

    code = "rectify-by-required"


# ---- dissent ------------------------------------------------------------------------------

DISSENT_STEPS = (State.DELIBERATING, State.OUTCOME_DRAFTING, State.VOTING, State.OUTCOME_PUBLIC)
"""In the order in which a topic goes through them (S10: "in the process")."""


def dissent_step(state: State, named: State | None) -> State:
    """The step at which a view was held: the present one, or for a record written down later,
    from minutes or a visit, an earlier one."""
    step = named or state
    if state not in DISSENT_STEPS or step not in DISSENT_STEPS:
        raise DissentNotNow(state=state.value)
    if DISSENT_STEPS.index(step) > DISSENT_STEPS.index(state):
        raise DissentNotNow(state=state.value)
    return step


UNSETTLED = (DissentState.RECORDED, DissentState.ASSIGNED)
WITHOUT_REPLY = (*UNSETTLED, DissentState.EXPLAINED, DissentState.UNREACHABLE)
_ANSWERS: Mapping[Reply, DissentState] = {
    Reply.UNDERSTOOD: DissentState.UNDERSTOOD,
    Reply.MAINTAINED: DissentState.MAINTAINED,
    Reply.TALK_AGAIN: DissentState.ASSIGNED,
}


def check_explains(role: Role, *, org_id: UUID | None, commissioning_org_id: UUID | None) -> None:
    """Only those who must explain learn who dissents: of the government, the commissioner."""
    if role is Role.GOVERNMENT and org_id != commissioning_org_id:
        raise NotYoursToExplain()


def check_assignable(state: DissentState) -> None:
    if state not in UNSETTLED:
        raise DissentStepNotAllowed(state=state.value)


def after_explanation(state: DissentState, *, reached: bool) -> DissentState:
    """An explanation that arrived, or a documented attempt at one. Who was reached once does not
    become unreachable by a later attempt."""
    if state not in WITHOUT_REPLY:
        raise DissentStepNotAllowed(state=state.value)
    if reached or state is DissentState.EXPLAINED:
        return DissentState.EXPLAINED
    return DissentState.UNREACHABLE


def after_reply(state: DissentState, reply: Reply, *, closed: bool) -> DissentState:
    """The dissenter understands, maintains the view, or wants to talk again; maintaining it is as
    good an end as any. Somebody who could not be reached may turn up and say so. After the close
    there is nobody left to talk to again."""
    if state not in (DissentState.EXPLAINED, DissentState.UNREACHABLE):
        raise DissentStepNotAllowed(state=state.value)
    if closed and reply is Reply.TALK_AGAIN:
        raise DissentStepNotAllowed(state=state.value)
    return _ANSWERS[reply]


def check_not_closed(state: State) -> None:
    if state is State.CLOSED:
        raise DissentNotNow(state=state.value)


# ---- survey -------------------------------------------------------------------------------


def survey_window(
    *, completed_at: datetime, now: datetime, delay: Period, length: Period
) -> tuple[datetime, datetime]:
    """Opens on the 15th day after completion, or at once when that is past; runs 14 days, the
    first of them counted when it is a whole one. The close is exclusive."""
    opens_at = max(now, delay.after(completed_at) - timedelta(days=1))
    return opens_at, length.after(opens_at - timedelta(microseconds=1))


def check_open(state: SurveyState, *, closes_at: datetime, now: datetime) -> None:
    """The closing instant itself is too late."""
    if state is not SurveyState.OPEN or now >= closes_at:
        raise SurveyNotOpen(state=state.value)


def count_survey(
    *,
    invited: int,
    scores: Mapping[int, int],
    channels: Mapping[str, int],
    themes: Iterable[str],
    checked: Collection[str],
    numbers: SurveyNumbers,
) -> SurveyResult:
    """The result, in integers: satisfied are scores 4 and 5; the score is low when they are fewer
    than the configured share of the answers (S33). A theme is shown if enough people named it, and
    if it is among the ``checked``: its words are a resident's own, and go out without a name."""
    answers = sum(scores.values())
    satisfied = scores.get(4, 0) + scores.get(5, 0)
    often = (
        (theme, n)
        for theme, n in Counter(themes).items()
        if n >= numbers.theme_least and theme in checked
    )
    named = sorted(often, key=lambda pair: (-pair[1], pair[0]))
    return SurveyResult(
        invited=invited,
        answers=answers,
        scores=[scores.get(score, 0) for score in range(1, 6)],
        channels={channel.value: channels.get(channel.value, 0) for channel in SurveyChannel},
        themes=[ThemeCount(theme=theme, count=n) for theme, n in named[: numbers.themes]],
        sample_sufficient=answers > 0 and answers * 100 >= invited * numbers.minimum_share_percent,
        low_score=satisfied * 100 < answers * numbers.satisfied_percent,
    )


_SCORE_WORDS = ("很不满意", "不满意", "一般", "满意", "很满意")
_CHANNEL_WORDS = {"online": "线上", "paper": "纸质", "assisted": "代录"}


def survey_text(result: SurveyResult, numbers: SurveyNumbers) -> str:
    """The published result: distribution, channels, themes, and whether the sample is enough."""
    channels = "、".join(
        f"{_CHANNEL_WORDS[name]}{count}" for name, count in result.channels.items()
    )
    scores = "、".join(
        f"{word}{count}"
        for word, count in zip(reversed(_SCORE_WORDS), reversed(result.scores), strict=True)
    )
    lines = [f"发出{result.invited}份,收回{result.answers}份({channels})。{scores}。"]
    if result.themes:
        named = "、".join(f"{theme.theme}({theme.count})" for theme in result.themes)
        lines.append(f"主要意见:{named}。")
    if not result.sample_sufficient:
        lines.append(f"收回数不足发出数的{numbers.minimum_share_percent}%,结果仅供参考。")
    if result.low_score:
        lines.append(f"满意和很满意不足{numbers.satisfied_percent}%,须提出整改措施。")
    return "\n".join(lines)


def check_response(result: SurveyResult, *, rectify_by: date | None, today: date) -> None:
    """A low score is answered with a date, which lies ahead."""
    if rectify_by is None and result.low_score:
        raise RectifyByRequired()
    if rectify_by is not None and rectify_by < today:
        raise RectifyByRequired()
