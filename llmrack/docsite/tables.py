"""Tables in Markdown, each filled from the data that the program itself runs on."""

from __future__ import annotations

from collections.abc import Callable

from .. import errors, permissions
from .. import settings as setting_rows
from ..catalog import CATEGORIES, Model
from ..money import usd_per_million
from ..monitoring.rows import METRICS
from ..settings import Setting
from ..wire.json_schema import patterns, reading
from ..wire.json_schema.time_budget import STRETCH_S
from ..wire.json_schema.validation import CHECK_S
from ..wire.openapi import headers
from ..wire.openapi.operations import OPERATIONS
from .cells import markdown
from .facts import Facts, code_list
from .fieldtables import field_support, parameters, reference
from .headings import slug

BADGES = {
    "tools": "Tools",
    "json": "JSON",
    "vision": "Vision",
    "embeddings": "Embeddings",
    "reasoning": "Reasoning",
    "insert": "Insert",
}
# What a category is chosen for.
BEST_FOR = {
    "General": ("General purpose", "Everyday tasks, chat, writing"),
    "Code": ("Code", "Programming and code review"),
    "Reasoning": ("Reasoning", "Problems with many steps"),
    "Vision": ("Vision", "Understanding images"),
    "Embeddings": ("Embeddings", "Vector search, RAG, clustering"),
}


def size(tokens: int) -> str:
    """A context window as people write it: 131072 is "128k", 128000 too."""
    if tokens % 1024 == 0:
        return f"{tokens // 1024}k"
    return f"{tokens // 1000}k" if tokens % 1000 == 0 else f"{tokens:,}"


def usd(amount: object) -> str:
    text = f"{amount:f}"
    return f"${text.rstrip('0').rstrip('.') if '.' in text else text}"


def input_price(model: Model) -> str:
    return f"${usd_per_million(model.input_nanousd)}"


def output_price(model: Model) -> str:
    """An embedding model writes nothing that could have a price."""
    return "–" if model.is_embedding else f"${usd_per_million(model.output_nanousd)}"


def schema_limits(_: Facts) -> str:
    """What the JSON Schemas of one request may be."""
    rows = [
        ("One schema", f"{reading.MAX_SIZE:,} characters of names and strings, each part counting one"),
        ("All schemas of `tools`", f"{reading.MAX_TOTAL_SIZE:,} characters"),
        ("Levels", f"{reading.MAX_DEPTH}"),
        ("Members of one list, such as an `enum`", f"{reading.MAX_LIST:,}"),
        ("Numbers", f"whole numbers of 64 bits, others up to {reading.MAX_NUMBER:.0e}"),
        ("Patterns", f"{reading.MAX_PATTERNS}, enforced up to {patterns.MAX_PATTERN:,} characters each"),
        ("Time to read them", f"{STRETCH_S * 1000:.0f} ms of processor time"),
        ("Time to check one answer", f"{CHECK_S * 1000:.0f} ms of processor time"),
    ]
    return markdown(("What", "At most"), rows)


def models(facts: Facts) -> str:
    head = ("Model id", "Params", "Weights", "Context", "Window here", "In $/1M", "Out $/1M", "Can")
    return markdown(
        head,
        (
            (
                f"`{model.id}`",
                model.parameters,
                model.quantization,
                size(model.context_tokens),
                f"{model.num_ctx:,}",
                input_price(model),
                output_price(model),
                ", ".join(BADGES[name] for name in model.capabilities),
            )
            for model in facts.catalog
        ),
    )


def categories(facts: Facts) -> str:
    """Every category with the models offered here, and those an operator can switch on."""
    rows = []
    for category in CATEGORIES:
        label, best_for = BEST_FOR[category]
        mine = [model for model in facts.catalog.all if model.category == category]
        here = code_list(model.id for model in mine if model.enabled) or "–"
        rows.append((label, here, ", ".join(model.name for model in mine if not model.enabled) or "–", best_for))
    return markdown(("Category", "On this server", "Can be switched on", "Best for"), rows)


def plans(facts: Facts) -> str:
    head = ("Tier", "Requests / min", "Tokens / day", "Tokens / min", "Parallel", "Monthly")
    return markdown(
        head,
        (
            (
                f"**{plan.name}** {plan.for_whom}",
                f"{plan.requests_per_minute:,}",
                _limit(plan.tokens_per_day),
                _limit(plan.tokens_per_minute),
                f"{plan.concurrent_requests:,}",
                usd(plan.usd_per_month) + (" + tokens" if plan.is_prepaid else ""),
            )
            for plan in facts.plans.public
        ),
    )


def _limit(tokens: int | None) -> str:
    return "–" if tokens is None else f"{tokens:,}"


def error_types(facts: Facts) -> str:
    return markdown(
        ("HTTP", "Type", "When"),
        ((f"[{row.status}](/docs/errors#{row.status}-{row.type})", f"`{row.type}`", row.when) for row in errors.ERRORS),
    )


def error_codes(facts: Facts) -> str:
    """Every code, linked to its section. A code of two types has one section."""
    return markdown(
        ("Code", "HTTP", "When"),
        (
            (f"[`{code}`](/docs/errors#{code})", str(row.status), when)
            for row in errors.ERRORS
            for code, when in row.codes.items()
        ),
    )


def operations(facts: Facts) -> str:
    """Every endpoint, linked to its section of the reference."""
    return markdown(
        ("Endpoint", "What it does", "Permission"),
        (
            (f"[`{row.method.upper()} {row.path}`](/docs/api#{slug(row.tag)})", row.description, f"`{row.permission}`")
            for row in OPERATIONS
        ),
    )


def rate_headers(facts: Facts) -> str:
    return _headers(headers.LIMITS)


def response_headers(facts: Facts) -> str:
    return _headers(headers.GENERAL)


def _headers(group: str) -> str:
    rows = ((f"`{row.name}`", row.meaning) for row in headers.HEADERS if row.group == group)
    return markdown(("Header", "Meaning"), rows)


def permission_rows(facts: Facts) -> str:
    return markdown(
        ("Permission", "A key with it may"),
        ((f"`{row.name}`", row.help.rstrip(".")) for row in permissions.PERMISSIONS),
    )


def triggers(facts: Facts) -> str:
    return markdown(
        ("Write in the prompt", "What happens", "Works on"),
        ((f"`{row.text}`", row.does, ", ".join(row.works_on)) for row in facts.triggers),
    )


def inert_arguments(facts: Facts) -> str:
    """What test mode puts into arguments that a program might act on."""
    return markdown(
        ("The argument's name has", "Value"),
        ((code_list(listed.split()), f"`{value}`") for value, listed in facts.inert_arguments),
    )


_CHARGED = {(True, True): "Prompt and delivered tokens", (False, True): "Delivered tokens", (False, False): "Nothing"}


def charges(facts: Facts) -> str:
    """What each way to end costs, as the meter counts it."""
    return markdown(
        ("How the request ended", "Charged", "Outcome on its receipt"),
        (
            (row.meaning.rstrip("."), _CHARGED[row.charges_prompt, row.charges_completion], f"`{row.name}`")
            for row in facts.outcomes
        ),
    )


def settings(facts: Facts) -> str:
    return markdown(
        ("Variable", "Default", "Takes", "What it does"),
        ((f"`{row.env}`", _default(row), str(row.takes), row.help) for row in setting_rows.SETTINGS),
    )


def _default(row: Setting) -> str:
    if isinstance(row.default, bool):
        return f"`{str(row.default).lower()}`"
    return "empty" if row.default == "" else f"`{setting_rows.shown_default(row)}`"


def roles(facts: Facts) -> str:
    """What each role in a team may do: a row for each right, because roles are few and rights are sentences."""
    return markdown(
        ("May", *(f"`{role.name}`" for role in facts.roles)),
        (
            (help[0].upper() + help[1:], *("yes" if name in role.rights else "" for role in facts.roles))
            for name, help in facts.rights
        ),
    )


def metrics(_: Facts) -> str:
    return markdown(
        ("Metric", "Type", "Labels", "What it says", "In OpenTelemetry"),
        (
            (f"`{row.name}`", row.kind, code_list(row.labels) or "–", row.help, f"`{row.otel}`" if row.otel else "–")
            for row in METRICS
        ),
    )


TABLES: dict[str, Callable[..., str]] = {
    "models": models,
    "categories": categories,
    "plans": plans,
    "fields": field_support,
    "parameters": parameters,
    "reference": reference,
    "errors": error_types,
    "codes": error_codes,
    "operations": operations,
    "rate-headers": rate_headers,
    "response-headers": response_headers,
    "permissions": permission_rows,
    "roles": roles,
    "triggers": triggers,
    "inert-arguments": inert_arguments,
    "charges": charges,
    "settings": settings,
    "metrics": metrics,
    "schema-limits": schema_limits,
}
