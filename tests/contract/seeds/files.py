"""What lies in the file of a topic: photo, papers, rejection, transfer, request, interest."""

from uuid import UUID, uuid4

from consultation.database import Database
from consultation.deliberation.photo_tables import Photo, PhotoState
from consultation.topics.states import DocumentKind, RejectionReason, RequestState, TransferState
from consultation.topics.tables import (
    Document,
    InterestDeclaration,
    ParticipantRequest,
    Rejection,
    Topic,
    Transfer,
)
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    document, secret, rejection, transfer, request, photo = (uuid4() for _ in range(6))
    async with db.begin() as tx:
        tx.session.add(
            Photo(
                id=photo,
                community_id=topic.community_id,
                topic_id=topic.id,
                author_id=topic.author_id,
                source_sha256="0" * 64,
                sha256="0" * 64,
                width=1,
                height=1,
                alt=f"{SECRET}照片",
                state=PhotoState.WAITING,
                created_at=tx.now,
            )
        )
        for id, public, body in ((document, True, "公告"), (secret, False, f"{SECRET}材料")):
            tx.session.add(
                Document(
                    id=id,
                    community_id=topic.community_id,
                    topic_id=topic.id,
                    series_id=id,
                    kind=DocumentKind.NOTICE,
                    round=1,
                    title=body,
                    body=body,
                    content_hash="0" * 64,
                    public=public,
                    author_id=world.id("clerk"),
                    created_at=tx.now,
                )
            )
        tx.session.add(
            Rejection(
                id=rejection,
                community_id=hidden.community_id,
                topic_id=hidden.id,
                reason_code=next(iter(RejectionReason)),
                reason=f"{SECRET}理由",
                proposed_by_id=world.id("clerk"),
                proposed_at=tx.now,
            )
        )
        tx.session.add(
            Transfer(
                id=transfer,
                community_id=hidden.community_id,
                topic_id=hidden.id,
                receiver_org_id=world.orgs["enforcement"].id,
                state=TransferState.SENT,
                reason=f"{SECRET}转办",
                sent_by_id=world.id("clerk"),
                sent_at=tx.now,
            )
        )
        tx.session.add(
            ParticipantRequest(
                id=request,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                person_id=world.id("resident6"),
                group_name="租户",
                reason=f"{SECRET}申请",
                state=RequestState.ASKED,
                at=tx.now,
            )
        )
        tx.session.add(
            InterestDeclaration(
                topic_id=topic.id,
                person_id=world.id("teller1"),
                community_id=topic.community_id,
                has_interest=True,
                note=f"{SECRET}利益",
                at=tx.now,
            )
        )
    return {
        "photo_id": photo,
        "document_id": document,
        "rejection_id": rejection,
        "transfer_id": transfer,
        "request_id": request,
    }
