"""What the operator sees and changes; for everyone else there is nothing here."""

from flask import Blueprint

bp = Blueprint("admin", __name__)
