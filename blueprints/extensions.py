"""What views share: the loaded rack, and the watch over open connections."""

from flask import current_app
from werkzeug.local import LocalProxy

from llmrack.services.rack import Rack

from .presence import Watch

rack: Rack = LocalProxy(lambda: current_app.extensions["llmrack"])  # type: ignore[assignment]
watch = Watch()
