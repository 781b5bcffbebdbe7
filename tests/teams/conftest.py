"""A team on every store."""

import pytest

from tests.support.stores import Desk
from tests.support.team import Team


@pytest.fixture
def team(desk: Desk) -> Team:
    return Team(desk)
