"""A real server without a model: everything is answered by test mode, at once unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import Running, start_app

# Limits that no test meets by accident.
PLANS = """
[plans.business]
requests_per_minute = 1000000
tokens_per_day = 1000000000
concurrent_requests = 1000
test_requests_per_minute = 1000000
test_concurrent_requests = 1000
"""
# The vision model ships switched off.
MODELS = """
[models.llava-7b]
enabled = true
"""


@dataclass(frozen=True)
class Started:
    """A running server and a test key for it."""

    server: Running
    key: str

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/v1"


def start(folder: Path, models: str = MODELS, **settings: Any) -> Started:
    """gunicorn with a test key of the largest plan; stop it with `with started.server:`. No Ollama is reachable."""
    instance = folder / "instance"
    instance.mkdir(parents=True, exist_ok=True)
    (instance / "plans.toml").write_text(PLANS, encoding="utf-8")
    (instance / "models.toml").write_text(models, encoding="utf-8")
    server = start_app(folder, "http://127.0.0.1:9", **({"test_mode_pieces_per_s": 0} | settings))
    return Started(server, server.key("test", "sdk", "--plan", "business"))
