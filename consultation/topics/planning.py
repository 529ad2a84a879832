"""THE RULES OF PREPARING: what a plan must be, who may host and tell, what is frozen when, which
documents the file of a topic takes. No I/O."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from consultation.meetings.rules import Form
from consultation.permissions import Role
from consultation.polls.preset_files import presets
from consultation.refusals import AlreadyDone, Invalid, NotNow
from consultation.topics.plan import Plan
from consultation.topics.rules import TERMINAL
from consultation.topics.states import DocumentKind, Layer, RequestState, State


class PlanFrozen(NotNow):
    """A plan is written while the topic is prepared; from the announcement on it stays as it is
    (domain 3.4, 2)."""

    code = "plan-frozen"


class NoPlanYet(NotNow):
    code = "no-plan-yet"


class FormUnknown(Invalid):
    code = "form-unknown"


class GroupNamedTwice(Invalid):
    code = "group-named-twice"


class PresetUnsuitable(Invalid):
    """The preset is unknown, of another layer than the topic, or not in force."""

    code = "preset-unsuitable"


class OfficerUnsuitable(Invalid):
    """A host or teller holds that role here, has no interest in the matter and did not raise it
    (domain 5)."""

    code = "officer-unsuitable"


class ParticipantsSettled(NotNow):
    """One asks to be added while the plan is being made."""

    code = "participants-settled"


class RequestAlreadyAnswered(AlreadyDone):
    code = "request-already-answered"


class ExtensionAlreadyUsed(AlreadyDone):
    """A deliberation is extended once, with a reason (T10)."""

    code = "deliberation-already-extended"


class ExtensionNotLater(Invalid):
    code = "extension-not-later"


class ExtensionNotNow(NotNow):
    code = "deliberation-extension-not-now"


class FileClosed(NotNow):
    """No more documents are added to a topic that has come to its end."""

    code = "file-closed"


class DocumentKindNotAllowed(Invalid):
    """Other kinds are filed by the steps they belong to."""

    code = "document-kind-not-allowed"


class DocumentSuperseded(NotNow):
    """There is a newer version; that one is corrected."""

    code = "document-superseded"


HOSTS = frozenset({Role.HOST, Role.CLERK, Role.PARTY_SECRETARY})
OFFICERS = HOSTS | {Role.TELLER}

ADDABLE = frozenset(
    {DocumentKind.MATERIAL, DocumentKind.EXPERT_OPINION, DocumentKind.COMMISSION_LETTER}
)
BOUND = frozenset(
    {
        DocumentKind.PROPOSAL,
        DocumentKind.PLAN,
        DocumentKind.MINUTES,
        DocumentKind.BALLOT_TEXT,
        DocumentKind.TALLY_SHEET,
        DocumentKind.OUTCOME,
        DocumentKind.ADOPTION_DECISION,
        DocumentKind.REPLY_LETTER,
        DocumentKind.SURVEY_RESULT,
    }
)
"""What others have signed, confirmed or voted on is not corrected from outside: its own area
makes the next version, if any."""
UNPUBLISHED_UNTIL_ANNOUNCED = frozenset({DocumentKind.MATERIAL, DocumentKind.EXPERT_OPINION})
TO_AUTHOR = frozenset(
    {
        DocumentKind.PROPOSAL,
        DocumentKind.RETURN_NOTE,
        DocumentKind.REJECTION_NOTICE,
        DocumentKind.APPEAL_DECISION,
        DocumentKind.MERGE_NOTE,
        DocumentKind.TRANSFER_SHEET,
        DocumentKind.COMMISSION_LETTER,
    }
)
"""Documents that the author reads even while they are not public."""


def plan_digest(plan: Plan) -> str:
    """SHA-256 over the plan's canonical JSON (sorted keys, no spaces, UTF-8)."""
    content = plan.model_dump(mode="json")
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def plan_text(plan: Plan) -> str:
    """The announced plan as a document for the board; times and forms stand in the notice."""
    groups = "、".join(group.name for group in plan.groups if group.invited)
    return f"{plan.text}\n参加人员:{groups}\n协商截止:{plan.deliberation_ends.isoformat()}"


def check_preparing(state: State) -> None:
    if state is not State.PREPARING:
        raise PlanFrozen(state=state.value)


def check_plan(plan: Plan, *, layer: Layer | None, on: date) -> None:
    """The forms exist, no group stands twice, and the preset is of the topic's layer and in force
    on the day."""
    unknown = sorted({form.form for form in plan.forms} - set(Form))
    if unknown:
        raise FormUnknown(forms=unknown)
    names = [group.name for group in plan.groups]
    if len(set(names)) < len(names):
        raise GroupNamedTwice()
    if plan.poll_preset is None:
        return
    preset = presets().get(plan.poll_preset)
    if preset is None:
        raise PresetUnsuitable(reason="unknown")
    if preset.layer is not layer:
        raise PresetUnsuitable(reason="layer")
    if not preset.effective_on(on):
        raise PresetUnsuitable(reason="not_in_force")


def check_officers(
    plan: Plan, *, roles: Mapping[UUID, Collection[Role]], interested: Collection[UUID]
) -> None:
    """``roles``: what the named people are at the topic. ``interested``: who declared an interest,
    and the author."""
    for office, named, allowed in (
        ("host", plan.host_ids, HOSTS),
        ("teller", plan.teller_ids, frozenset({Role.TELLER})),
    ):
        for person in named:
            if not allowed & set(roles.get(person, ())):
                raise OfficerUnsuitable(office=office, reason="role_not_held")
            if person in interested:
                raise OfficerUnsuitable(office=office, reason="interest")


def check_extension(
    state: State, *, planned: date, extended_to: date | None, wanted: date, today: date
) -> None:
    if state is not State.DELIBERATING:
        raise ExtensionNotNow(state=state.value)
    if extended_to is not None:
        raise ExtensionAlreadyUsed()
    if wanted <= planned or wanted < today:
        raise ExtensionNotLater()


def check_asking(state: State) -> None:
    if state is not State.PREPARING:
        raise ParticipantsSettled(state=state.value)


def check_unanswered(state: RequestState) -> None:
    if state is not RequestState.ASKED:
        raise RequestAlreadyAnswered()


_NOT_ANNOUNCED = frozenset(
    {
        State.DRAFT,
        State.SUBMITTED,
        State.RETURNED,
        State.ACCEPTED,
        State.PREPARING,
        State.RECONSULTATION,
        State.ESCALATED_TO_ASSEMBLY,
    }
)


def check_addable(kind: DocumentKind, state: State) -> None:
    if kind not in ADDABLE:
        raise DocumentKindNotAllowed(kind=kind.value)
    if state in TERMINAL or state is State.REJECTED:
        raise FileClosed(state=state.value)


def public_at_once(kind: DocumentKind, state: State, *, was_public: bool) -> bool:
    """What prepares a consultation becomes public with its announcement, the rest with the
    topic."""
    waits = kind in UNPUBLISHED_UNTIL_ANNOUNCED and state in _NOT_ANNOUNCED
    return was_public and not waits


def check_correctable(kind: DocumentKind) -> None:
    if kind in BOUND:
        raise DocumentKindNotAllowed(kind=kind.value)
