"""The gates of a topic's transitions: pure checks over ``TopicFacts``, named in the table.

A gate refuses with ``GateNotMet(gate=…, missing=[…])``. ``NEEDS`` says which facts each reads.
"""

from collections.abc import Callable, Mapping

from consultation.calendar import local_day
from consultation.community.tables import OrgKind
from consultation.refusals import Invalid, NotNow
from consultation.topics.facts import Need, TopicFacts
from consultation.topics.states import Layer, MatterList, ReconsultationGround, Track


class GateNotMet(NotNow):
    """A precondition of the step does not hold yet; ``missing`` says what is lacking."""

    code = "gate-not-met"


class ForbiddenSubject(Invalid):
    """Facts on special groups of people must never be stored (seed 四(五); PIPL 28)."""

    code = "forbidden-subject"


DEFAULT_CONVENER = OrgKind.COMMUNITY_PARTY_ORG
SUBDISTRICT = frozenset({OrgKind.SUBDISTRICT_OFFICE, OrgKind.TOWN_GOVERNMENT})
CONVENERS = SUBDISTRICT | {
    DEFAULT_CONVENER,
    OrgKind.RESIDENTS_COMMITTEE,
    OrgKind.VILLAGERS_COMMITTEE,
}
"""Who may convene (S1): the party organisation in principle, the others with a reason."""
APPEAL_BODIES = SUBDISTRICT | {OrgKind.SUPERVISION_COMMITTEE}
TELLERS_NEEDED = 2

FORBIDDEN_WORDS = (
    "社区矫正",
    "刑满释放",
    "吸毒",
    "戒毒",
    "精神病",
    "精神障碍患者",
    "艾滋",
    "重点人员",
    "上访户",
)
"""Special groups whose data the product refuses to hold (S48). A filter that warns, not a judge:
the author rephrases."""

Gate = Callable[[TopicFacts], None]


def _require(gate: str, **conditions: bool) -> None:
    missing = sorted(name for name, met in conditions.items() if not met)
    if missing:
        raise GateNotMet(gate=gate, missing=missing)


def subject_allowed(facts: TopicFacts) -> None:
    check_subject(facts.title, facts.problem, facts.wish, facts.place)


def check_subject(*texts: str) -> None:
    if any(word in text for text in texts for word in FORBIDDEN_WORDS):
        raise ForbiddenSubject()


def proposal_complete(facts: TopicFacts) -> None:
    """A proposal names the problem, the wish, the place and who is affected (T1)."""
    _require(
        "proposal_complete",
        problem=bool(facts.problem.strip()),
        wish=bool(facts.wish.strip()),
        place=bool(facts.place.strip()),
        affected=bool(facts.affected),
    )


def by_author(facts: TopicFacts) -> None:
    """The author, or the grid worker who wrote it down for them (代录)."""
    author = facts.actor_id is not None and facts.actor_id in (facts.author_id, facts.entered_by_id)
    _require("by_author", author=author)


def reason_given(facts: TopicFacts) -> None:
    _require("reason_given", reason=bool((facts.reason or "").strip()))


def in_correction_period(facts: TopicFacts) -> None:
    """A returned topic can be completed for 15 days (T2)."""
    ends = facts.procedure.periods["correction"].after(facts.state_since)
    _require("in_correction_period", in_time=facts.now < ends)


def classified(facts: TopicFacts) -> None:
    """Screening chose category, layer, track and a catalogue entry (T3, S2, S18)."""
    _require(
        "classified",
        category=facts.category is not None,
        layer=facts.layer is not None,
        track=facts.track is not None,
        matter_list=facts.matter_list is not None,
    )


def within_the_lists(facts: TopicFacts) -> None:
    """A matter on neither list, or a pure government duty, is transferred, not ordered as
    Track A (S18, seed 二(二))."""
    track_a_outside = (
        facts.track is Track.COMMUNITY and facts.matter_list is MatterList.OUTSIDE_LISTS
    )
    _require("within_the_lists", matter_list=not track_a_outside)


def commission_complete(facts: TopicFacts) -> None:
    """Track B has a commissioning body and its letter (S8)."""
    if facts.track is Track.COMMISSIONED:
        _require(
            "commission_complete",
            commissioning_org=facts.commissioning_org_id is not None,
            commission_letter=facts.has_commission_letter,
        )


def convener_named(facts: TopicFacts) -> None:
    """The community party organisation convenes; another convener needs a recorded reason, and
    what lies in more than one community is convened by the subdistrict or town (S1)."""
    kind = facts.convener_kind
    _require(
        "convener_named",
        convener=kind in CONVENERS,
        convener_reason=kind is DEFAULT_CONVENER or bool((facts.convener_reason or "").strip()),
        convener_of_scope=not facts.crosses_communities or kind in SUBDISTRICT,
    )


def two_persons_reject(facts: TopicFacts) -> None:
    """Who proposes a rejection does not confirm it, and what is confirmed was proposed on the
    text as it stands: a topic that was returned and completed is judged anew (T4)."""
    rejection = facts.rejection
    _require(
        "two_persons_reject",
        proposal=rejection is not None
        and rejection.confirmed_by is None
        and rejection.proposed_at >= facts.state_since,
    )
    assert rejection is not None
    _require("two_persons_reject", second_person=rejection.proposed_by != facts.actor_id)


def appeal_in_time(facts: TopicFacts) -> None:
    """One appeal, within 15 days of the rejection, decided once (T4a)."""
    rejection = facts.rejection
    _require(
        "appeal_in_time",
        appeal=rejection is not None
        and rejection.appealed_at is not None
        and rejection.appeal_decided_at is None,
    )
    assert rejection is not None
    assert rejection.appealed_at is not None
    assert rejection.confirmed_at is not None
    ends = facts.procedure.periods["appeal"].after(rejection.confirmed_at)
    _require("appeal_in_time", in_time=rejection.appealed_at < ends, once=rejection.appeals <= 1)


def independent_appeal_body(facts: TopicFacts) -> None:
    """The subdistrict or the supervision committee decides, never those who rejected and never
    the author (T4a)."""
    rejection = facts.rejection
    assert rejection is not None
    involved = (rejection.proposed_by, rejection.confirmed_by, facts.author_id, facts.entered_by_id)
    _require(
        "independent_appeal_body",
        appeal_body=facts.actor_org_kind in APPEAL_BODIES,
        other_body=facts.standing.org_id != rejection.confirmed_org_id,
        other_person=facts.actor_id not in involved,
    )


def transfer_settled(facts: TopicFacts) -> None:
    """The receiver has answered or given the matter back (T6a)."""
    _require("transfer_settled", answer=facts.transfer is not None and facts.transfer.settled)


def withdrawal_open(facts: TopicFacts) -> None:
    """After acceptance a co-signer has 5 days to take the topic over (T7)."""
    asked = facts.withdrawal_asked_at
    _require("withdrawal_open", asked=asked is not None)
    assert asked is not None
    ends = facts.procedure.periods["withdrawal"].after(asked)
    _require("withdrawal_open", waited=facts.now >= ends)


def groups_covered(facts: TopicFacts) -> None:
    """Every affected group that the proposal names is in the plan, and every affected group of
    the plan is invited (S3)."""
    assert facts.plan is not None
    planned = {group.name for group in facts.plan.plan.groups}
    absent = [name for name in facts.affected if name not in planned]
    uninvited = [g.name for g in facts.plan.plan.groups if g.affected and not g.invited]
    if absent or uninvited:
        raise GateNotMet(gate="groups_covered", missing=sorted(absent + uninvited))


def plan_complete(facts: TopicFacts) -> None:
    """Materials, an expert's opinion if asked, the text of the plan, a preset for layers that
    decide by vote and tellers for any vote, an end after the notice, and an answer to everybody
    who asked to take part (T8, S3)."""
    plan = facts.plan
    assert plan is not None
    decides_by_vote = facts.layer in (Layer.OWNERS, Layer.ASSEMBLY)
    votes = plan.plan.poll_preset is not None
    notice = facts.procedure.notice_for([form.form for form in plan.plan.forms])
    _require(
        "plan_complete",
        text=bool(plan.plan.text.strip()),
        materials=plan.materials > 0,
        expert_opinion=not plan.plan.needs_expert or plan.expert_opinions > 0,
        poll_preset=votes or not decides_by_vote,
        tellers=not votes or len(set(plan.plan.teller_ids)) >= TELLERS_NEEDED,
        deliberation_ends=plan.plan.deliberation_ends >= local_day(notice.after(facts.now)),
        participant_requests=plan.open_requests == 0,
    )


def legality_checked(facts: TopicFacts) -> None:
    """The plan as it stands was found lawful (T8)."""
    assert facts.plan is not None
    _require("legality_checked", legality=facts.plan.legality_ok is True)


def interests_declared(facts: TopicFacts) -> None:
    """Hosts and tellers have said whether they have a stake, and none who has one, the author
    included, hosts or tells (T8, domain 5)."""
    assert facts.plan is not None
    _require(
        "interests_declared",
        declarations=facts.plan.undeclared == 0,
        disinterested=facts.plan.interested == 0,
    )


def two_persons_announce(facts: TopicFacts) -> None:
    """The clerk prepares, the convener announces: preset and roll are frozen by two people."""
    assert facts.plan is not None
    _require("two_persons_announce", second_person=facts.plan.prepared_by != facts.actor_id)


def notice_over(facts: TopicFacts) -> None:
    """The notice period of the announcement is over (T9)."""
    plan = facts.plan
    assert plan is not None
    over = plan.notice_until is not None and facts.now >= plan.notice_until
    _require("notice_over", notice=over)


def roll_settled(facts: TopicFacts) -> None:
    _require(
        "roll_settled", roll_objections=facts.poll is None or not facts.poll.roll_objections_open
    )


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
    if not any(f.required and f.form != "online_deliberation" for f in facts.plan.plan.forms):
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
    _require(
        "outcome_written",
        items=outcome is not None and outcome.items > 0,
        minority_view=outcome is not None and outcome.has_minority_view,
    )


def poll_ready(facts: TopicFacts) -> None:
    """The poll was announced, its notice is over, its text is the announced one, every item can
    be voted against, and it follows the frozen preset (T11)."""
    poll = facts.poll
    assert facts.plan is not None
    _require("poll_ready", poll=poll is not None)
    assert poll is not None
    _require(
        "poll_ready",
        announced=poll.state == "announced",
        notice=facts.now >= poll.opens_at,
        text_unchanged=poll.text_unchanged,
        against_option=poll.items_have_against,
        preset=facts.plan.plan.poll_preset == poll.preset_id,
    )


def votable(facts: TopicFacts) -> None:
    """Rights that cannot be voted away are not put to a vote: they go another road or need
    everybody's consent (S11 c)."""
    assert facts.plan is not None
    plan = facts.plan.plan
    _require("votable", votable_right=not (plan.touches_unvotable_right and plan.poll_preset))


def consensus_stands(facts: TopicFacts) -> None:
    """Without a ballot: the preset allows it, and nobody objected to "consensus" for 3 days."""
    outcome = facts.outcome
    assert outcome is not None
    assert facts.plan is not None
    called = outcome.consensus_called_at
    _require(
        "consensus_stands",
        no_ballot_planned=facts.plan.plan.poll_preset is None,
        called=called is not None,
        unopposed=outcome.consensus_objections == 0,
    )
    assert called is not None
    ends = facts.procedure.periods["consensus"].after(called)
    _require("consensus_stands", waited=facts.now >= ends)


def count_signed(facts: TopicFacts) -> None:
    """Two tellers sign the count and a supervisor witnesses it (T13). Where the law takes another
    system's count, two people have confirmed its certificate, and that is what is followed (domain
    2.5)."""
    poll = facts.poll
    assert poll is not None
    if poll.counted_elsewhere:
        _require("count_signed", certified_result=poll.verdict is not None)
        _require("count_signed", quorum=poll.verdict != "no_quorum")
        return
    _require(
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
    _require("quorum_missed", certified_result=certified)
    _require("quorum_missed", verdict=poll.verdict == "no_quorum")


def vote_annulled(facts: TopicFacts) -> None:
    """Nothing is left to count: the poll of this round was annulled (T14a)."""
    _require("vote_annulled", annulment=facts.poll is None)


def rounds_left(facts: TopicFacts) -> None:
    """At most three rounds, each with its ground and a list of what changed (T16)."""
    _require(
        "rounds_left",
        rounds=facts.round < facts.procedure.max_rounds,
        ground=facts.reason_code in list(ReconsultationGround),
        change_list=bool(facts.change_list),
    )


def objection_period_over(facts: TopicFacts) -> None:
    """The result has been public for the objection period, which is that of the preset where that
    is longer (T19)."""
    days = 0 if facts.poll is None else facts.poll.objection_days
    ends = facts.procedure.objection_ends(facts.state_since, days)
    _require("objection_period_over", period=facts.now >= ends)


def every_item_answered(facts: TopicFacts) -> None:
    """There is a reply to each outcome item (T20, S8)."""
    adoption = facts.adoption
    assert adoption is not None
    answered = bool(adoption.decisions) and None not in adoption.decisions
    _require("every_item_answered", replies=answered)


def adoption_signed(facts: TopicFacts) -> None:
    """Track A: party organisation and committee both sign. Track B: the commissioner signs."""
    adoption = facts.adoption
    assert adoption is not None
    if facts.track is Track.COMMISSIONED:
        _require("adoption_signed", commissioner=adoption.commissioner_signed)
    else:
        _require(
            "adoption_signed", party_org=adoption.party_signed, committee=adoption.committee_signed
        )


def all_adopted(facts: TopicFacts) -> None:
    decisions = _decisions(facts)
    _require("all_adopted", decisions=decisions <= {"adopted"})


def none_adopted(facts: TopicFacts) -> None:
    decisions = _decisions(facts)
    _require("none_adopted", decisions=decisions <= {"not_adopted"})


def partly_adopted(facts: TopicFacts) -> None:
    decisions = _decisions(facts)
    _require("partly_adopted", decisions=decisions not in ({"adopted"}, {"not_adopted"}))


def _decisions(facts: TopicFacts) -> set[str | None]:
    assert facts.adoption is not None
    return set(facts.adoption.decisions)


def tasks_planned(facts: TopicFacts) -> None:
    """Every adopted item has a task with responsible organisation, date and money (T21)."""
    tasks = facts.tasks
    assert tasks is not None
    _require(
        "tasks_planned",
        tasks=tasks.tasks > 0 and tasks.adopted_items_without_task == 0,
        complete=tasks.incomplete == 0,
    )


def tasks_finished(facts: TopicFacts) -> None:
    """Tasks are done or ended with a reason, accepted by convener and residents, accounts shown."""
    tasks = facts.tasks
    assert tasks is not None
    _require(
        "tasks_finished",
        tasks=tasks.open == 0,
        accounts=tasks.unaccounted == 0,
        acceptance=tasks.not_accepted == 0,
    )


def feedback_given(facts: TopicFacts) -> None:
    """The feedback notice is online and on the board (T24, S9)."""
    feedback = facts.feedback
    assert feedback is not None
    _require(
        "feedback_given",
        notice_online=feedback.notice_published,
        notice_on_board=feedback.notice_on_board,
    )


def dissent_settled(facts: TopicFacts) -> None:
    """Every dissent record has an explanation or a documented attempt (T24, S10)."""
    feedback = facts.feedback
    assert feedback is not None
    _require("dissent_settled", dissent_records=feedback.dissent_unsettled == 0)


def survey_answered(facts: TopicFacts) -> None:
    """The survey is over and published by the system, the community has responded, and a low
    score has opened a rectification task (T25, S33)."""
    survey = facts.survey
    _require("survey_answered", survey=survey is not None and survey.published)
    assert survey is not None
    _require(
        "survey_answered",
        response=survey.response_published,
        rectification=not survey.low_score or survey.rectification_opened,
    )


NEEDS: Mapping[Gate, frozenset[Need]] = {
    two_persons_reject: frozenset({Need.REJECTION}),
    appeal_in_time: frozenset({Need.REJECTION}),
    independent_appeal_body: frozenset({Need.REJECTION}),
    transfer_settled: frozenset({Need.TRANSFER}),
    groups_covered: frozenset({Need.PLAN}),
    plan_complete: frozenset({Need.PLAN}),
    legality_checked: frozenset({Need.PLAN}),
    interests_declared: frozenset({Need.PLAN}),
    two_persons_announce: frozenset({Need.PLAN}),
    notice_over: frozenset({Need.PLAN}),
    roll_settled: frozenset({Need.POLL}),
    meetings_held: frozenset({Need.PLAN, Need.MEETINGS}),
    groups_heard: frozenset({Need.PLAN, Need.MEETINGS}),
    outcome_written: frozenset({Need.OUTCOME}),
    poll_ready: frozenset({Need.PLAN, Need.POLL}),
    votable: frozenset({Need.PLAN}),
    consensus_stands: frozenset({Need.PLAN, Need.OUTCOME}),
    count_signed: frozenset({Need.POLL}),
    quorum_missed: frozenset({Need.POLL}),
    vote_annulled: frozenset({Need.POLL}),
    objection_period_over: frozenset({Need.POLL}),
    every_item_answered: frozenset({Need.ADOPTION}),
    adoption_signed: frozenset({Need.ADOPTION}),
    all_adopted: frozenset({Need.ADOPTION}),
    none_adopted: frozenset({Need.ADOPTION}),
    partly_adopted: frozenset({Need.ADOPTION}),
    tasks_planned: frozenset({Need.TASKS}),
    tasks_finished: frozenset({Need.TASKS}),
    feedback_given: frozenset({Need.FEEDBACK}),
    dissent_settled: frozenset({Need.FEEDBACK}),
    survey_answered: frozenset({Need.SURVEY}),
}
