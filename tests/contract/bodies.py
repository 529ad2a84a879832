"""Smallest bodies and parameters that the contract accepts, made from its schemas."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

AN_ID = str(UUID(int=7, version=4))
FORMATS = {"uuid": AN_ID, "date": "2026-06-01", "date-time": "2026-06-01T09:00:00+08:00"}


# What the rules between fields ask for beyond the schema.
MORE: Mapping[str, Mapping[str, Any]] = {
    "AccountBarIn": {"phone": "13900000000"},
    "RoleIn": {"phone": "13900000000"},
    "VerificationIn": {"household_id": AN_ID},
    "HandItemIn": {"hands": {"for": 1}},
    "MandateIn": {"holder_phone": "13900000000"},
    "PaperEntryIn": {"unreadable": True},
}
PATTERNS = {
    "^1[3-9][0-9]{9}$": "13900000000",
    "^[0-9]{6}$": "000000",
    "^[0-9a-f]{64}$": "0" * 64,
    "^[a-z0-9_]{1,20}$": "for",
}


def smallest(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """A value that the schema accepts: what is required, and no more of it than is required."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        value = smallest(document["components"]["schemas"][name], document)
        return value | MORE[name] if name in MORE else value
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return smallest(schema[several][0], document)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", ())
            return {name: smallest(schema["properties"][name], document) for name in wanted}
        case "array":
            return [smallest(schema["items"], document)] * schema.get("minItems", 0)
        case "integer" | "number":
            return max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
        case "boolean":
            return True
        case "string" if "format" in schema:
            return FORMATS[schema["format"]]
        case "string" if "pattern" in schema:
            return PATTERNS[schema["pattern"]]
        case "string":
            return ("加装电梯方案" * 40)[
                : max(schema.get("minLength", 0), min(schema.get("maxLength", 12), 12))
            ]
        case "null":
            return None
    raise LookupError(schema)
