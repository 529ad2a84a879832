"""What ``minyi demo`` prints at the end: what to open, and who can be logged in as whom."""

from api.demo.stage import Stage


def welcome(stage: Stage, base: str, wechat: str, seconds: float) -> str:
    return f"演示社区已就绪,用时 {seconds:.0f} 秒:{base}"
