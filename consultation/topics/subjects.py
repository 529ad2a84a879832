"""What a text may be about: facts on special groups of people are refused, wherever they stand."""

from consultation.refusals import Invalid


class ForbiddenSubject(Invalid):
    """Facts on special groups of people must never be stored (seed 四(五); PIPL 28)."""

    code = "forbidden-subject"


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


def check_subject(*texts: str) -> None:
    if any(word in text for text in texts for word in FORBIDDEN_WORDS):
        raise ForbiddenSubject()
