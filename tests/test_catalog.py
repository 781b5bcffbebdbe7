"""The catalogue: the models of the quickstart, the operator's changes, and what stops a start."""

from pathlib import Path

import pytest

from llmrack import catalog
from llmrack.catalog import BadCatalog

QUICKSTART = [
    ("phi-3-mini", "phi3:mini", "3.8B", 131072, 40, 40),
    ("mistral-7b", "mistral:7b", "7B", 32768, 80, 100),
    ("llama-3.1-8b", "llama3.1:8b", "8B", 131072, 90, 110),
    ("qwen-2.5-7b", "qwen2.5:7b", "7B", 32768, 100, 120),
    ("nomic-embed", "nomic-embed-text", "137M", 8192, 20, 0),
]
NEW = """
[models.mine]
ollama = "mine:1b"
name = "Mine"
family = "llama"
parameters = "1B"
quantization = "Q8_0"
context_tokens = 4096
num_ctx = 2048
category = "Code"
capabilities = ["tools"]
input_usd_per_million = "0.005"
output_usd_per_million = "1"
"""


def load(tmp_path: Path, text: str) -> catalog.Catalog:
    path = tmp_path / "models.toml"
    path.write_text(text, encoding="utf-8")
    return catalog.load(path)


def test_the_five_models_of_the_quickstart_are_on_offer() -> None:
    rows = [(m.id, m.ollama, m.parameters, m.context_tokens, m.input_nanousd, m.output_nanousd) for m in catalog.load()]
    assert rows == QUICKSTART


def test_every_category_has_an_example() -> None:
    assert {model.category for model in catalog.load().all} == set(catalog.CATEGORIES)


def test_an_operator_changes_one_key_and_adds_a_model(tmp_path: Path) -> None:
    models = load(tmp_path, '[models."llama-3.1-8b"]\nnum_ctx = 65536\n[models.phi-3-mini]\nenabled = false\n' + NEW)
    assert models.ids == ("mistral-7b", "llama-3.1-8b", "qwen-2.5-7b", "nomic-embed", "mine")
    llama, mine = models.get("llama-3.1-8b"), models.get("mine")
    assert llama is not None
    assert (llama.num_ctx, llama.ollama) == (65536, "llama3.1:8b")
    assert mine is not None
    assert (mine.input_nanousd, mine.output_nanousd) == (5, 1000)
    assert models.get("phi-3-mini") is None


WRONG = [
    ("[models.mine\n", "line 1"),
    ('[models.phi-3-mini]\n\nnum_ctx = "big"\n', "line 3: num_ctx of model phi-3-mini must be of type int"),
    ("[models.phi-3-mini]\nnum_ctx = true\n", "line 2: num_ctx of model phi-3-mini must be of type int"),
    ("[models.phi-3-mini]\nnum_ctx = 999999\n", "line 2: num_ctx .*between 1 and context_tokens"),
    ("# hi\n[models.phi-3-mini]\nnum_cxt = 1\n", "line 3: .*unknown key num_cxt"),
    ('[models.phi-3-mini]\ncategory = "Poetry"\n', "line 2: category .*must be one of General"),
    ('[models.phi-3-mini]\ncapabilities = ["flight"]\n', "line 2: capabilities .*may hold"),
    ('[models.phi-3-mini]\ncapabilities = "json"\n', "line 2: capabilities .*must be of type list"),
    ("[models.phi-3-mini]\ninput_usd_per_million = 0.04\n", "line 2: input_usd_per_million .*dollars as text"),
    ('[models.phi-3-mini]\ninput_usd_per_million = "-1"\n', "line 2: input_usd_per_million .*dollars as text"),
    ('[models.phi-3-mini]\ninput_usd_per_million = "0.00004"\n', "line 2: .*up to 3 decimals"),
    ('[models.phi-3-mini]\nollama = "gpt-oss:120b-cloud"\n', "line 2: ollama .*cloud"),
    ('\n[models.mine]\nollama = "mine"\n', "line 2: model mine has no name"),
    ("models = 3\n", r"tables named \[models.ID\]"),
    ("[model.mine]\nnum_ctx = 3\n", r"tables named \[models.ID\]"),
    ("[models]\nmine = 3\n", "models.mine must be a table"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[row[1] for row in WRONG])
def test_a_wrong_catalogue_stops_the_start_and_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadCatalog, match=r"models\.toml.*" + said if "line" in said else said):
        load(tmp_path, text)


def test_an_alias_names_a_model_and_the_longest_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        '[models.phi-3-mini]\naliases = ["claude-haiku-*", "gpt-4o"]\n'
        '[models."llama-3.1-8b"]\naliases = ["claude-*"]\n',
        encoding="utf-8",
    )
    loaded = catalog.load(path)
    named = {name: loaded.by_alias(name) for name in ("claude-haiku-5", "claude-opus-5", "gpt-4o", "gpt-4o-mini")}
    assert {name: model and model.id for name, model in named.items()} == {
        "claude-haiku-5": "phi-3-mini",
        "claude-opus-5": "llama-3.1-8b",
        "gpt-4o": "phi-3-mini",
        "gpt-4o-mini": None,
    }


@pytest.mark.parametrize(
    ("aliases", "complaint"),
    [
        ('["mistral-7b"]', "line 2: aliases of model phi-3-mini holds mistral-7b, which already names a model"),
        ('["a", "a"]', "which already names a model"),
        ('["*"]', "must be names of letters"),
        ('["a b"]', "must be names of letters"),
    ],
)
def test_an_alias_that_is_taken_or_no_name_stops_the_start(tmp_path: Path, aliases: str, complaint: str) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f"[models.phi-3-mini]\naliases = {aliases}\n", encoding="utf-8")
    with pytest.raises(BadCatalog, match=complaint):
        catalog.load(path)
