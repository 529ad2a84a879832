"""The verifier as it lies in client-spec: loaded by its path, for it is in no package."""

import importlib.util
import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from api.evidence import VERIFIER, write_files


@cache
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("minyi_verify", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def failing(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    notice: str | None = None,
    receipts: Sequence[Mapping[str, Any]] = (),
    heads: Sequence[Mapping[str, Any]] = (),
) -> dict[str, str]:
    """The checks that these files fail, each with its problem."""
    write_files(folder / "pack", files)

    def written(name: str, values: Sequence[Mapping[str, Any]]) -> list[Path]:
        paths = [folder / f"{name}-{index}.json" for index in range(len(values))]
        for path, value in zip(paths, values, strict=True):
            path.write_text(json.dumps(value))
        return paths

    options = Namespace(
        notice=notice, receipt=written("receipt", receipts), previous_head=written("head", heads)
    )
    done, _ = module().verify(folder / "pack", options)
    return {one["check"]: one["why"] for one in done if one["state"] == "fail"}
