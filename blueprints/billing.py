"""Plans, credits and statements of the account that is signed in."""

from flask import Blueprint

bp = Blueprint("billing", __name__)
