"""The load that benches use answers for what it counts."""

from pathlib import Path

import anyio.to_thread
import pytest

from api.bench.machine import NoCompiler, get, load
from api.fake_wechat.server import build_fake
from api.server import serving


async def test_a_load_sends_each_request_once_and_tells_good_answers_from_bad(
    tmp_path: Path,
) -> None:
    asked = [get("/__fake__/outbox"), get("/nowhere"), get("/nowhere")] * 20
    async with serving(build_fake()) as url:
        port = int(url.rsplit(":", 1)[1])

        def run() -> object:
            return load(port, asked, connections=7, seconds=0, folder=tmp_path)

        try:
            seen = await anyio.to_thread.run_sync(run)
        except NoCompiler:
            pytest.skip("a C compiler is not installed")

    assert (seen.answered, seen.unchanged) == (60, 0)  # type: ignore[attr-defined]
    assert seen.fine + seen.failed == 60  # type: ignore[attr-defined]
    assert seen.failed >= 40  # type: ignore[attr-defined]
    assert seen.rate > 0  # type: ignore[attr-defined]
