"""Settings: from the environment, checked, and documented by the rows themselves."""

import re

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


# A setting, a value it does not take, and a part of what the refusal says is allowed.
WRONG = (
    ("PORT", "eight", "a whole number from 1 to 65535"),
    ("PORT", "0", "a whole number from 1 to 65535"),
    ("PORT", "80.5", "a whole number from 1 to 65535"),
    ("PORT", "", "a whole number from 1 to 65535"),
    ("HOST", "127.0.0.1:8000", "host name or IP address"),
    ("HOST", "999.0.0.1", "host name or IP address"),
    ("HOST", "two words", "host name or IP address"),
    ("PUBLIC_URL", "example", "URL that begins with http:// or https://"),
    ("PUBLIC_URL", "ftp://example.org", "URL that begins with http:// or https://"),
    ("PUBLIC_URL", "https://example.org?a=b", "URL that begins with http:// or https://"),
    ("PUBLIC_URL", "llm.example.org", "set it to http://llm.example.org."),
    ("TRUSTED_PROXIES", "-1", "a whole number from 0 to 16"),
    ("SUPPORT_EMAIL", "help", "e-mail address"),
    ("SECURITY_CONTACT", "http://example.org", "e-mail address or https URL"),
    ("OPERATOR_SECOND_FACTOR", "yes", "warn or require"),
    ("ENVIRONMENT", "prod", "development or production"),
    ("INSTANCE_DIR", "", "folder"),
    ("WORKERS", "0", "a whole number from 1 to 256"),
    ("WORKER_CONNECTIONS", "0", "a whole number from 1 to 1000000"),
    ("CONNECTIONS_PER_ADDRESS", "-1", "a whole number from 0 to 1000000"),
    ("GRACEFUL_TIMEOUT_S", "-5", "seconds, a whole number from 1 to 86400"),
    ("OLLAMA_URL", "not a url", "URL that begins with http:// or https://"),
    ("OLLAMA_URL", "", "URL that begins with http:// or https://"),
    ("OLLAMA_URL", "http://", "URL that begins with http:// or https://"),
    ("OLLAMA_URL", "http://127.0.0.1:99999", "URL that begins with http:// or https://"),
    ("OLLAMA_URL", "http://[::1", "URL that begins with http:// or https://"),
    ("OLLAMA_URL", "127.0.0.1:11434", "set it to http://127.0.0.1:11434."),
    ("OLLAMA_URL", "ollama:11434/v1/", "set it to http://ollama:11434."),
    ("OLLAMA_URL", "localhost", "set it to http://localhost."),
    ("OLLAMA_URL", "http://127.0.0.1:11434/v1", "set it to http://127.0.0.1:11434."),
    ("OLLAMA_URL", "http://127.0.0.1:11434/v1/", "set it to http://127.0.0.1:11434."),
    ("OLLAMA_URL", "https://ollama.example.org/a/api", "set it to https://ollama.example.org/a."),
    ("OLLAMA_CONNECT_TIMEOUT_S", "0", "seconds, 0.1 to 3600"),
    ("OLLAMA_SILENCE_TIMEOUT_S", "inf", "seconds, 0.1 to 86400"),
    ("OLLAMA_QUEUE_TIMEOUT_S", "nan", "seconds, 0.1 to 86400"),
    ("PING_INTERVAL_S", "0", "seconds, 0.1 to 3600"),
    ("PING_INTERVAL_S", "15s", "seconds, 0.1 to 3600"),
    ("IMAGE_URLS", "maybe", "true or false"),
    ("MAX_BODY_BYTES", "0", "bytes, a whole number from 1024 to 1073741824"),
    ("MAX_BODY_BYTES", "10MB", "bytes, a whole number from 1024 to 1073741824"),
    ("BODY_TIMEOUT_S", "-1", "seconds, 0.1 to 3600"),
    ("WRITE_TIMEOUT_S", "0", "seconds, 0.1 to 3600"),
    ("TEST_MODE_PIECES_PER_S", "-1", "pieces per second, 0 to 1000000"),
    ("SMTP_HOST", "smtp://mail.example.org", "host name or IP address"),
    ("SMTP_SECURITY", "ssl", "starttls, tls or none"),
    ("MAIL_FROM", "LLMRack", "e-mail address"),
    ("MAIL_FROM", "a@b.example\nBcc: c@d.example", "e-mail address"),
    ("STRIPE_API_URL", "api.stripe.com", "set it to http://api.stripe.com."),
    ("LOG_LEVEL", "loud", "debug, info, warning or error"),
)


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG)
def test_a_wrong_setting_is_one_sentence_with_its_name_the_value_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        load({f"LLMRACK_{name}": value})
    said = str(caught.value)
    assert said.startswith(f"LLMRACK_{name}={value!r} is not valid: it takes "), said
    assert allowed in said
    assert said.endswith(".")
    assert not re.search(r"\n|\. [A-Z]", said)


SECRETS = (
    ("SECRET_KEY", "hunter2hunter2hunter2hunter2", "32 characters or more; make one with python3 -c"),
    ("DATABASE_URL", "postgres://u:hunter2@h/d", "such as postgresql+psycopg://user:password@host/llmrack"),
    ("DATABASE_URL", "postgresql+pg8000://u:hunter2@h/d", "begins with postgresql+psycopg://, sqlite:// or"),
    ("DATABASE_URL", "postgresql+psycopg://u:hunter2@h:port/d", "postgresql+psycopg://user:password@host/llmrack"),
    ("DATABASE_URL", "hunter2", "postgresql+psycopg://user:password@host/llmrack"),
    ("REDIS_URL", "memory://hunter2", "such as redis://127.0.0.1:6379/0"),
    ("REDIS_URL", "redis://:hunter2@h:99999/0", "such as redis://127.0.0.1:6379/0"),
    ("STRIPE_SECRET_KEY", "pk_hunter2", "sk_... or rk_..."),
    ("STRIPE_WEBHOOK_SECRET", "hunter2", "whsec_..."),
    ("OLLAMA_URL", "http://me:hunter2@127.0.0.1:11434", "leave out the name and the password"),
    ("OLLAMA_URL", "me:hunter2@127.0.0.1:11434/v1", "URL that begins with http:// or https://"),
)


@pytest.mark.parametrize(("name", "value", "allowed"), SECRETS)
def test_a_wrong_setting_never_repeats_a_secret(name: str, value: str, allowed: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load({f"LLMRACK_{name}": value})
    said = str(caught.value)
    assert said.startswith(f"LLMRACK_{name}=")
    assert "(secret)" in said
    assert "hunter2" not in said
    assert allowed in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "::"),
        ("HOST", "my_machine.local"),
        ("PUBLIC_URL", "https://llm.example.org/"),
        ("PUBLIC_URL", "http://[::1]:8000"),
        ("OLLAMA_URL", "http://ollama:11434"),
        ("OLLAMA_URL", "https://gpu.example.org/ollama/"),
        ("SECRET_KEY", "s" * 32),
        ("SECRET_KEY", ""),
        ("DATABASE_URL", "postgresql+psycopg://u:p#%40/w@[::1]:5432/d?sslmode=require"),
        ("DATABASE_URL", "postgresql+psycopg:///d?host=/run/postgresql"),
        ("DATABASE_URL", "sqlite:////var/lib/llmrack/llmrack.db"),
        ("REDIS_URL", "rediss://:p@cache.example.org:6380/1"),
        ("REDIS_URL", "redis+unix:///run/redis.sock"),
        ("MAIL_FROM", "Help <help@example.org>"),
        ("LOG_LEVEL", "INFO"),
        ("STRIPE_SECRET_KEY", "rk_live_1"),
    ],
)
def test_values_that_a_server_can_work_with_are_taken(name: str, value: str) -> None:
    assert getattr(load({f"LLMRACK_{name}": value}), name.lower()) in (value, value.lower())


def test_every_default_is_a_value_that_its_row_takes() -> None:
    for row in settings.SETTINGS:
        if row.default != "":
            row.takes.check(row.default)
            assert row.takes.read(str(row.default)) == row.default


def test_overrides_are_held_to_the_same_rules() -> None:
    with pytest.raises(BadSetting, match="LLMRACK_PING_INTERVAL_S='0' is not valid"):
        load({}, {"ping_interval_s": 0})


def test_a_mistyped_name_stops_the_start() -> None:
    with pytest.raises(BadSetting, match="LLMRACK_PROT is not a setting"):
        load({"LLMRACK_PROT": "1"})


def test_port_and_host_of_a_hosting_platform_are_taken_where_ours_are_absent() -> None:
    values = load({"PORT": "5000", "HOST": "0.0.0.0"})
    assert (values.port, values.host) == (5000, "0.0.0.0")
    values = load({"PORT": "5000", "HOST": "::", "LLMRACK_PORT": "9000", "LLMRACK_HOST": "127.0.0.2"})
    assert (values.port, values.host) == (9000, "127.0.0.2")
    with pytest.raises(BadSetting, match="^PORT='tcp' is not valid"):
        load({"PORT": "tcp"})


@pytest.mark.parametrize("name", ["laptop", "x86_64-conda-linux-gnu", ""])
def test_what_shells_and_build_tools_put_into_host_is_no_address(name: str) -> None:
    assert load({"HOST": name, "PORT": ""}).host == "127.0.0.1"


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(BadSetting, match="prot"):
        load({}, {"prot": 1})


def test_what_clients_read_from_the_same_environment_is_no_setting() -> None:
    load({"LLMRACK_API_KEY": "x", "LLMRACK_BASE_URL": "y"})


def test_the_example_file_lists_exactly_the_rows() -> None:
    shown = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert shown == settings.example(), "run: .venv/bin/flask settings --example > .env.example"
