"""PRESET FILES: the catalogue of rules in ``presets/*.toml``, and the stricter ones of a place.

A place may override a rule of the catalogue by a file of its own that names its ``id``, a later
``version`` and what differs. From its first day the catalogue's edition is no longer in force.
What is looser than the catalogue is refused (``strictness``), and the server does not start.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from consultation.polls.presets import Procedure, RulePreset
from consultation.polls.strictness import looser

_SOURCE = resources.files("consultation.polls").joinpath("presets")


class PresetsUnusable(Exception):
    """A rule file of this place cannot be used; the message names the file and says why."""


def presets() -> Mapping[str, RulePreset]:
    """All presets by ``id@version``, in that order."""
    return _in_use[0]


def procedures() -> Mapping[str, Procedure]:
    """All procedures by ``id@version``, in that order."""
    return _catalogue()[1]


def use_local(folder: Path | None) -> None:
    """From now on this process uses the catalogue with the overrides in ``folder``, or without any.
    Raises PresetsUnusable."""
    _in_use[0] = _catalogue()[0] if folder is None else override(_catalogue()[0], _read(folder))


def override(
    base: Mapping[str, RulePreset], local: Iterable[tuple[str, dict[str, Any]]]
) -> dict[str, RulePreset]:
    """``base`` with the files of a place: (name, content) each. Raises PresetsUnusable."""
    known = dict(base)
    for name, content in local:
        latest = max(
            (one for one in known.values() if one.id == content.get("id")),
            key=lambda one: one.version,
            default=None,
        )
        if latest is None:
            raise PresetsUnusable(f"{name}: there is no preset with this id to make stricter.")
        absent = {"version", "effective_from"} - content.keys()
        if absent:
            raise PresetsUnusable(f"{name}: {', '.join(sorted(absent))} missing.")
        try:
            own = RulePreset.model_validate(latest.model_dump() | content)
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}" for e in error.errors())
            raise PresetsUnusable(f"{name}: {said}") from None
        problems = looser(latest, own)
        if problems:
            raise PresetsUnusable(f"{name}: looser than {latest.key}: {', '.join(problems)}.")
        known[latest.key] = latest.model_copy(
            update={"effective_to": own.effective_from - timedelta(days=1)}
        )
        known[own.key] = own
    return _sorted(known.values())


def file_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one rule file: a preset or a procedure, with thresholds in words.
    It is kept as ``presets/schema.json``; ``python -m consultation.polls.preset_files`` writes it.
    """
    schema = TypeAdapter(RulePreset | Procedure).json_schema(ref_template="#/$defs/{model}")
    fraction = {"type": "string", "pattern": "^[1-9][0-9]*/[1-9][0-9]*$"}
    threshold = schema["$defs"]["Threshold"]
    sides = {name: threshold["properties"][name] for name in ("measure", "of")}
    schema["$defs"]["Threshold"] = {
        "title": "Threshold",
        "type": "object",
        "description": "at_least includes the bound (以上), more_than does not (过半数, 超过).",
        "properties": sides | {"at_least": fraction, "more_than": fraction},
        "required": ["measure", "of"],
        "oneOf": [{"required": ["at_least"]}, {"required": ["more_than"]}],
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _read(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """The files of a folder in the order of their versions, so that the later overrides."""
    if not folder.is_dir():
        raise PresetsUnusable(f"There is no folder {folder}.")
    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            found.append((path.name, tomllib.loads(path.read_text("utf-8"))))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PresetsUnusable(f"{path.name}: {error}") from None
    return sorted(found, key=lambda one: str(one[1].get("version", "")))


@cache
def _catalogue() -> tuple[dict[str, RulePreset], dict[str, Procedure]]:
    contents = [
        tomllib.loads(entry.read_text("utf-8"))
        for entry in _SOURCE.iterdir()
        if entry.name.endswith(".toml")
    ]
    rules = [RulePreset.model_validate(one) for one in contents if "steps" not in one]
    ways = [Procedure.model_validate(one) for one in contents if "steps" in one]
    return _sorted(rules), {way.key: way for way in sorted(ways, key=lambda way: way.key)}


def _sorted(rules: Iterable[RulePreset]) -> dict[str, RulePreset]:
    return {rule.key: rule for rule in sorted(rules, key=lambda rule: rule.key)}


_in_use: list[Mapping[str, RulePreset]] = [_catalogue()[0]]


if __name__ == "__main__":
    written = json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"
    Path(str(_SOURCE)).joinpath("schema.json").write_text(written, "utf-8")
