"""What a bench says of itself, and when it fails."""

import json

from api.bench.report import Report


def test_a_ratio_is_the_median_of_its_turns_and_a_missed_goal_shows() -> None:
    report = Report("sample", runs=3)
    for ours, theirs in ((90, 100), (330, 110), (100, 80)):
        report.note("ours", rate=ours)
        report.note("theirs", rate=theirs)
    report.compare("as fast", "ours", "theirs", "rate", least=1.0)
    assert report.ok
    report.at_most("bytes", 9000, 8192)
    assert not report.ok

    document = json.loads(report.as_json())
    assert document["bench"] == "sample"
    assert document["runs"] == 3
    assert document["goals"] == [
        {"name": "as fast", "ratio": 1.25, "goal": 1.0, "ok": True},
        {"name": "bytes", "ratio": 9000, "goal": 8192, "ok": False},
    ]
    assert document["figures"]["ours"]["rate"] == {"median": 100, "runs": [90, 330, 100]}
    assert report.lines()[-1].startswith("✗ bytes")
