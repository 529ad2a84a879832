"""THE RULES OF A TRANSFER 转办: to whom a matter goes, and who does what with it next. No I/O."""

from consultation.community.tables import OrgKind
from consultation.refusals import Invalid, NotNow, NotPermitted
from consultation.topics.states import TransferAct, TransferState


class ReceiverUnsuitable(Invalid):
    """A matter goes to a body that is competent for this place (T6)."""

    code = "receiver-unsuitable"


class TransferStepNotAllowed(NotNow):
    code = "transfer-step-not-allowed"


class NotTheReceiver(NotPermitted):
    """Only the receiver deals with a transfer. Community staff may enter the answer of a body
    that has nobody here, from its ticket."""

    code = "not-the-receiver"


RECEIVERS = frozenset(
    {
        OrgKind.CITY_GOVERNMENT,
        OrgKind.DISTRICT_GOVERNMENT,
        OrgKind.DEPARTMENT,
        OrgKind.SUBDISTRICT_OFFICE,
        OrgKind.TOWN_GOVERNMENT,
        OrgKind.HOTLINE,
        OrgKind.POLICE,
        OrgKind.MEDIATION,
        OrgKind.PETITION_OFFICE,
        OrgKind.OWNERS_ASSEMBLY,
        OrgKind.OWNERS_COMMITTEE,
        OrgKind.PROPERTY_MGMT_COMMITTEE,
    }
)

_S, _A = TransferState, TransferAct
PENDING = (_S.SENT, _S.RECEIVED, _S.HANDLING)
TRANSFER_NEXT = {
    (_S.SENT, _A.RECEIVE): _S.RECEIVED,
    (_S.RECEIVED, _A.HANDLE): _S.HANDLING,
    **{(state, _A.ANSWER): _S.ANSWERED for state in PENDING},
    **{(state, _A.GIVE_BACK): _S.RETURNED for state in PENDING},
    (_S.ANSWERED, _A.RELAY): _S.RELAYED_TO_AUTHOR,
    (_S.RELAYED_TO_AUTHOR, _A.RATE): _S.RATED,
}


def transfer_after(state: TransferState, act: TransferAct) -> TransferState:
    target = TRANSFER_NEXT.get((state, act))
    if target is None:
        raise TransferStepNotAllowed(state=state.value, act=act.value)
    return target


def check_receiver(kind: OrgKind, *, org_path: str, org_community: bool, topic_path: str) -> None:
    """``org_community``: the organisation belongs to the topic's own community. One that does not
    must stand above the place of the matter."""
    if kind not in RECEIVERS:
        raise ReceiverUnsuitable(org_kind=kind.value)
    if not org_community and not topic_path.startswith(org_path):
        raise ReceiverUnsuitable(org_kind=kind.value)
