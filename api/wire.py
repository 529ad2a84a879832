"""Base classes of what travels. Bodies refuse unknown fields; rows never travel themselves."""

from pydantic import BaseModel, ConfigDict


class WireIn(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class WireOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
