"""Shapes that several routes on topics share."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.pagination import Page, time_cursor
from api.wire import WireIn, WireOut
from api.words import say
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.topics.documents import Paper
from consultation.topics.reading import Card
from consultation.topics.states import Act, Category, Layer, State, Track
from consultation.topics.tables import Topic, TopicTransition


class StepIn(WireIn):
    """``expected_version``: refuse with topic-changed if the topic has moved on since."""

    expected_version: int | None = None


class ReasonIn(WireIn):
    reason: str = Field(min_length=1, max_length=2000)


class MaybeReasonIn(WireIn):
    reason: str | None = Field(default=None, max_length=2000)


class PaperIn(WireIn):
    title: str = Field(min_length=2, max_length=120)
    body: str = Field(min_length=1, max_length=20000)

    def paper(self) -> Paper:
        return Paper(self.title, self.body)


class StepOut(WireOut):
    """A step that was taken. ``due_at`` is the deadline of the step that comes next, exclusive."""

    topic_id: UUID
    number: int
    rule: str
    act: Act
    from_state: State
    state: State
    state_text: str
    round: int
    version: int
    due_at: datetime | None
    document_ids: list[UUID]


class StandingOut(WireOut):
    """How a topic stands after something that is no step of its own."""

    id: UUID
    state: State
    state_text: str
    version: int
    due_at: datetime | None
    co_signers: int
    withdrawal_asked_at: datetime | None


class TopicPollOut(WireOut):
    """The poll of the present round, from its announcement to its result. ``closes_at`` is
    exclusive."""

    id: UUID
    state: PollState
    state_text: str
    opens_at: datetime
    closes_at: datetime


class TopicCard(WireOut):
    """``due_at`` is exclusive; ``overdue_since`` stands in public from then on. ``posts`` counts
    what was said in all threads. ``poll`` is the vote that is announced, runs or is counted; null
    in the worklist."""

    id: UUID
    number: str
    title: str
    summary_plain: str
    place: str
    state: State
    state_text: str
    round: int
    category: Category | None
    layer: Layer | None
    track: Track | None
    co_signers: int
    posts: int
    due_at: datetime | None
    overdue_since: datetime | None
    poll: TopicPollOut | None
    created_at: datetime


def poll_brief(poll: Poll | None, locale: str) -> TopicPollOut | None:
    if poll is None:
        return None
    return TopicPollOut(
        id=poll.id,
        state=poll.state,
        state_text=say(locale, f"words.poll_state.{poll.state}"),
        opens_at=poll.opens_at,
        closes_at=poll.closes_at,
    )


def step_out(step: TopicTransition, locale: str) -> StepOut:
    return StepOut(
        topic_id=step.topic_id,
        number=step.number,
        rule=step.rule,
        act=step.act,
        from_state=step.from_state,
        state=step.to_state,
        state_text=say(locale, f"words.state.{step.to_state}"),
        round=step.round,
        version=step.number + 1,
        due_at=step.due_at,
        document_ids=step.document_ids,
    )


def standing_out(topic: Topic, locale: str) -> StandingOut:
    return StandingOut(
        id=topic.id,
        state=topic.state,
        state_text=say(locale, f"words.state.{topic.state}"),
        version=topic.version,
        due_at=topic.due_at,
        co_signers=topic.co_signers,
        withdrawal_asked_at=topic.withdrawal_asked_at,
    )


def card_out(card: Card, locale: str) -> TopicCard:
    topic = card.topic
    return TopicCard(
        id=topic.id,
        number=topic.number,
        title=topic.title,
        summary_plain=topic.summary_plain,
        place=card.place,
        state=topic.state,
        state_text=say(locale, f"words.state.{topic.state}"),
        round=topic.round,
        category=topic.category,
        layer=topic.layer,
        track=topic.track,
        co_signers=topic.co_signers,
        posts=card.posts,
        due_at=topic.due_at,
        overdue_since=topic.overdue_since,
        poll=poll_brief(card.poll, locale),
        created_at=topic.created_at,
    )


def cards_page(cards: list[Card], limit: int, locale: str) -> Page[TopicCard]:
    shown = cards[:limit]
    last = shown[-1].topic if len(cards) > limit else None
    return Page(
        items=[card_out(card, locale) for card in shown],
        next_cursor=None if last is None else time_cursor(last.created_at, last.id),
    )
