"""THE RULES AFTER THE VOTE: the outcome paper, adoption with reasons, the feedback notice. Tasks
have rules of their own (``task_rules``). No I/O."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from consultation.community.tables import OrgKind
from consultation.permissions import Deed, Grant, Role, grant_of
from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted
from consultation.topics.plan import Period
from consultation.topics.states import State, Track


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AdverseImpact(Frozen):
    """A group that bears a burden, and what is done about it (S11 b)."""

    group: str = Field(min_length=1, max_length=40)
    impact: str = Field(min_length=1, max_length=400)
    mitigation: str = Field(min_length=1, max_length=400)


class Decision(StrEnum):
    ADOPTED = "adopted"
    PARTIALLY_ADOPTED = "partially_adopted"
    NOT_ADOPTED = "not_adopted"


class NonAdoption(StrEnum):
    """The only grounds on which the two committees may withhold adoption (T20a)."""

    UNLAWFUL = "unlawful"
    NOT_COMPETENT = "not_competent"
    IMPOSSIBLE = "impossible"
    CONTRARY_BINDING_DECISION = "contrary_binding_decision"


class SignatureSide(StrEnum):
    PARTY_ORG = "party_org"
    COMMITTEE = "committee"
    COMMISSIONER = "commissioner"


# ---- refusals -----------------------------------------------------------------------------


class OutcomeNotNow(NotNow):
    """The outcome paper is written while the topic stands in outcome_drafting; its minority view
    and impacts may be revised until adoption begins."""

    code = "outcome-not-now"


class OutcomeIncomplete(Invalid):
    """The paper lacks its items or its minority view."""

    code = "outcome-incomplete"


class OutcomeAlreadyDrafted(AlreadyDone):
    code = "outcome-already-drafted"


class ItemsFrozen(NotNow):
    """Once a vote on them is announced, outcome items no longer change."""

    code = "items-frozen"


class NoOutcomeYet(NotNow):
    code = "no-outcome-yet"


class ConsensusNotNow(NotNow):
    """There is no call to consensus on the present text, or its period to object is over."""

    code = "consensus-not-now"


class AdoptionNotNow(NotNow):
    code = "adoption-not-now"


class NotTheAdopter(NotPermitted):
    """Track A: the party organisation and the committee of this community. Track B: the body
    that commissioned the consultation."""

    code = "not-the-adopter"


class ReasonCodeRequired(Invalid):
    """Track A: less than full adoption needs one of the four grounds; full adoption has none."""

    code = "reason-code-required"


class VoteWasAgainst(Invalid):
    """The binding vote of the round did not pass: what the majority declined (Civil Code art. 280
    for owners), no committee adopts."""

    code = "vote-was-against"


class FingerprintVoid(Invalid):
    """The SHA-256 that is given is of no photo: one digit throughout, or of nothing."""

    code = "fingerprint-void"


class PhotoUsedBefore(Invalid):
    """This photo has proved another posting; each is photographed where it hangs."""

    code = "photo-used-before"


OF_NOTHING = hashlib.sha256(b"").hexdigest()


def check_fingerprint(sha256: str) -> None:
    if len(set(sha256)) == 1 or sha256 == OF_NOTHING:
        raise FingerprintVoid()


class ReasonRequired(Invalid):
    code = "reason-required"


class ItemsUnanswered(NotNow):
    code = "items-unanswered"


class RepliesChanged(NotNow):
    """The replies are no longer those whose digest was signed."""

    code = "replies-changed"


class SecondSignerNeeded(NotPermitted):
    """One person cannot sign for both organisations."""

    code = "second-signer-needed"


class SideHasSigned(AlreadyDone):
    code = "side-has-signed"


class ExtensionNotAllowed(NotNow):
    """Only a commissioner's reply, only once, only before its deadline."""

    code = "extension-not-allowed"


class NoticeNotNow(NotNow):
    code = "notice-not-now"


class CorrectionReasonRequired(Invalid):
    """What has been published is corrected by a new version, with a reason."""

    code = "correction-reason-required"


# ---- the outcome paper --------------------------------------------------------------------

_REVISABLE = frozenset({State.OUTCOME_DRAFTING, State.VOTING, State.OUTCOME_PUBLIC})


def check_may_draft(state: State) -> None:
    if state is not State.OUTCOME_DRAFTING:
        raise OutcomeNotNow(state=state.value)


def check_may_revise(state: State, *, items_change: bool, vote_announced: bool) -> None:
    """Items change only before a vote on them is announced. The minority view and the impacts may
    be put better until adoption begins, so that nobody's view is shut out by a date (S11)."""
    if state not in _REVISABLE:
        raise OutcomeNotNow(state=state.value)
    if items_change and (vote_announced or state is not State.OUTCOME_DRAFTING):
        raise ItemsFrozen()


def check_paper(items: Sequence[str], minority_view: str) -> None:
    """There is something decided, and what the minority holds is written down (S11 a)."""
    if not items or not all(item.strip() for item in items):
        raise OutcomeIncomplete(missing=["items"])
    if not minority_view.strip():
        raise OutcomeIncomplete(missing=["minority_view"])


def outcome_text(
    items: Sequence[str], minority_view: str, adverse_impacts: Sequence[AdverseImpact]
) -> str:
    """The paper as it is published: items, minority view, impacts with their mitigation."""
    parts = [
        "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1)),
        f"少数意见及处理情况\n{minority_view}",
    ]
    if adverse_impacts:
        parts.append(
            "不利影响及减轻措施\n"
            + "\n".join(f"{i.group}:{i.impact} 措施:{i.mitigation}" for i in adverse_impacts)
        )
    return "\n\n".join(parts)


def check_may_object(
    state: State, *, called_at: datetime | None, now: datetime, period: Period
) -> None:
    """The instant at which the period ends is too late."""
    if state is not State.OUTCOME_DRAFTING or called_at is None or now >= period.after(called_at):
        raise ConsensusNotNow(state=state.value)


# ---- adoption -----------------------------------------------------------------------------

PARTY_ORGS = frozenset({OrgKind.COMMUNITY_PARTY_ORG})
COMMITTEES = frozenset({OrgKind.RESIDENTS_COMMITTEE, OrgKind.VILLAGERS_COMMITTEE})
_SIDES: Mapping[Role, tuple[SignatureSide, frozenset[OrgKind]]] = {
    Role.PARTY_SECRETARY: (SignatureSide.PARTY_ORG, PARTY_ORGS),
    Role.COMMITTEE_HEAD: (SignatureSide.COMMITTEE, COMMITTEES),
}
_DEEDS = {
    Role.PARTY_SECRETARY: Deed.SIGN_ADOPTION_PARTY,
    Role.COMMITTEE_HEAD: Deed.SIGN_ADOPTION_COMMITTEE,
}


def adoption_deed(track: Track | None, role: Role) -> Deed:
    """Which deed answering and signing is, for this role on this track."""
    if track is Track.COMMISSIONED:
        return Deed.REPLY_COMMISSION
    return _DEEDS.get(role, Deed.SIGN_ADOPTION_COMMITTEE)


def adopter_side(
    track: Track | None,
    role: Role,
    *,
    org_id: UUID | None,
    org_kind: OrgKind | None,
    of_this_community: bool,
    commissioning_org_id: UUID | None,
) -> SignatureSide:
    """For which side the actor answers and signs; refuses whoever is not an adopter."""
    if track is Track.COMMISSIONED:
        if org_id is None or org_id != commissioning_org_id:
            raise NotTheAdopter()
        return SignatureSide.COMMISSIONER
    side = _SIDES.get(role)
    if side is None or org_kind not in side[1] or not of_this_community:
        raise NotTheAdopter()
    return side[0]


def sees_drafts(
    state: State, role: Role, *, org_id: UUID | None, commissioning_org_id: UUID | None
) -> bool:
    """Replies are public once they are signed. Until then they are for those who answer and those
    who watch over them."""
    if state is not State.ADOPTION_PENDING:
        return True
    if org_id is not None and org_id == commissioning_org_id:
        return True
    return grant_of(Deed.READ_PROCESS, role) is Grant.YES


def check_reply(
    track: Track | None,
    decision: Decision,
    *,
    reason_code: NonAdoption | None,
    reason: str,
    voted_down: bool = False,
) -> None:
    """Every reply has a reason (S8, S9). On Track A adoption is owed, so that withholding all or
    part of it needs one of four grounds; on Track B the ground is free and the reason is not.
    Nothing is adopted that a binding vote declined (``voted_down``)."""
    if not reason.strip():
        raise ReasonRequired()
    if voted_down and decision is not Decision.NOT_ADOPTED:
        raise VoteWasAgainst()
    if decision is Decision.ADOPTED:
        if reason_code is not None:
            raise ReasonCodeRequired(decision=decision.value, allowed=[])
    elif track is not Track.COMMISSIONED and reason_code is None:
        raise ReasonCodeRequired(
            decision=decision.value, allowed=[code.value for code in NonAdoption]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The reply to one item as it stands; ``version`` 0 and no decision while there is none."""

    item_id: UUID
    number: int
    item: str
    version: int = 0
    decision: Decision | None = None
    reason_code: NonAdoption | None = None
    reason: str = ""
    org: str | None = None  # the name of the organisation that answered
    at: datetime | None = None


def replies_digest(answers: Sequence[Answer]) -> str:
    """SHA-256 over items and replies, in the order of the items: what the sides sign. Any change
    of a reply changes it, so that earlier signatures no longer stand."""
    content = [
        [a.number, a.item, a.version, a.decision, a.reason_code, a.reason]
        for a in sorted(answers, key=lambda answer: answer.number)
    ]
    canonical = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def check_signable(answers: Sequence[Answer], digest: str) -> None:
    unanswered = [str(answer.number) for answer in answers if answer.decision is None]
    if unanswered or not answers:
        raise ItemsUnanswered(items=unanswered)
    if digest != replies_digest(answers):
        raise RepliesChanged()


def signatures_needed(track: Track | None) -> frozenset[SignatureSide]:
    if track is Track.COMMISSIONED:
        return frozenset({SignatureSide.COMMISSIONER})
    return frozenset({SignatureSide.PARTY_ORG, SignatureSide.COMMITTEE})


_DECISION_WORDS = {
    Decision.ADOPTED: "采纳",
    Decision.PARTIALLY_ADOPTED: "部分采纳",
    Decision.NOT_ADOPTED: "不予采纳",
}


def adoption_text(answers: Sequence[Answer], *, minority_view: str) -> str:
    """The body of the adoption decision or reply letter: every item, the answer, its reason, and
    the minority view with it."""
    lines = [
        f"{answer.number}. {answer.item}\n{_DECISION_WORDS[answer.decision]}。{answer.reason}"
        for answer in answers
        if answer.decision is not None
    ]
    return "\n\n".join([*lines, f"少数意见及处理情况\n{minority_view}"])


def extended_deadline(
    track: Track | None, *, due_at: datetime | None, now: datetime, period: Period
) -> datetime:
    """A commissioner may have ten more working days, asked for before the deadline (S8)."""
    if track is not Track.COMMISSIONED or due_at is None or now >= due_at:
        raise ExtensionNotAllowed()
    # the deadline is the first instant after its day; counting goes on from that day itself
    return period.after(due_at - timedelta(microseconds=1))


# ---- feedback -----------------------------------------------------------------------------


def check_may_notify(state: State) -> None:
    """The feedback notice says what came of it: it follows the work, or the refusal of it."""
    if state not in (State.FEEDBACK, State.EVALUATING):
        raise NoticeNotNow(state=state.value)


def check_correction(*, corrects: bool, reason: str | None) -> None:
    if corrects and not (reason or "").strip():
        raise CorrectionReasonRequired()
