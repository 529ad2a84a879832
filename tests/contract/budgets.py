"""The most SQL statements that a request may use, by route; never more than a constant, however
many people, posts or ballots there are. ``.pytest_cache/v/minyi/statements`` has what the last run
of the suite used."""

from collections.abc import Mapping

BUDGETS: Mapping[str, int] = {"healthz": 0, "readyz": 4}
