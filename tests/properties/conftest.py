"""The running server of the live tests, here too."""

from tests.api.conftest import start, town

__all__ = ["start", "town"]
