"""The one module gunicorn and the flask command import."""

import os
import sys

from app import create_app
from llmrack.errors import CannotStart

# The database, its log and the kept secret are for this user alone, whichever command makes them.
os.umask(0o077)
try:
    app = create_app()
except CannotStart as exc:
    print(f"LLMRack cannot start: {exc}", file=sys.stderr)
    sys.exit(1)
