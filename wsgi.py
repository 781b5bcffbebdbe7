"""The one module gunicorn and the flask command import."""

import sys

from app import create_app
from llmrack.errors import CannotStart

try:
    app = create_app()
except CannotStart as exc:
    print(f"LLMRack cannot start: {exc}", file=sys.stderr)
    # gunicorn takes 4 to mean that trying again is useless (Arbiter.APP_LOAD_ERROR).
    sys.exit(4)
