"""Parts of other tools' configuration files that list the models on offer, so that no list grows old."""

from __future__ import annotations

import json

from ..catalog import Model
from .facts import Facts

# What an answer may have by default in tools that want to be told.
MAX_TOKENS = 4096


def chat_models(facts: Facts) -> list[Model]:
    return [model for model in facts.catalog if not model.is_embedding]


def json_ids(facts: Facts) -> str:
    """["llama-3.1-8b", "mistral-7b"]: the models that chat."""
    return json.dumps([model.id for model in chat_models(facts)])


def openclaw(facts: Facts) -> str:
    """The `models` list of an OpenClaw provider; `contextWindow` is the window in force, which is what counts."""
    return ",\n".join(_openclaw_row(model) for model in facts.catalog) + ","


def _openclaw_row(model: Model) -> str:
    limit = 'input: ["text"]' if model.is_embedding else f"maxTokens: {min(MAX_TOKENS, model.max_output_tokens)}"
    name = json.dumps(model.name, ensure_ascii=False)
    return f'          {{ id: "{model.id}", name: {name}, contextWindow: {model.num_ctx}, {limit} }}'


def opencode(facts: Facts) -> str:
    """The `models` of an opencode provider."""
    return ",\n".join(
        f'        {json.dumps(model.id)}: {{ "name": {json.dumps(model.name, ensure_ascii=False)},'
        f' "limit": {{ "context": {model.num_ctx}, "output": {min(MAX_TOKENS, model.max_output_tokens)} }} }}'
        for model in chat_models(facts)
    )


def pi(facts: Facts) -> str:
    """The `models` of a provider of pi."""
    return ",\n".join(
        f'        {{ "id": {json.dumps(model.id)}, "name": {json.dumps(model.name, ensure_ascii=False)},'
        f' "contextWindow": {model.num_ctx}, "maxTokens": {min(MAX_TOKENS, model.max_output_tokens)} }}'
        for model in chat_models(facts)
    )


def litellm(facts: Facts) -> str:
    """One `model_list` entry of a LiteLLM proxy per model."""
    return "\n".join(
        f"  - model_name: llmrack/{model.id}\n"
        "    litellm_params:\n"
        f"      model: openai/{model.id}\n"
        f"      api_base: {facts.base_url}/v1\n"
        "      api_key: os.environ/LLMRACK_API_KEY"
        + ("\n    model_info:\n      mode: embedding" if model.is_embedding else "")
        for model in facts.catalog
    )


def continue_models(facts: Facts) -> str:
    """The `models` of Continue's config.yaml."""
    return "\n".join(_continue_row(model, facts) for model in facts.catalog)


def _continue_row(model: Model, facts: Facts) -> str:
    roles = "[embed]" if model.is_embedding else "[chat, edit, apply]"
    tools = "\n    capabilities: [tool_use]" if model.can("tools") else ""
    window = "" if model.is_embedding else f"\n    defaultCompletionOptions:\n      contextLength: {model.num_ctx}"
    return (
        f"  - name: LLMRack {model.name}\n"
        "    provider: openai\n"
        f"    model: {model.id}\n"
        f"    apiBase: {facts.base_url}/v1\n"
        "    apiKey: ${{ secrets.LLMRACK_API_KEY }}\n"
        f"    roles: {roles}{tools}{window}"
    )


CONFIGS = {
    "json-ids": json_ids,
    "openclaw": openclaw,
    "opencode": opencode,
    "pi": pi,
    "litellm": litellm,
    "continue": continue_models,
}
