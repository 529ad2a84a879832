"""The words of a topic's life: states, acts, and what screening sorts a topic into. No logic."""

from enum import StrEnum


class State(StrEnum):
    DRAFT = "draft"  # 草稿
    SUBMITTED = "submitted"  # 已提交
    RETURNED = "returned"  # 退回补正
    ACCEPTED = "accepted"  # 已受理
    PREPARING = "preparing"  # 协商准备
    ANNOUNCED = "announced"  # 已公告
    DELIBERATING = "deliberating"  # 协商中
    OUTCOME_DRAFTING = "outcome_drafting"  # 形成协商意见
    VOTING = "voting"  # 表决中
    OUTCOME_PUBLIC = "outcome_public"  # 结果公示
    OBJECTION_REVIEW = "objection_review"  # 异议复核
    ADOPTION_PENDING = "adoption_pending"  # 待采纳
    ADOPTED = "adopted"  # 采纳
    PARTIALLY_ADOPTED = "partially_adopted"  # 部分采纳
    NOT_ADOPTED = "not_adopted"  # 未采纳
    IMPLEMENTING = "implementing"  # 实施中
    FEEDBACK = "feedback"  # 反馈
    EVALUATING = "evaluating"  # 评价中
    CLOSED = "closed"  # 办结归档
    REJECTED = "rejected"  # 不予受理
    WITHDRAWN = "withdrawn"  # 撤回
    MERGED = "merged"  # 并案
    TRANSFERRED = "transferred"  # 转办
    SUSPENDED = "suspended"  # 中止
    ESCALATED_TO_ASSEMBLY = "escalated_to_assembly"  # 提交居民(代表)会议
    RECONSULTATION = "reconsultation"  # 再协商
    NO_QUORUM = "no_quorum"  # 未达法定参与
    CORRECTED_BY_GOVERNMENT = "corrected_by_government"  # 依法纠正
    ANNULLED = "annulled"  # 被撤销


class Act(StrEnum):
    SUBMIT = "submit"
    RESUBMIT = "resubmit"
    RETURN = "return"
    ACCEPT = "accept"
    REJECT = "reject"
    UPHOLD_APPEAL = "uphold_appeal"
    MERGE = "merge"
    TRANSFER = "transfer"
    TAKE_BACK = "take_back"
    WITHDRAW = "withdraw"
    AGREE_WITHDRAWAL = "agree_withdrawal"
    PREPARE = "prepare"
    ANNOUNCE = "announce"
    OPEN_DELIBERATION = "open_deliberation"
    CLOSE_DELIBERATION = "close_deliberation"
    OPEN_VOTING = "open_voting"
    CONSENSUS = "consensus"
    PUBLISH_RESULT = "publish_result"
    FAIL_QUORUM = "fail_quorum"
    ANNUL_VOTE = "annul_vote"
    ESCALATE = "escalate"
    PREPARE_ASSEMBLY = "prepare_assembly"
    RECONSULT = "reconsult"
    OBJECT = "object"
    RULE_OBJECTION = "rule_objection"
    START_ADOPTION = "start_adoption"
    ADOPT = "adopt"
    ADOPT_PARTIALLY = "adopt_partially"
    NOT_ADOPT = "not_adopt"
    IMPLEMENT = "implement"
    REPORT = "report"
    ANSWER = "answer"
    EVALUATE = "evaluate"
    CLOSE = "close"
    SUSPEND = "suspend"
    RESUME = "resume"
    CHALLENGE = "challenge"
    CORRECT = "correct"
    ANNUL = "annul"


class Category(StrEnum):
    """The three kinds of content of the seed, 二(五)."""

    PUBLIC_INTEREST_DECISION = "public_interest_decision"
    VITAL_INTEREST_PROBLEM = "vital_interest_problem"
    RESIDENT_RAISED_MAJOR = "resident_raised_major"


class Layer(StrEnum):
    """The legal layer 事项层级: what an outcome can bind."""

    CONSULTATION = "consultation"  # 协商: binds nobody until adopted
    ASSEMBLY = "assembly"  # 居民(代表)会议、村民(代表)会议 resolution
    OWNERS = "owners"  # 业主共同决定, Civil Code art. 278


class Track(StrEnum):
    COMMUNITY = "community"  # Track A: the two committees carry it out
    COMMISSIONED = "commissioned"  # Track B: the commissioning government answers


class MatterList(StrEnum):
    """The two lists 两份清单 (seed 二(二)), and what is on neither."""

    SELF_GOVERNANCE = "self_governance"
    ASSIST_GOVERNMENT = "assist_government"
    OUTSIDE_LISTS = "outside_lists"


class Publication(StrEnum):
    """Who may read the reason and the document of a step."""

    AUTHOR = "author"  # who raised the topic, and the staff who carry it through
    EVERYBODY = "everybody"


class RejectionReason(StrEnum):
    """The only grounds on which a topic may be refused (T4)."""

    NOT_PUBLIC = "not_public"  # a private matter
    ALREADY_DECIDED = "already_decided"  # less than 12 months ago, without new facts
    IN_LEGAL_PROCESS = "in_legal_process"  # in court, petition or mediation
    UNLAWFUL_AIM = "unlawful_aim"
    PERSONAL_ATTACK = "personal_attack"
    OUTSIDE_SCOPE = "outside_scope"  # and no receiver for a transfer


class ReconsultationGround(StrEnum):
    """Why the community consults once more (T16)."""

    NEW_FACTS = "new_facts"
    CHANGED_PLAN = "changed_plan"
    PROCEDURAL_FAULT = "procedural_fault"


class StateGroup(StrEnum):
    """What a reader of the list looks for; every state but a draft belongs to one group."""

    SCREENING = "screening"
    CONSULTING = "consulting"
    DECIDING = "deciding"
    ADOPTING = "adopting"
    CARRYING_OUT = "carrying_out"
    ANSWERING = "answering"
    CLOSED = "closed"
    ENDED_OTHERWISE = "ended_otherwise"


class RequestState(StrEnum):
    """An affected resident's request to be added to the participants."""

    ASKED = "asked"
    GRANTED = "granted"
    DECLINED = "declined"


class TransferState(StrEnum):
    SENT = "sent"
    RECEIVED = "received"
    HANDLING = "handling"
    ANSWERED = "answered"
    RETURNED = "returned"  # the receiver says it is not theirs
    RELAYED_TO_AUTHOR = "relayed_to_author"
    RATED = "rated"


class TransferAct(StrEnum):
    RECEIVE = "receive"
    HANDLE = "handle"
    ANSWER = "answer"
    GIVE_BACK = "give_back"
    RELAY = "relay"
    RATE = "rate"


class DocumentKind(StrEnum):
    PROPOSAL = "proposal"
    RETURN_NOTE = "return_note"
    ACCEPTANCE_NOTE = "acceptance_note"
    REJECTION_NOTICE = "rejection_notice"
    APPEAL_DECISION = "appeal_decision"
    MERGE_NOTE = "merge_note"
    TRANSFER_SHEET = "transfer_sheet"
    TRANSFER_ANSWER = "transfer_answer"
    COMMISSION_LETTER = "commission_letter"
    PLAN = "plan"
    MATERIAL = "material"
    EXPERT_OPINION = "expert_opinion"
    NOTICE = "notice"  # 公示公告
    POLL_NOTICE = "poll_notice"
    MINUTES = "minutes"
    BALLOT_TEXT = "ballot_text"
    TALLY_SHEET = "tally_sheet"
    OUTCOME = "outcome"
    SUBMISSION_LETTER = "submission_letter"
    ADOPTION_DECISION = "adoption_decision"
    REPLY_LETTER = "reply_letter"
    IMPLEMENTATION_PLAN = "implementation_plan"
    COMPLETION_RECORD = "completion_record"
    ACCOUNTS = "accounts"
    FEEDBACK_NOTICE = "feedback_notice"
    GENERAL_EXPLANATION = "general_explanation"  # on different views, naming nobody
    SURVEY_RESULT = "survey_result"
    SURVEY_RESPONSE = "survey_response"
    RECONSULTATION_NOTE = "reconsultation_note"
    MOTION = "motion"
