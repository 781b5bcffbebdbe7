"""What views share: the application's context, mailer, payments, documentation, the session, the open connections."""

from flask import current_app
from flask_login import LoginManager
from werkzeug.local import LocalProxy

from llmrack.billing.checkout import Billing
from llmrack.clients.identity_provider import IdentityProvider
from llmrack.clients.mail import Mailer
from llmrack.docsite.site import Site
from llmrack.inference.context import AppContext
from server.connections import Watch

context: AppContext = LocalProxy(lambda: current_app.extensions["llmrack"])  # type: ignore[assignment]
mailer: Mailer = LocalProxy(lambda: current_app.extensions["llmrack_mail"])  # type: ignore[assignment]
payments: Billing = LocalProxy(lambda: current_app.extensions["llmrack_till"])  # type: ignore[assignment]
identity_providers: dict[str, IdentityProvider] = LocalProxy(  # type: ignore[assignment]
    lambda: current_app.extensions["llmrack_identity_providers"]
)
site: Site = LocalProxy(lambda: current_app.extensions["llmrack_docs"])  # type: ignore[assignment]
login_manager = LoginManager()
watch = Watch()


def loaded_context() -> AppContext:
    """The context itself, for a view that asks it for much: each use of a proxy looks the application up again."""
    loaded: AppContext = current_app.extensions["llmrack"]
    return loaded
