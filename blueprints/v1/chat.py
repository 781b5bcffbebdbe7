"""POST /v1/chat/completions."""

import functools

from flask import Blueprint, Response

from llmrack.catalog import Catalog
from llmrack.clients.images import Fetcher
from llmrack.wire import chat
from llmrack.wire.asks import Features

from .answer import answer
from .auth import needs

bp = Blueprint("chat", __name__)


@bp.post("/chat/completions")
@needs("inference")
def create_chat_completion() -> Response:
    return answer(_parse)


def _parse(raw: bytes, catalog: Catalog, features: Features) -> chat.ChatAsk:
    """The request with every image in it; those named by URL are fetched before anything is reserved for it."""
    ask = chat.parse(raw, catalog, features)
    if ask.conversation.image_urls:
        _fetcher().fill(ask.conversation)
    return ask


@functools.cache
def _fetcher() -> Fetcher:
    return Fetcher()
