"""Settings: from the environment, checked, and documented by the rows themselves."""

import pytest

from llmrack import settings
from llmrack.settings import ROOT, BadSetting, load


def test_the_defaults_need_no_environment() -> None:
    values = load({})
    assert (values.host, values.port, values.workers) == ("127.0.0.1", 8000, 1)


def test_the_environment_wins_over_defaults_and_overrides_win_over_both() -> None:
    environ = {"LLMRACK_PORT": " 9000 ", "LLMRACK_PING_INTERVAL_S": "0.5", "PATH": "/bin"}
    values = load(environ, {"port": 1})
    assert (values.port, values.ping_interval_s) == (1, 0.5)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"LLMRACK_PORT": "eight"}, "LLMRACK_PORT='eight'.*it takes port"),
        ({"LLMRACK_PROT": "1"}, "LLMRACK_PROT is not a setting"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        load(environ)


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(BadSetting, match="prot"):
        load({}, {"prot": 1})


def test_what_clients_read_from_the_same_environment_is_no_setting() -> None:
    load({"LLMRACK_API_KEY": "x", "LLMRACK_BASE_URL": "y"})


def test_the_example_file_lists_exactly_the_rows() -> None:
    shown = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert shown == settings.example(), "run: .venv/bin/flask settings --example > .env.example"
