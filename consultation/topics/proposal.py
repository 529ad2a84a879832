"""What a resident writes down when raising a topic, and the letter of a body that commissions one.
Value objects and their rules, no I/O."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from consultation.refusals import Invalid


class ScopeNotInCommunity(Invalid):
    """A topic lies in the community it is raised in, or in a place that contains it."""

    code = "scope-not-in-community"


class ConsentRequired(Invalid):
    """Who writes down a topic for a resident notes how the resident agreed (S25)."""

    code = "consent-required"


class ResidentNotVerified(Invalid):
    """A topic is written down for a verified resident of the grid worker's own grid."""

    code = "resident-not-verified"


class CommissionLetterRequired(Invalid):
    """A government body raises a topic by commissioning the consultation, in writing (S8)."""

    code = "commission-letter-required"


class CommissionNotYours(Invalid):
    """Only a government body commissions a consultation."""

    code = "commission-not-yours"


class Proposal(BaseModel):
    """The problem, the wish, the place and who is affected (T1). ``affected`` names groups, never
    people. Everything but the title may still be missing in a draft."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    title: str = Field(min_length=2, max_length=80)
    summary_plain: str = Field(default="", max_length=120)
    problem: str = Field(default="", max_length=4000)
    wish: str = Field(default="", max_length=4000)
    place: str = Field(default="", max_length=120)
    affected: list[str] = Field(default_factory=list, max_length=20)
    open_to_cosign: bool = False
    """Whether verified neighbours may read and co-sign it before it is accepted."""


class CommissionLetter(BaseModel):
    """征询函: what is asked, how far the community is free, until when an answer is wanted (S8)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    title: str = Field(min_length=2, max_length=120)
    question: str = Field(min_length=1, max_length=2000)
    freedom: str = Field(min_length=1, max_length=2000)
    reply_by: date


def letter_text(letter: CommissionLetter) -> str:
    return (
        f"征询事项:{letter.question}\n自主空间:{letter.freedom}\n"
        f"希望反馈时间:{letter.reply_by.isoformat()}"
    )


def proposal_text(*, problem: str, wish: str, place: str, affected: list[str]) -> str:
    """The proposal as it was submitted, for the file; later edits make another one."""
    return f"问题:{problem}\n诉求:{wish}\n地点:{place}\n涉及人群:{'、'.join(affected)}"


def check_consent(consent_note: str | None) -> str:
    if consent_note is None or not consent_note.strip():
        raise ConsentRequired()
    return consent_note.strip()
