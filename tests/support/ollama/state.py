"""What the server knows between requests: settings, models, scripts, records, held answers, free slots."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from gevent.event import Event
from gevent.lock import BoundedSemaphore

from .models import Model, Shelf
from .records import Ledger
from .scripts import Book


@dataclass
class Settings:
    """`parallel` slots for each model (None: no limit), seconds a load takes, seconds an idle connection may live."""

    version: str = "0.33.0"
    parallel: int | None = None
    load_s: float = 0.0
    idle_s: float | None = None


@dataclass
class State:
    settings: Settings = field(default_factory=Settings)
    shelf: Shelf = field(default_factory=Shelf)
    book: Book = field(default_factory=Book)
    ledger: Ledger = field(default_factory=Ledger)
    gates: defaultdict[str, Event] = field(default_factory=lambda: defaultdict(Event))
    slots: dict[str, BoundedSemaphore] = field(default_factory=dict)

    def slot(self, model: Model) -> BoundedSemaphore:
        if model.name not in self.slots:
            self.slots[model.name] = BoundedSemaphore(self.settings.parallel or 1_000_000)
        return self.slots[model.name]

    def forget(self) -> None:
        """Back to the plain answers and an empty ledger; the models in memory and the held answers go too."""
        for gate in self.gates.values():
            gate.set()
        self.settings, self.shelf, self.book = Settings(), Shelf(), Book()
        self.gates, self.slots = defaultdict(Event), {}
        self.ledger.reset()
