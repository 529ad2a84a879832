"""The last two steps of a topic, taken by the system as soon as they may be: into evaluation, with
a survey planned, and closed. Commands of every area call these after what they did."""

from consultation.database import Transaction
from consultation.jobs import JobKind, schedule
from consultation.oversight import queries, rules
from consultation.oversight.rules import SurveyState
from consultation.oversight.tables import Survey
from consultation.topics.lifecycle import try_advance
from consultation.topics.plan import procedure
from consultation.topics.states import Act, State
from consultation.topics.tables import Topic


async def evaluate_if_ready(tx: Transaction, topic: Topic) -> bool:
    """T24, once the feedback notice is online and on the board and all dissent is settled."""
    if topic.state is not State.FEEDBACK:
        return False
    completed_at = topic.state_since
    if not await try_advance(tx, topic, Act.EVALUATE):
        return False
    periods = procedure().periods
    opens_at, closes_at = rules.survey_window(
        completed_at=completed_at,
        now=tx.now,
        delay=periods["survey_delay"],
        length=periods["survey"],
    )
    survey = Survey(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        round=topic.round,
        state=SurveyState.PLANNED,
        invited=0,
        groups=list(topic.affected),
        opens_at=opens_at,
        closes_at=closes_at,
    )
    tx.session.add(survey)
    await tx.session.flush()
    for kind, at in ((JobKind.SURVEY_OPEN, opens_at), (JobKind.SURVEY_CLOSE, closes_at)):
        await schedule(tx, kind, survey.id, at, community_id=topic.community_id)
    return True


async def close_if_ready(tx: Transaction, topic: Topic) -> bool:
    """T25, once the survey is published, answered by the community and, where its score is low,
    followed by a rectification."""
    return topic.state is State.EVALUATING and await try_advance(tx, topic, Act.CLOSE)


async def settle(tx: Transaction, topic: Topic) -> None:
    """Whichever of the two steps the topic was waiting for."""
    if topic.state is State.FEEDBACK:
        await evaluate_if_ready(tx, topic)
    else:
        await close_if_ready(tx, topic)


async def set_explanation_deadlines(tx: Transaction, topic: Topic) -> None:
    """From the adoption decision on, dissenters wait for their explanation at most ten working
    days (seed 二(五): 及时)."""
    await queries.set_due(tx, topic, procedure().periods["explanation"].after(tx.now))
