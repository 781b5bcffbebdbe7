"""What the factory loaded, in one value that every service can be given."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..catalog import Catalog
from ..engines.base import Engine
from ..engines.features import Probe
from ..metering.meter import Meter
from ..metering.prompt_bounds import PromptBounds
from ..metering.refusals import Refusals
from ..monitoring.figures import Figures
from ..plans import Plans
from ..settings import Settings
from ..store.database import Store
from ..wire.parsed import Features


@dataclass(frozen=True)
class Engines:
    """The engine of each key mode."""

    live: Engine
    test: Engine

    live_features: Probe
    test_features: Features

    def of(self, mode: str) -> Engine:
        return self.test if mode == "test" else self.live

    def features(self, mode: str) -> Features:
        return self.test_features if mode == "test" else self.live_features.features()


@dataclass(frozen=True)
class AppContext:
    settings: Settings
    catalog: Catalog
    plans: Plans
    store: Store
    meter: Meter
    engines: Engines
    prompts: PromptBounds = field(default_factory=PromptBounds)
    refusals: Refusals = field(default_factory=Refusals)
    # None where metrics are switched off.
    figures: Figures | None = None
