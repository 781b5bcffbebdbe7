"""People, their sessions, links, tries and codes, on both databases with a clock that stands still."""

import hashlib
from datetime import timedelta

import pyotp
import pytest

from llmrack.accounts import accounts, audit, links, passwords, people, pruning, sessions, throttle, tokens, totp
from llmrack.accounts.throttle import Rule, TooMany
from llmrack.billing import closing
from llmrack.keys import keys
from llmrack.store.database import Store
from tests.support import made
from tests.support.stores import Clock
from tests.support.together import together

PASSWORD = "correct horse battery staple"
ONE_HOUR = Rule("test", 3, timedelta(hours=1))


@pytest.fixture
def ada(store: Store, clock: Clock) -> int:
    account_id = people.sign_up(store, "ada@example.com", PASSWORD, clock())
    assert account_id is not None
    return account_id


def test_one_address_has_one_account(store: Store, clock: Clock, ada: int) -> None:
    assert people.sign_up(store, "ada@example.com", "another good password", clock()) is None
    person = people.authenticate(store, "ada@example.com", PASSWORD)
    assert person is not None
    assert (person.account_id, person.is_verified, person.is_operator) == (ada, False, False)


def test_twenty_sign_ups_at_once_make_one_account(store: Store, clock: Clock) -> None:
    made = together(20, lambda _: people.sign_up(store, "bob@example.com", PASSWORD, clock()))
    assert sum(account_id is not None for account_id in made) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("a.b+c@example.com", "a.b+c@example.com"),
        ("ü@exämple.de", "ü@exämple.de"),
    ],
)
def test_an_address_has_one_form(text: str, expected: str) -> None:
    assert people.address(text) == expected


def test_a_hash_is_argon2id_with_the_parameters_owasp_names() -> None:
    stored = passwords.hash_password(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(stored, PASSWORD)
    assert not passwords.verify(stored, PASSWORD + " ")
    assert not passwords.verify(None, PASSWORD)
    assert not passwords.verify("not a hash", PASSWORD)
    assert not passwords.is_outdated(stored)


def test_a_hash_with_old_parameters_is_renewed_at_the_next_sign_in(store: Store, ada: int) -> None:
    old = passwords.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    people._change(store, ada, password_hash=old)
    assert people.authenticate(store, "ada@example.com", PASSWORD) is not None
    assert not passwords.is_outdated(people.get(store, ada).password_hash)


def test_the_shipped_list_has_thousands_of_common_passwords() -> None:
    lines = passwords.COMMON.read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith("#")]
    assert len(words) >= 3000
    for word in words[:3000]:
        with pytest.raises(passwords.WeakPassword):
            passwords.check(word)


def test_a_disabled_person_is_signed_out_and_learns_why_with_the_password(store: Store, clock: Clock, ada: int) -> None:
    token = sessions.start(store, ada, clock())
    accounts.disable(store, ada, "a test", clock(), actor="tests")
    person = people.authenticate(store, "ada@example.com", PASSWORD)
    assert person is not None
    assert (person.is_disabled, person.disabled_reason) == (True, "a test")
    assert sessions.find(store, token, clock()) is None
    accounts.enable(store, ada, clock(), actor="tests")
    assert sessions.find(store, token, clock()) is None
    assert not people.get(store, ada).is_disabled


def test_the_database_has_no_token_of_a_session_or_link(store: Store, clock: Clock, ada: int) -> None:
    session = sessions.start(store, ada, clock())
    link = links.make(store, ada, links.RESET, "ada@example.com", clock())
    assert len(session) == len(link) == 43
    with store.read() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM web_sessions").all())
        rows += str(connection.exec_driver_sql("SELECT * FROM links").all())
    for token in (session, link):
        assert token not in rows
        assert hashlib.sha256(token.encode()).hexdigest() in rows


def test_a_session_ends_when_idle_and_after_its_longest_life(store: Store, clock: Clock, ada: int) -> None:
    idle = sessions.start(store, ada, clock())
    clock.forward(days=13)
    assert sessions.find(store, idle, clock()) is not None
    clock.forward(days=13)
    assert sessions.find(store, idle, clock()) is not None
    clock.forward(days=14)
    assert sessions.find(store, idle, clock()) is None
    busy = sessions.start(store, ada, clock())
    for _ in range(7):
        clock.forward(days=8)
        assert sessions.find(store, busy, clock()) is not None
    clock.forward(days=4)
    assert sessions.find(store, busy, clock()) is None


def test_sessions_end_one_by_one_or_all_but_one(store: Store, clock: Clock, ada: int) -> None:
    bob = people.sign_up(store, "bob@example.com", PASSWORD, clock())
    assert bob is not None
    tokens = [sessions.start(store, ada, clock(), f"agent {number}") for number in range(4)]
    first, second, third, fourth = (
        viewer.session_id for token in tokens if (viewer := sessions.find(store, token, clock())) is not None
    )
    assert not sessions.end(store, bob, first)
    assert sessions.end(store, ada, first)
    assert {row.id for row in sessions.list_all(store, ada, clock())} == {second, third, fourth}
    assert sessions.end_all(store, ada, but=third) == 2
    assert [row.agent for row in sessions.list_all(store, ada, clock())] == ["agent 2"]


@pytest.mark.parametrize(
    ("purpose", "lives"), [(links.VERIFY, {"hours": 24}), (links.RESET, {"minutes": 10}), (links.EMAIL, {"hours": 24})]
)
def test_a_link_is_used_once_and_expires(
    store: Store, clock: Clock, ada: int, purpose: str, lives: dict[str, float]
) -> None:
    token = links.make(store, ada, purpose, "ada@example.com", clock())
    others = {links.VERIFY, links.RESET, links.EMAIL} - {purpose}
    assert all(links.use(store, token, other, clock()) is None for other in others)
    for _ in range(5):
        assert links.peek(store, token, purpose, clock()) is not None
    used = together(10, lambda _: links.use(store, token, purpose, clock()))
    assert sum(person is not None for person in used) == 1
    late = links.make(store, ada, purpose, "ada@example.com", clock())
    clock.forward(**lives)
    assert links.peek(store, late, purpose, clock()) is None
    assert links.use(store, late, purpose, clock()) is None


def test_a_new_link_replaces_the_one_before(store: Store, clock: Clock, ada: int) -> None:
    first = links.make(store, ada, links.RESET, "ada@example.com", clock())
    second = links.make(store, ada, links.RESET, "ada@example.com", clock())
    assert links.peek(store, first, links.RESET, clock()) is None
    assert links.peek(store, second, links.RESET, clock()) is not None


def test_tries_count_over_any_hour_and_say_when_to_come_back(store: Store, clock: Clock) -> None:
    for _ in range(3):
        throttle.take(store, clock(), (ONE_HOUR, "ada"))
        clock.forward(minutes=10)
    with pytest.raises(TooMany) as refusal:
        throttle.take(store, clock(), (ONE_HOUR, "ada"))
    assert refusal.value.retry_after_s == 30 * 60 + 1
    throttle.take(store, clock(), (ONE_HOUR, "bob"))
    clock.forward(minutes=30)
    throttle.take(store, clock(), (ONE_HOUR, "ada"))
    with pytest.raises(TooMany):
        throttle.take(store, clock(), (ONE_HOUR, "ada"))
    throttle.forget(store, (ONE_HOUR, "ada"))
    throttle.take(store, clock(), (ONE_HOUR, "ada"))


def test_a_refused_try_counts_nowhere(store: Store, clock: Clock) -> None:
    other = Rule("other", 100, timedelta(hours=1))
    for _ in range(3):
        throttle.take(store, clock(), (ONE_HOUR, "ada"), (other, "ada"))
    with pytest.raises(TooMany):
        throttle.take(store, clock(), (ONE_HOUR, "ada"), (other, "ada"))
    assert throttle.count(store, other, "ada") == 3


def test_sixty_tries_at_once_let_three_through(store: Store, clock: Clock) -> None:
    def is_let_through(_: int) -> bool:
        try:
            throttle.take(store, clock(), (ONE_HOUR, "ada"), (ONE_HOUR, "her address"))
        except TooMany:
            return False
        return True

    assert sum(together(60, is_let_through)) == 3


def test_tries_that_count_under_the_same_names_in_another_order_do_not_block_each_other(
    store: Store, clock: Clock
) -> None:
    names = [(ONE_HOUR, "ada"), (ONE_HOUR, "bob")]

    def is_let_through(number: int) -> bool:
        try:
            throttle.take(store, clock(), *(names if number % 2 else reversed(names)))
        except TooMany:
            return False
        return True

    assert sum(together(40, is_let_through)) == 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        (None, "unknown"),
        ("x", "unknown"),
    ],
)
def test_a_sender_is_an_address_or_a_64_network(address: str | None, network: str) -> None:
    assert throttle.network(address) == network


SERVER = "server secret"


def enrol(store: Store, clock: Clock, account_id: int) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    totp.begin(store, account_id)
    secret = totp.secret(store, SERVER, account_id)
    assert secret is not None
    otp = pyotp.TOTP(secret)
    return otp, totp.confirm(store, SERVER, account_id, otp.at(clock()), clock())


def test_a_code_counts_once_within_half_a_minute(store: Store, clock: Clock, ada: int) -> None:
    otp, codes = enrol(store, clock, ada)
    assert len(set(codes)) == 10
    assert not totp.check(store, SERVER, ada, otp.at(clock()), clock())
    clock.forward(seconds=30)
    code = otp.at(clock())
    assert totp.check(store, SERVER, ada, f"{code[:3]} {code[3:]}", clock())
    assert not totp.check(store, SERVER, ada, code, clock())
    clock.forward(seconds=300)
    assert totp.check(store, SERVER, ada, otp.at(clock() - timedelta(seconds=30)), clock())
    assert not totp.check(store, SERVER, ada, otp.at(clock() - timedelta(seconds=60)), clock())
    assert not totp.check(store, SERVER, ada, otp.at(clock() + timedelta(seconds=60)), clock())
    assert not totp.check(store, "another server", ada, otp.at(clock()), clock())


def test_a_second_factor_needs_a_right_code_to_go_on(store: Store, clock: Clock, ada: int) -> None:
    totp.begin(store, ada)
    assert totp.confirm(store, SERVER, ada, "000000", clock()) == ()
    assert not people.get(store, ada).has_second_factor


def test_beginning_again_does_not_replace_a_confirmed_secret(store: Store, clock: Clock, ada: int) -> None:
    enrol(store, clock, ada)
    before = totp.secret(store, SERVER, ada)
    totp.begin(store, ada)
    assert totp.secret(store, SERVER, ada) == before


def test_a_recovery_code_works_once_and_for_its_owner(store: Store, clock: Clock, ada: int) -> None:
    _, codes = enrol(store, clock, ada)
    bob = people.sign_up(store, "bob@example.com", PASSWORD, clock())
    assert bob is not None
    assert not totp.recover(store, bob, codes[0])
    assert totp.recover(store, ada, codes[0])
    assert not totp.recover(store, ada, codes[0])
    assert totp.left(store, ada) == 9
    totp.switch_off(store, ada)
    assert totp.left(store, ada) == 0
    assert totp.secret(store, SERVER, ada) is None


def test_the_database_alone_gives_no_codes_away(store: Store, clock: Clock, ada: int) -> None:
    _, codes = enrol(store, clock, ada)
    secret = totp.secret(store, SERVER, ada)
    assert secret is not None
    with store.read() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM logins").all())
        rows += str(connection.exec_driver_sql("SELECT * FROM recovery_codes").all())
    assert secret not in rows
    assert not any(code in rows for code in codes)


def test_leaving_ends_everything_and_keeps_no_name(store: Store, clock: Clock, ada: int) -> None:
    token = sessions.start(store, ada, clock())
    link = links.make(store, ada, links.RESET, "ada@example.com", clock())
    enrol(store, clock, ada)
    issued = made.key(store, name="k", mode="live", account_id=ada, now=clock())
    closing.leave(store, ada, clock())
    assert sessions.find(store, token, clock()) is None
    assert links.peek(store, link, links.RESET, clock()) is None
    assert people.find(store, "ada@example.com") is None
    assert keys.list_all(store)[0].revoked_at == clock()
    assert keys.list_all(store)[0].id == issued.key.id


def test_an_address_can_be_changed_to_a_free_one_only(store: Store, clock: Clock, ada: int) -> None:
    people.sign_up(store, "bob@example.com", PASSWORD, clock())
    assert not people.set_email(store, ada, "bob@example.com", clock(), is_proved=True)
    assert people.set_email(store, ada, "lovelace@example.com", clock(), is_proved=True)
    assert people.find(store, "ada@example.com") is None
    person = people.find(store, "lovelace@example.com")
    assert person is not None
    assert person.is_verified


def test_a_reset_that_fails_half_way_leaves_everything_as_it_was(
    store: Store, clock: Clock, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = links.make(store, ada, links.RESET, "ada@example.com", clock())
    session = sessions.start(store, ada, clock())
    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            people.reset_password(store, token, "another good password", clock())
    assert sessions.find(store, session, clock()) is not None
    assert people.authenticate(store, "ada@example.com", PASSWORD) is not None
    assert people.reset_password(store, token, "another good password", clock()) is not None
    assert sessions.find(store, session, clock()) is None
    assert people.authenticate(store, "ada@example.com", "another good password") is not None


def test_of_ten_resets_with_one_link_one_counts(store: Store, clock: Clock, ada: int) -> None:
    token = links.make(store, ada, links.RESET, "ada@example.com", clock())
    done = together(10, lambda n: people.reset_password(store, token, f"a good password, number {n}", clock()))
    assert sum(found is not None for found in done) == 1


def test_sessions_that_ended_and_accounts_that_nobody_confirmed_or_used_are_deleted(
    store: Store, clock: Clock, ada: int
) -> None:
    bob = people.sign_up(store, "bob@example.com", PASSWORD, clock(), is_verified=True)
    eve = people.sign_up(store, "eve@example.com", PASSWORD, clock())
    assert bob is not None
    assert eve is not None
    ended = sessions.start(store, bob, clock())
    clock.forward(days=20)
    sessions.start(store, eve, clock())
    clock.forward(days=11)
    pruning.prune(store, clock(), has_mail=True)
    assert people.find(store, "ada@example.com") is None
    assert people.sign_up(store, "ada@example.com", PASSWORD, clock()) is not None
    # One is confirmed, the other is being used.
    assert people.find(store, "bob@example.com") is not None
    assert people.find(store, "eve@example.com") is not None
    with store.read() as connection:
        digests = connection.exec_driver_sql("SELECT token_sha256 FROM web_sessions").scalars().all()
    assert tokens.digest(ended) not in digests
    assert len(digests) == 1


def test_where_addresses_cannot_be_confirmed_no_account_is_deleted(store: Store, clock: Clock, ada: int) -> None:
    clock.forward(days=100)
    pruning.prune(store, clock(), has_mail=False)
    assert people.find(store, "ada@example.com") is not None
