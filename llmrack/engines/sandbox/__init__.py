"""Test mode: answers without a model. The same request gets the same answer, and triggers rehearse every failure."""

from .engine import Sandbox
from .triggers import TRIGGERS, Trigger

__all__ = ["TRIGGERS", "Sandbox", "Trigger"]
