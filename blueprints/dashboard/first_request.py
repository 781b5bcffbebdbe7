"""The first request with a new key: a command that runs as it stands and fits what the key may do."""

from __future__ import annotations

from llmrack import permissions as rights
from llmrack.catalog import Catalog
from llmrack.keys.keys import Issued


def first_request(base_url: str, issued: Issued, catalog: Catalog) -> str:
    """One curl command."""
    granted = rights.expand(issued.key.permissions)
    allowed = issued.key.restrictions.models
    models = [model for model in catalog if allowed is None or model.id in allowed]
    head = f'curl {base_url}/v1%s \\\n  -H "Authorization: Bearer {issued.secret}"'
    answers = next((model.id for model in models if not model.is_embedding), None)
    if "inference" in granted and answers:
        data = f'{{"model": "{answers}", "stream": true,\n       "messages": [{{"role": "user", "content": "hi"}}]}}'
        return head % "/chat/completions" + f" \\\n  -H \"Content-Type: application/json\" \\\n  -N -d '{data}'"
    embeds = next((model.id for model in models if model.is_embedding), None)
    if "embeddings" in granted and embeds:
        data = f'{{"model": "{embeds}", "input": "hi"}}'
        return head % "/embeddings" + f" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{data}'"
    return head % ("/usage" if "usage" in granted and "models" not in granted else "/models")
