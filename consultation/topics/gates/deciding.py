"""Gates from the deliberation to the result (T10 … T16): hearing, outcome, vote, another round."""

from consultation.topics.facts import TopicFacts
from consultation.topics.gates.gate import GateNotMet, require
from consultation.topics.states import ReconsultationGround


def meetings_held(facts: TopicFacts) -> None:
    """Required forms took place, their minutes are confirmed and published (T10)."""
    assert facts.meetings is not None
    assert facts.plan is not None
    lacking = [
        form.form
        for form in facts.plan.plan.forms
        if form.required
        and form.form != "online_deliberation"
        and form.form not in facts.meetings.held_forms
    ]
    if facts.meetings.unconfirmed:
        lacking.append("minutes")
    if lacking:
        raise GateNotMet(gate="meetings_held", missing=sorted(lacking))


def groups_heard(facts: TopicFacts) -> None:
    """Every invited group was heard, or its absence is documented (T10). Where the plan asks for
    no sitting, the open thread is the hearing."""
    assert facts.meetings is not None
    assert facts.plan is not None
    if not facts.plan.plan.asks_for_sitting:
        return
    unheard = [
        group.name
        for group in facts.plan.plan.groups
        if group.invited and group.name not in facts.meetings.heard_groups
    ]
    if unheard:
        raise GateNotMet(gate="groups_heard", missing=sorted(unheard))


def outcome_written(facts: TopicFacts) -> None:
    """Outcome items exist, and the minority view is written: it is never optional (S11)."""
    outcome = facts.outcome
    require(
        "outcome_written",
        items=outcome is not None and outcome.items > 0,
        minority_view=outcome is not None and outcome.has_minority_view,
    )


def poll_ready(facts: TopicFacts) -> None:
    """The poll was announced, its notice is over, its text is the announced one, every item can
    be voted against, and it follows the frozen preset (T11)."""
    poll = facts.poll
    assert facts.plan is not None
    require("poll_ready", poll=poll is not None)
    assert poll is not None
    require(
        "poll_ready",
        announced=poll.state == "announced",
        notice=facts.now >= poll.opens_at,
        text_unchanged=poll.text_unchanged,
        against_option=poll.items_have_against,
        preset=facts.plan.plan.poll_preset == poll.preset_id,
    )


def consensus_stands(facts: TopicFacts) -> None:
    """Without a ballot: the preset allows it, and nobody objected to "consensus" for 3 days."""
    outcome = facts.outcome
    assert outcome is not None
    assert facts.plan is not None
    called = outcome.consensus_called_at
    require(
        "consensus_stands",
        no_ballot_planned=facts.plan.plan.poll_preset is None,
        called=called is not None,
        unopposed=outcome.consensus_objections == 0,
    )
    assert called is not None
    ends = facts.procedure.periods["consensus"].after(called)
    require("consensus_stands", waited=facts.now >= ends)


def count_signed(facts: TopicFacts) -> None:
    """Two tellers sign the count and a supervisor witnesses it (T13). Where the law takes another
    system's count, two people have confirmed its certificate, and that is what is followed (domain
    2.5)."""
    poll = facts.poll
    assert poll is not None
    if poll.counted_elsewhere:
        require("count_signed", certified_result=poll.verdict is not None)
        require("count_signed", quorum=poll.verdict != "no_quorum")
        return
    require(
        "count_signed",
        tellers=poll.teller_signatures >= 2,
        supervisor=poll.supervisor_signatures >= 1,
        quorum=poll.verdict is not None and poll.verdict != "no_quorum",
    )


def quorum_missed(facts: TopicFacts) -> None:
    """The count that is the vote has no quorum (T14); an indicative one says nothing of it."""
    poll = facts.poll
    assert poll is not None
    certified = not poll.counted_elsewhere or poll.verdict is not None
    require("quorum_missed", certified_result=certified)
    require("quorum_missed", verdict=poll.verdict == "no_quorum")


def vote_annulled(facts: TopicFacts) -> None:
    """Nothing is left to count: the poll of this round was annulled (T14a)."""
    require("vote_annulled", annulment=facts.poll is None)


def rounds_left(facts: TopicFacts) -> None:
    """At most three rounds, each with its ground and a list of what changed (T16)."""
    require(
        "rounds_left",
        rounds=facts.round < facts.procedure.max_rounds,
        ground=facts.reason_code in list(ReconsultationGround),
        change_list=bool(facts.change_list),
    )
