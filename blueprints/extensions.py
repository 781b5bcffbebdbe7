"""What views share: the loaded rack, mailer, till, documentation, who is signed in, the watch over open connections."""

from flask import current_app
from flask_login import LoginManager
from werkzeug.local import LocalProxy

from llmrack.clients.mail import Mailer
from llmrack.docsite.site import Site
from llmrack.services.billing import Till
from llmrack.services.rack import Rack

from .presence import Watch

rack: Rack = LocalProxy(lambda: current_app.extensions["llmrack"])  # type: ignore[assignment]
mailer: Mailer = LocalProxy(lambda: current_app.extensions["llmrack_mail"])  # type: ignore[assignment]
till: Till = LocalProxy(lambda: current_app.extensions["llmrack_till"])  # type: ignore[assignment]
site: Site = LocalProxy(lambda: current_app.extensions["llmrack_docs"])  # type: ignore[assignment]
login_manager = LoginManager()
watch = Watch()


def loaded_rack() -> Rack:
    """The rack itself, for a view that asks it for many things: each use of a proxy looks the application up again."""
    loaded: Rack = current_app.extensions["llmrack"]
    return loaded
