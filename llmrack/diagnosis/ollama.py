"""Each Ollama: whether it answers, and has the models that are offered with the windows that are promised."""

from __future__ import annotations

from ..catalog import full_tag
from ..engines.features import LOGPROBS_SINCE, has_logprobs
from ..engines.ollama.client import Ollama
from ..errors import UpstreamError
from ..setting_values import separated
from .findings import Finding, Installation, broken, ok, warning

AWAY = "It cannot be asked while no Ollama answers."
START_IT = "Start Ollama, or correct LLMRACK_OLLAMA_URL."


def _ollamas(site: Installation) -> dict[str, Ollama]:
    """By the labels that other pages show: addresses are the operator's business."""
    settings = site.context.settings
    urls = separated(settings.ollama_url)
    return {f"ollama-{number}": Ollama.of(url, settings) for number, url in enumerate(urls, 1)}


def version(site: Installation) -> Finding:
    found, away = {}, []
    for label, ollama in _ollamas(site).items():
        try:
            found[label] = ollama.version()
        except UpstreamError:
            away.append(label)
    if away:
        return broken(f"No Ollama answers as {', '.join(away)}.", START_IT)
    if old := [f"{label} ({said})" for label, said in found.items() if not has_logprobs(said)]:
        least = ".".join(str(number) for number in LOGPROBS_SINCE)
        return warning(f"An old Ollama runs as {', '.join(old)}.", f"Install Ollama {least} or newer there.")
    return ok(f"Every Ollama answers: {', '.join(sorted(set(found.values())))}.")


def models(site: Installation) -> Finding:
    installed: set[str] = set()
    is_answered = False
    for ollama in _ollamas(site).values():
        try:
            installed |= {full_tag(one.name) for one in ollama.installed()}
            is_answered = True
        except UpstreamError:
            continue
    if not is_answered:
        return broken(AWAY, START_IT)
    if missing := [model.ollama for model in site.context.catalog if full_tag(model.ollama) not in installed]:
        return broken(
            f"Models are offered that no Ollama has: {', '.join(missing)}.",
            "; ".join(f"ollama pull {name}" for name in missing),
        )
    return ok("The models that are offered are there.")


def context(site: Installation) -> Finding:
    promised = {full_tag(model.ollama): model.num_ctx for model in site.context.catalog}
    short = []
    for label, ollama in _ollamas(site).items():
        try:
            loaded = ollama.loaded()
        except UpstreamError:
            return broken(AWAY, START_IT)
        short += [
            f"{one.name} on {label} ({one.context_tokens:,} of {promised[full_tag(one.name)]:,} tokens)"
            for one in loaded
            if 0 < one.context_tokens < promised.get(full_tag(one.name), 0)
        ]
    if short:
        return warning(
            f"Models are in memory with a smaller window than is promised: {', '.join(short)}.",
            "Unload them with `ollama stop MODEL`, and let only LLMRack use this Ollama.",
        )
    return ok("What is in memory has the window that is promised.")
