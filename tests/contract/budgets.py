"""The most SQL statements that a request may use, by route; never more than a constant, however
many people, posts or ballots there are. ``.pytest_cache/v/minyi/statements`` has what the last run
of the suite used."""

from collections.abc import Mapping

BUDGETS: Mapping[str, int] = {
    "healthz": 0,
    "readyz": 4,
    "log_in_with_wechat": 15,
    "refresh_session": 6,
    "log_out": 2,
    "get_me": 4,
    "bind_phone": 21,
    "list_my_sessions": 2,
    "end_my_session": 2,
    "claim_residence": 9,
    "list_residence_claims": 4,
    "find_homes_for_claim": 7,
    "verify_residence_claim": 22,
    "refuse_residence_claim": 6,
}
