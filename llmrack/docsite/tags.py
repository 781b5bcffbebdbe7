"""Expands `[[...]]` tags into Markdown. They are no Jinja, because the text holds `{{prompt}}` and `${NAME}` literally.

[[base_url]]  [[host]]  [[version]]  [[contact]]     what this server is
[[model fast]]  [[model embed dimensions]]            the model recommended for a role; a fact about it
[[number tools num_ctx]]                              the same without separators, for code
[[model-json tools]]                                  a model as GET /v1/models/{id} answers
[[shape Receipt]]                                     the keys of an answer with their types
[[models tools]]                                      the models with a capability, as a list
[[switch-on vision]]                                  how to offer a model for a role; nothing where there is one
[[plan free tokens_per_day]]  [[setting port]]        one value
[[table plans]]  [[table fields chat]]                a table
[[capture pong]]                                      a captured answer with what it was captured from
[[request pong]]                                      the request behind it
[[rail chat]]                                         a request in four languages, shown beside its section
[[file langchain.py]]                                 a file of `docs_content/files`, as fenced code
[[source deploy/nginx.conf]]                          a file of the repository, as fenced code
[[config openclaw]]                                   models in the form another tool's file wants
[[to /signup Sign up]]                                a link where the application has that page, else its text
[[integrations]]  [[changes]]                         lists
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..settings import ROOT
from ..wire import models as wire_models
from ..wire.openapi.response_schemas import ACCOUNT, ANSWERS
from ..wire.openapi.responses_schemas import RESPONSES
from . import captures, changes, configs, rail
from .facts import ROLES, BadDocs, Facts, code_list
from .tables import TABLES, size

_TAG = re.compile(r"\[\[([a-z][a-z0-9_-]*)(?: +([^\[\]\n]+?))?\]\]")
LEXERS = {
    ".py": "python", ".sh": "bash", ".mjs": "javascript", ".json": "json", ".json5": "javascript", ".yaml": "yaml",
    ".toml": "toml", ".env": "bash", ".conf": "nginx", ".service": "ini",
}  # fmt: skip

Tag = Callable[..., str]


def expand(text: str, facts: Facts, where: str) -> str:
    """The text with every tag replaced. Raises BadDocs for an unknown tag or one that does not take its words."""

    def replaced(match: re.Match[str]) -> str:
        name, words = match[1], match[2] or ""
        if name not in TAGS:
            raise BadDocs(f"{where}: unknown tag {match[0]}")
        try:
            return TAGS[name](facts, words)
        except (LookupError, TypeError, AttributeError, OSError) as exc:
            raise BadDocs(f"{where}: {match[0]} cannot be filled ({exc})") from exc
        except BadDocs as exc:
            raise BadDocs(f"{where}: {match[0]}: {exc}") from exc

    return _TAG.sub(replaced, text)


def _model(facts: Facts, words: str) -> str:
    role, *attribute = words.split()
    id_ = facts.model(role)
    if not attribute:
        return id_
    model = facts.catalog.get(id_)
    value = getattr(model, attribute[0]) if model else "?"
    if attribute[0] == "context_tokens" and model:
        return size(model.context_tokens)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shape(_: Facts, name: str) -> str:
    """An answer's keys with the types of their values, from the schema that the tests hold it to."""
    return f"```json\n{captures.pretty(_outline({**ANSWERS, **RESPONSES, **ACCOUNT}[name]))}\n```"


def _outline(schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return {key: _outline(value) for key, value in schema["properties"].items()}
    if kind == "array":
        return [_outline(schema["items"])]
    if "anyOf" in schema:
        first, *rest = (_outline(option) for option in schema["anyOf"])
        return first if isinstance(first, dict) else " or ".join([first, *rest])
    return " or ".join(kind) if isinstance(kind, list) else " or ".join(schema.get("enum", [kind]))


def _number(facts: Facts, words: str) -> str:
    """A whole number as programs write it."""
    return _model(facts, words).replace(",", "")


def _model_json(facts: Facts, role: str) -> str:
    """What `GET /v1/models/{id}` answers, from the same function; a recording would keep old prices."""
    model = facts.catalog.get(facts.model(role))
    return f"```json\n{captures.pretty(wire_models.one(model) if model else None)}\n```"


def _models(facts: Facts, words: str) -> str:
    return code_list(model.id for model in facts.catalog if words == "all" or model.can(words)) or "none on this server"


def _switch_on(facts: Facts, role: str) -> str:
    """The catalogue holds the recommended model of each role, switched on or not."""
    if facts.offers(role):
        return ""
    model = next(model for model in facts.catalog.all if model.id == ROLES[role][0])
    return (
        f"This server offers none yet. Its operator switches {model.name} on with `ollama pull {model.ollama}` and "
        f'these lines in `instance/models.toml`:\n\n```toml\n[models."{model.id}"]\nenabled = true\n```'
    )


def _plan(facts: Facts, words: str) -> str:
    id_, name = words.split()
    value = getattr(facts.plans.get(id_) or facts.plans.default, name)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _setting(facts: Facts, words: str) -> str:
    value = getattr(facts.settings, words)
    return (
        f"{value:,}"
        if isinstance(value, int) and words != "port"
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _table(facts: Facts, words: str) -> str:
    name, *arguments = words.split()
    return TABLES[name](facts, *arguments)


def _capture(facts: Facts, words: str) -> str:
    capture = captures.load(facts.content / "captures", words)
    if not capture.source:
        raise BadDocs(f"capture {words} was never recorded")
    return f"{facts.localise(captures.fenced(capture))}\n\n*{capture.caption}*"


def _request(facts: Facts, words: str) -> str:
    request = captures.load(facts.content / "captures", words).request
    return facts.localise(f"```json\n{captures.pretty(request['body'])}\n```")


def _file(facts: Facts, words: str) -> str:
    path = facts.content / "files" / words
    text = expand(rail.read(facts, path), facts, str(path))
    return f"```{LEXERS[path.suffix]}\n{text}\n```"


def _source(_: Facts, words: str) -> str:
    """A file of this repository as it is."""
    path = ROOT / words
    text = path.read_text(encoding="utf-8").strip("\n")
    return f"```{LEXERS.get(path.suffix, 'text')}\n{text}\n```"


def _link(facts: Facts, words: str) -> str:
    path, _, label = words.partition(" ")
    return f"[{label}]({path})" if facts.has_path(path.partition("#")[0]) else label


def _contact(facts: Facts, _: str) -> str:
    email = facts.settings.support_email
    return f"[{email}](mailto:{email})" if email else "the operator of this server"


def _integrations(facts: Facts, _: str) -> str:
    lines = []
    for path in sorted((facts.content / "integrations").glob("*.md")):
        title, _, rest = path.read_text(encoding="utf-8").partition("\n")
        if path.stem != "index":
            summary = expand(rest.strip().partition("\n\n")[0].replace("\n", " "), facts, str(path))
            lines.append((title.lstrip("# "), f"/docs/integrations/{path.stem}", summary))
    return "\n".join(f"- [{title}]({url}): {summary}" for title, url, summary in sorted(lines, key=_by_title))


def _by_title(line: tuple[str, str, str]) -> str:
    return line[0].lower()


TAGS: dict[str, Tag] = {
    "base_url": lambda facts, _: facts.base_url,
    "host": lambda facts, _: urlsplit(facts.base_url).netloc,
    "version": lambda facts, _: facts.version,
    "contact": _contact,
    "model": _model,
    "number": _number,
    "shape": _shape,
    "model-json": _model_json,
    "models": _models,
    "switch-on": _switch_on,
    "plan": _plan,
    "setting": _setting,
    "table": _table,
    "capture": _capture,
    "request": _request,
    "file": _file,
    "source": _source,
    "config": lambda facts, words: configs.CONFIGS[words](facts),
    "to": _link,
    "integrations": _integrations,
    "changes": lambda facts, _: changes.markdown(),
}
