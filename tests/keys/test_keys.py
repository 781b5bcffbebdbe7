"""Keys: what a secret looks like, who it stands for, and that a revocation holds at once."""

import hashlib
import re
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from llmrack import permissions
from llmrack.accounts import accounts
from llmrack.errors import AuthenticationFailed
from llmrack.keys import authentication, key_format, keys
from llmrack.plans import Plans
from llmrack.store.tables.usage import Key
from tests.support import made
from tests.support.stores import NOON, Desk, Store


def issue(store: Store, name: str = "k", mode: str = "live", **more: object) -> keys.Issued:
    return made.key(store, name=name, mode=mode, now=NOON, **more)


def refusal(desk: Desk, secret: str | None) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        authentication.resolve(desk.store, desk.plans, secret, desk.clock())
    assert (caught.value.status, caught.value.type) == (401, "authentication_error")
    return caught.value.message


def test_a_secret_is_256_random_bits_and_a_checksum_in_base62() -> None:
    for mode in ("live", "test"):
        secret = key_format.generate(mode)
        assert re.fullmatch(rf"rl_{mode}_[0-9A-Za-z]{{49}}", secret)
        number = 0
        for digit in secret[-6:]:
            number = number * 62 + key_format.ALPHABET.index(digit)
        assert number == zlib.crc32(secret[:-6].encode())
    assert len({key_format.generate("live") for _ in range(1000)}) == 1000


def test_only_the_hash_of_a_secret_is_stored(store: Store) -> None:
    secret = issue(store).secret
    with store.read() as connection:
        row = connection.execute(select(Key.__table__)).one()
    assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert (row.prefix, row.last4) == (secret[:12], secret[-4:])
    assert all(secret[12:-4] not in str(value) for value in row)


def test_a_key_resolves_to_its_account_plan_and_rights(desk: Desk) -> None:
    made.account(desk.store, "ada", NOON, desk.plans.get("pro"))
    issued = issue(desk.store, "laptop", permissions=("models", "usage"), account="ada", requests_per_minute=3)
    caller = authentication.resolve(desk.store, desk.plans, issued.secret, NOON)
    assert (caller.key_id, caller.key_name, caller.mode, caller.plan.id) == (issued.key.id, "laptop", "live", "pro")
    assert (caller.requests_per_minute, caller.tokens_per_day) == (3, None)
    assert caller.permissions == {"models", "usage"}


def test_all_stands_for_every_permission(desk: Desk) -> None:
    caller = authentication.resolve(desk.store, desk.plans, issue(desk.store).secret, NOON)
    assert caller.permissions == permissions.NAMES == {"inference", "embeddings", "models", "usage"}


def test_an_account_without_a_plan_follows_the_default_one(desk: Desk) -> None:
    secret = issue(desk.store).secret
    assert authentication.resolve(desk.store, desk.plans, secret, NOON).plan == desk.plans.default


def test_a_plan_that_no_file_has_any_more_falls_back_to_the_default_one(desk: Desk) -> None:
    secret = issue(desk.store).secret
    made.put_on(desk.store, accounts.LOCAL, desk.plans.get("pro"))
    only_free = Plans(tuple(plan for plan in desk.plans if plan.id != "pro"))
    assert authentication.resolve(desk.store, only_free, secret, NOON).plan.id == "free"


def test_each_bad_key_gets_a_sentence_of_its_own(desk: Desk) -> None:
    good, revoked, expired = (
        issue(desk.store, "good").secret,
        issue(desk.store, "revoked").secret,
        issue(desk.store, "expired", expires_at=NOON + timedelta(hours=1)).secret,
    )
    made.revoke(desk.store, "revoked", NOON)
    desk.clock.forward(hours=1)
    typo = good[:20] + ("A" if good[20] != "A" else "B") + good[21:]
    said = [
        refusal(desk, secret)
        for secret in (
            None,
            "sk-123",
            typo,
            key_format.generate("live"),
            revoked,
            expired,
            good.replace("live", "test"),
        )
    ]
    assert said == [
        "No API key was given. Send one in the header `Authorization: Bearer rl_live_...`.",
        "This is not an API key of this server: keys are `rl_live_` or `rl_test_` and 49 letters and digits, "
        "sent in the header `Authorization: Bearer rl_live_...`.",
        "This API key is mistyped: its last characters do not match the rest. Copy it again.",
        "There is no such API key. Check which server it belongs to, or generate a new one.",
        "This API key was revoked on 2026-11-22. Generate a new key.",
        "This API key expired on 2026-11-22. Generate a new key.",
        "This API key is mistyped: its last characters do not match the rest. Copy it again.",
    ]
    assert authentication.resolve(desk.store, desk.plans, good, desk.clock()).key_name == "good"


def test_a_key_of_a_disabled_account_is_refused_until_it_is_enabled(desk: Desk) -> None:
    secret = issue(desk.store).secret
    made.disable(desk.store, accounts.LOCAL, NOON)
    assert refusal(desk, secret) == "The account of this API key is disabled."
    made.enable(desk.store, accounts.LOCAL)
    authentication.resolve(desk.store, desk.plans, secret, NOON)


HOSTILE = [
    "", " ", "rl_live_", "rl_live_' OR 1=1 --", "rl_live_" + "é" * 49, "rl_live_" + "\0" * 49, "x" * 65_536,
    "rl_live_" + "a" * 49 + "\n", "rl_live_" + "\ud800" * 49, "RL_LIVE_" + "a" * 49, "rl_live_" + "٣" * 49,
]  # fmt: skip


@pytest.mark.parametrize("secret", HOSTILE, ids=range(len(HOSTILE)))
def test_malformed_keys_never_reach_the_database(desk: Desk, secret: str) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a connection was taken")

    event.listen(desk.store.engine, "checkout", fail)
    refusal(desk, secret)
    event.remove(desk.store.engine, "checkout", fail)


def test_a_revocation_holds_from_the_next_request_on(desk: Desk) -> None:
    secret = issue(desk.store, "k").secret
    authentication.resolve(desk.store, desk.plans, secret, NOON)
    made.revoke(desk.store, "k", NOON)
    assert "revoked" in refusal(desk, secret)


def test_revoking_again_keeps_the_first_date(store: Store) -> None:
    issue(store, "k")
    made.revoke(store, "k", NOON)
    assert made.revoke(store, "k", NOON + timedelta(days=1)).revoked_at == NOON


def test_a_key_is_found_by_id_name_start_and_redacted_form(store: Store) -> None:
    three = [issue(store, f"k{number}") for number in range(3)]
    for which in (str(three[1].key.id), "k1", three[1].secret[:12], three[1].key.redacted, three[1].secret):
        assert made.revoke(store, which, NOON).id == three[1].key.id
    assert [key.state(NOON) for key in keys.list_all(store)] == ["active", "revoked", "active"]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("99", "No key has the id, the name or the start 99"),
        ("rl_live_zz'", "No key has"),
        ("rl_live_", "No key has"),
        ("%", "No key has"),
        ("same", "2 keys fit same"),
    ],
)
def test_revoking_what_does_not_name_one_key_is_refused(store: Store, which: str, said: str) -> None:
    issue(store, "same")
    issue(store, "same")
    with pytest.raises(keys.NoSuchKey, match=said):
        made.revoke(store, which, NOON)
    assert [key.state(NOON) for key in keys.list_all(store)] == ["active", "active"]


def test_unknown_permissions_modes_and_accounts_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="There is no permission admin. Choose from all, inference"):
        issue(store, permissions=("models", "admin"))
    with pytest.raises(ValueError, match="A key needs a permission"):
        issue(store, permissions=())
    with pytest.raises(ValueError, match="not prod"):
        issue(store, mode="prod")
    with pytest.raises(accounts.NoSuchAccount, match="no account named bob"):
        accounts.find(store, "bob")
    assert not keys.exists(store)


def test_any_says_whether_a_key_was_ever_made(store: Store) -> None:
    assert not keys.exists(store)
    issue(store)
    assert keys.exists(store)
