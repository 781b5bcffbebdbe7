"""GET /v1/models."""

from llmrack.inference.context import AppContext
from llmrack.keys import keys
from tests.blueprints.v1.conftest import Api
from tests.support import made


def test_the_list_holds_the_catalogue_by_its_plain_ids(live: Api) -> None:
    body = live.get("/models").get_json()
    ids = [model["id"] for model in body["data"]]
    assert (body["object"], ids) == (
        "list",
        ["phi-3-mini", "mistral-7b", "llama-3.1-8b", "qwen-2.5-7b", "nomic-embed"],
    )
    assert {model["object"] for model in body["data"]} == {"model"}


def test_one_model_is_the_same_row_as_in_the_list(live: Api) -> None:
    listed = live.get("/models").get_json()["data"][0]
    assert live.get("/models/phi-3-mini").get_json() == listed
    assert listed["context_length"] == 8192


def test_an_unknown_model_is_404(live: Api) -> None:
    for model_id in ("gpt-4o", "openai/phi-3-mini", "codegemma-7b", "phi3:mini"):
        answer = live.get(f"/models/{model_id}")
        assert answer.status_code == 404
        assert answer.get_json()["error"]["code"] == "model_not_found"


def test_a_key_for_some_models_lists_these_alone(live: Api, context: AppContext, roomy_account: str) -> None:
    own = keys.Restrictions(models=("phi-3-mini", "nomic-embed"))
    secret = made.key(context.store, name="some", mode="live", account=roomy_account, restrictions=own).secret
    headers = {"Authorization": f"Bearer {secret}"}
    listed = live.client.get("/v1/models", headers=headers).get_json()["data"]
    assert {model["id"] for model in listed} == {"phi-3-mini", "nomic-embed"}
    assert live.client.get("/v1/models/phi-3-mini", headers=headers).status_code == 200
    answer = live.client.get("/v1/models/llama-3.1-8b", headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "model_not_found")


# Without each of these Codex drops the whole list.
CODEX_NEEDS = {
    "slug",
    "display_name",
    "supported_reasoning_levels",
    "shell_type",
    "visibility",
    "supported_in_api",
    "priority",
    "support_verbosity",
    "truncation_policy",
    "experimental_supported_tools",
    "base_instructions",
}


def test_codex_is_told_the_models_that_call_tools_with_the_window_in_force(live: Api) -> None:
    plain = live.get("/models").get_json()
    told = live.get("/models?client_version=0.169.0").get_json()
    assert {**plain, "models": told["models"]} == told
    windows = {row["id"]: row["context_length"] for row in plain["data"] if "tools" in row["capabilities"]}
    assert {row["slug"]: row["context_window"] for row in told["models"]} == {
        name: tokens for name, tokens in windows.items() if tokens >= 16_384
    }
    assert told["models"]
    for row in told["models"]:
        assert row.keys() >= CODEX_NEEDS
        assert row["truncation_policy"]["limit"] < row["context_window"] / 4
        assert row["input_modalities"] == ["text"]
