"""Keys that may do less than their account."""

from datetime import timedelta

import pytest

from llmrack.errors import AuthenticationFailed, PermissionRefused
from llmrack.keys import authentication, keys, networks
from llmrack.keys.keys import NoSuchKey, Restrictions
from llmrack.plans import load
from llmrack.store.database import Store
from tests.support import made
from tests.support.stores import Clock
from tests.support.together import together

PLANS = load()


@pytest.fixture
def account_id(store: Store, clock: Clock) -> int:
    return made.account(store, "ada", clock()).id


def make(store: Store, account_id: int, clock: Clock, own: Restrictions = keys.NO_RESTRICTIONS, **more) -> keys.Issued:
    facts = {"name": "k", "mode": "live", "permissions": ("all",), "expires_at": None, "restrictions": own} | more
    return keys.issue(store, account_id, clock(), actor="tests", **facts)


def test_a_paused_key_is_refused_until_it_is_resumed(store: Store, clock: Clock, account_id: int) -> None:
    issued = make(store, account_id, clock)
    assert keys.pause(store, account_id, issued.key.id, clock()).state(clock()) == "paused"
    with pytest.raises(AuthenticationFailed, match="paused") as refused:
        authentication.resolve(store, PLANS, issued.secret, clock())
    assert refused.value.code == "key_paused"
    assert keys.resume(store, account_id, issued.key.id).state(clock()) == "active"
    assert authentication.resolve(store, PLANS, issued.secret, clock()).key_id == issued.key.id


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("203.0.113.9", True),
        ("203.0.114.9", False),
        ("::ffff:203.0.113.9", True),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        (None, False),
        ("nonsense", False),
    ],
)
def test_a_key_with_addresses_works_from_those_only(
    store: Store, clock: Clock, account_id: int, address: str | None, is_allowed: bool
) -> None:
    own = Restrictions(addresses=networks.parse("203.0.113.0/24, 2001:db8::/32"))
    secret = make(store, account_id, clock, own).secret
    if is_allowed:
        authentication.resolve(store, PLANS, secret, clock(), address)
        return
    with pytest.raises(PermissionRefused) as refused:
        authentication.resolve(store, PLANS, secret, clock(), address)
    assert refused.value.code == "address_not_allowed"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "1.2.3", "example.com", "1.2.3.4/33", ", ".join(["1.2.3.4"] * 21)])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(networks.BadNetwork):
        networks.parse(text)


def test_a_rotated_key_has_the_same_rights_and_its_predecessor_ends_in_a_day(
    store: Store, clock: Clock, account_id: int
) -> None:
    own = Restrictions(requests_per_minute=3, tokens_per_day=5, models=("phi-3-mini",))
    old = make(store, account_id, clock, own, expires_at=clock() + timedelta(days=30))
    clock.forward(days=10)
    new = keys.rotate(store, account_id, old.key.id, clock(), actor="owner")
    assert new.key.restrictions == own
    assert (new.key.name, new.key.mode, new.key.permissions) == ("k", "live", ("all",))
    assert new.key.expires_at == clock() + timedelta(days=30)
    authentication.resolve(store, PLANS, old.secret, clock())
    clock.forward(hours=23, minutes=59)
    authentication.resolve(store, PLANS, old.secret, clock())
    clock.forward(minutes=1)
    with pytest.raises(AuthenticationFailed, match="expired"):
        authentication.resolve(store, PLANS, old.secret, clock())
    assert authentication.resolve(store, PLANS, new.secret, clock()).models == {"phi-3-mini"}


def test_rotation_never_makes_an_old_key_live_longer(store: Store, clock: Clock, account_id: int) -> None:
    old = make(store, account_id, clock, expires_at=clock() + timedelta(hours=1))
    keys.rotate(store, account_id, old.key.id, clock(), actor="owner")
    assert keys.get(store, account_id, old.key.id).expires_at == clock() + timedelta(hours=1)


def test_a_revoked_key_cannot_be_rotated(store: Store, clock: Clock, account_id: int) -> None:
    old = make(store, account_id, clock)
    keys.revoke(store, account_id, old.key.id, clock(), actor="owner")
    with pytest.raises(NoSuchKey):
        keys.rotate(store, account_id, old.key.id, clock(), actor="owner")


def test_nobody_reaches_the_key_of_another_account(store: Store, clock: Clock, account_id: int) -> None:
    mine = make(store, account_id, clock).key.id
    other = made.account(store, "bob", clock()).id
    facts = {"name": "x", "permissions": ("all",), "expires_at": None, "restrictions": keys.NO_RESTRICTIONS}
    for act in (
        lambda: keys.get(store, other, mine),
        lambda: keys.pause(store, other, mine, clock()),
        lambda: keys.resume(store, other, mine),
        lambda: keys.revoke(store, other, mine, clock(), actor="owner"),
        lambda: keys.rotate(store, other, mine, clock(), actor="owner"),
        lambda: keys.change(store, other, mine, **facts),
    ):
        with pytest.raises(NoSuchKey):
            act()
    assert keys.get(store, account_id, mine).state(clock()) == "active"
    assert keys.get(store, account_id, mine).name == "k"


def test_ended_keys_leave_the_list_after_three_months(store: Store, clock: Clock, account_id: int) -> None:
    key_id = make(store, account_id, clock).key.id
    keys.revoke(store, account_id, key_id, clock(), actor="owner")
    clock.forward(days=89)
    assert [key.id for key in keys.of_account(store, account_id, clock())] == [key_id]
    clock.forward(days=2)
    assert keys.of_account(store, account_id, clock()) == []


def test_keys_made_at_once_never_are_more_than_an_account_may_have(store: Store, clock: Clock, account_id: int) -> None:
    for _ in range(keys.MOST - 3):
        make(store, account_id, clock)

    def is_made(_: int) -> bool:
        try:
            make(store, account_id, clock)
        except keys.TooManyKeys:
            return False
        return True

    assert sum(together(20, is_made)) == 3


def test_expired_keys_block_no_new_ones_and_a_full_account_can_still_replace_some(
    store: Store, clock: Clock, account_id: int
) -> None:
    for _ in range(keys.MOST):
        make(store, account_id, clock, expires_at=clock() + timedelta(days=1))
    with pytest.raises(keys.TooManyKeys):
        make(store, account_id, clock)
    some = keys.of_account(store, account_id, clock())
    for key in some[: keys.ROTATIONS_BEYOND]:
        keys.rotate(store, account_id, key.id, clock(), actor="owner")
    with pytest.raises(keys.TooManyKeys):
        keys.rotate(store, account_id, some[-1].id, clock(), actor="owner")
    clock.forward(days=2)
    assert make(store, account_id, clock).key.state(clock()) == "active"


def test_a_paused_key_is_replaced_by_a_paused_one(store: Store, clock: Clock, account_id: int) -> None:
    key = make(store, account_id, clock).key
    keys.pause(store, account_id, key.id, clock())
    assert keys.rotate(store, account_id, key.id, clock(), actor="owner").key.state(clock()) == "paused"


def test_what_an_account_makes_in_a_day_is_bounded(
    store: Store, clock: Clock, account_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MADE_IN_A_DAY", 5)
    for _ in range(5):
        keys.revoke(store, account_id, make(store, account_id, clock).key.id, clock(), actor="owner")
    with pytest.raises(keys.TooManyKeys, match="in a day"):
        make(store, account_id, clock)
    clock.forward(days=1, seconds=1)
    make(store, account_id, clock)
