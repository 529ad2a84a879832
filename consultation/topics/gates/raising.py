"""Gates from the draft to acceptance, rejection, transfer or withdrawal (T1 … T7)."""

from consultation.topics.bodies import APPEAL_BODIES, CONVENERS, DEFAULT_CONVENER, SUBDISTRICT
from consultation.topics.facts import TopicFacts
from consultation.topics.gates.gate import require
from consultation.topics.states import MatterList, Track
from consultation.topics.subjects import check_subject


def subject_allowed(facts: TopicFacts) -> None:
    check_subject(facts.title, facts.problem, facts.wish, facts.place)


def proposal_complete(facts: TopicFacts) -> None:
    """A proposal names the problem, the wish, the place and who is affected (T1)."""
    require(
        "proposal_complete",
        problem=bool(facts.problem.strip()),
        wish=bool(facts.wish.strip()),
        place=bool(facts.place.strip()),
        affected=bool(facts.affected),
    )


def by_author(facts: TopicFacts) -> None:
    """The author, or the grid worker who wrote it down for them (代录)."""
    author = facts.actor_id is not None and facts.actor_id in (facts.author_id, facts.entered_by_id)
    require("by_author", author=author)


def reason_given(facts: TopicFacts) -> None:
    require("reason_given", reason=bool((facts.reason or "").strip()))


def in_correction_period(facts: TopicFacts) -> None:
    """A returned topic can be completed for 15 days (T2)."""
    ends = facts.procedure.periods["correction"].after(facts.state_since)
    require("in_correction_period", in_time=facts.now < ends)


def classified(facts: TopicFacts) -> None:
    """Screening chose category, layer, track and a catalogue entry (T3, S2, S18)."""
    require(
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
    require("within_the_lists", matter_list=not track_a_outside)


def commission_complete(facts: TopicFacts) -> None:
    """Track B has a commissioning body and its letter (S8)."""
    if facts.track is Track.COMMISSIONED:
        require(
            "commission_complete",
            commissioning_org=facts.commissioning_org_id is not None,
            commission_letter=facts.has_commission_letter,
        )


def convener_named(facts: TopicFacts) -> None:
    """The community party organisation convenes; another convener needs a recorded reason, and
    what lies in more than one community is convened by the subdistrict or town (S1)."""
    kind = facts.convener_kind
    require(
        "convener_named",
        convener=kind in CONVENERS,
        convener_reason=kind is DEFAULT_CONVENER or bool((facts.convener_reason or "").strip()),
        convener_of_scope=not facts.crosses_communities or kind in SUBDISTRICT,
    )


def two_persons_reject(facts: TopicFacts) -> None:
    """Who proposes a rejection does not confirm it, and what is confirmed was proposed on the
    text as it stands: a topic that was returned and completed is judged anew (T4)."""
    rejection = facts.rejection
    require(
        "two_persons_reject",
        proposal=rejection is not None
        and rejection.confirmed_by is None
        and rejection.proposed_at >= facts.state_since,
    )
    assert rejection is not None
    require("two_persons_reject", second_person=rejection.proposed_by != facts.actor_id)


def appeal_in_time(facts: TopicFacts) -> None:
    """One appeal, within 15 days of the rejection, decided once (T4a)."""
    rejection = facts.rejection
    require(
        "appeal_in_time",
        appeal=rejection is not None
        and rejection.appealed_at is not None
        and rejection.appeal_decided_at is None,
    )
    assert rejection is not None
    assert rejection.appealed_at is not None
    assert rejection.confirmed_at is not None
    ends = facts.procedure.periods["appeal"].after(rejection.confirmed_at)
    require("appeal_in_time", in_time=rejection.appealed_at < ends, once=rejection.appeals <= 1)


def independent_appeal_body(facts: TopicFacts) -> None:
    """The subdistrict or the supervision committee decides, never those who rejected and never
    the author (T4a)."""
    rejection = facts.rejection
    assert rejection is not None
    involved = (rejection.proposed_by, rejection.confirmed_by, facts.author_id, facts.entered_by_id)
    require(
        "independent_appeal_body",
        appeal_body=facts.actor_org_kind in APPEAL_BODIES,
        other_body=facts.standing.org_id != rejection.confirmed_org_id,
        other_person=facts.actor_id not in involved,
    )


def transfer_settled(facts: TopicFacts) -> None:
    """The receiver has answered or given the matter back (T6a)."""
    require("transfer_settled", answer=facts.transfer is not None and facts.transfer.settled)


def withdrawal_open(facts: TopicFacts) -> None:
    """After acceptance a co-signer has 5 days to take the topic over (T7)."""
    asked = facts.withdrawal_asked_at
    require("withdrawal_open", asked=asked is not None)
    assert asked is not None
    ends = facts.procedure.periods["withdrawal"].after(asked)
    require("withdrawal_open", waited=facts.now >= ends)
