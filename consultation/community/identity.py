"""THE RULES OF IDENTITY: how an account becomes a person whom the community knows.

Level 1 is a WeChat account with a bound phone; level 2 was checked against the register, by a
grid worker or because the register holds the same phone (domain section 5; one of the several
ways the 国家网络身份认证公共服务 rules of 2025 ask for, none of them a face). What was shown as
proof is not kept, only that it was checked, how, when and by whom (PIPL arts. 6 and 19).
"""

import re
from enum import StrEnum

from consultation.refusals import AlreadyDone, Invalid, NotNow, NotPermitted


class VerificationMethod(StrEnum):
    """How a residence came to level 2."""

    REGISTER = "register"
    PHONE_MATCH = "phone_match"
    GRID_WORKER = "grid_worker"


class PhoneInUse(AlreadyDone):
    """Another account has bound this phone, and no register knows whose it is. A grid worker who
    verifies either of them settles it."""

    code = "phone-in-use"


class PhoneNotBound(NotNow):
    """A residence is claimed with a bound phone."""

    code = "phone-not-bound"


class NameMissing(Invalid):
    """The first claim must say who claims."""

    code = "name-missing"


class ResidenceAlreadyVerified(AlreadyDone):
    code = "residence-already-verified"


class ClaimAlreadyDecided(AlreadyDone):
    """Somebody has verified or refused the claim."""

    code = "claim-already-decided"


class CannotVerifyOneself(NotPermitted):
    code = "cannot-verify-oneself"


class HomeNotHere(Invalid):
    """The household or unit is not in the claim's community, or not in the own grid."""

    code = "home-not-here"


class NotOfThisHome(Invalid):
    """The registered person neither owns the unit nor represents the household."""

    code = "not-of-this-home"


class AccountNotProvisional(NotNow):
    """The account is itself a person whom the community knows, by register, verification or
    role, and may have voted as such: it cannot become another one."""

    code = "account-not-provisional"


class AccountJoined(NotNow):
    """The account has become a registered person since this access token was issued; a refresh
    brings one for that person."""

    code = "account-joined"


def phone_text(country_code: str, number: str) -> str:
    """One spelling per number: bare digits in China (as in registers), ``+852…`` abroad."""
    digits = re.sub(r"\D", "", number)
    return digits if country_code in ("", "86") else f"+{country_code}{digits}"


def mask_phone(phone: str) -> str:
    """199****0001: enough for its owner to recognise."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else f"****{phone[-2:]}"
