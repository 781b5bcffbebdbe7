"""The optional second factor: six digits from an authenticator (RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

import pyotp
from sqlalchemy import delete, insert, select, update

from ..store.database import Store
from ..store.tables.accounts import Login, RecoveryCode
from ..store.tables.usage import Account
from . import tokens

STEP_S = 30
# A code of the step before and after is taken as well: clocks differ, and people type slowly.
DRIFT_STEPS = 1
RECOVERY_CODES = 10


def begin(store: Store, account_id: int) -> None:
    """Prepare a new secret; nothing asks for it until `confirm`. A confirmed one stays."""
    with store.write() as connection:
        mine = (Login.account_id == account_id, Login.totp_confirmed_at.is_(None))
        connection.execute(update(Login).where(*mine).values(totp_nonce=secrets.token_hex(16)))


def secret(store: Store, server_secret: str, account_id: int) -> str | None:
    """The secret in base32. It is derived, so that a copy of the database alone gives no codes away."""
    with store.read() as connection:
        nonce = connection.execute(select(Login.totp_nonce).where(Login.account_id == account_id)).scalar()
    return _derive(server_secret, account_id, nonce) if nonce else None


def _derive(server_secret: str, account_id: int, nonce: str) -> str:
    key = hmac.new(server_secret.encode(), f"totp:{account_id}:{nonce}".encode(), hashlib.sha256).digest()
    return base64.b32encode(key[:20]).decode()


def address(store: Store, server_secret: str, account_id: int) -> str | None:
    """The `otpauth://` address an authenticator reads from a QR code."""
    text = secret(store, server_secret, account_id)
    with store.read() as connection:
        email = connection.execute(select(Account.email).where(Account.id == account_id)).scalar()
    return pyotp.TOTP(text).provisioning_uri(name=email or "", issuer_name="LLMRack") if text else None


def check(store: Store, server_secret: str, account_id: int, code: str, now: datetime) -> bool:
    """Whether `code` is right at this moment. A code is taken once."""
    text = secret(store, server_secret, account_id)
    digits = "".join(code.split())
    if text is None or len(digits) != 6 or not digits.isdigit() or not digits.isascii():
        return False
    step_now, otp = int(now.timestamp()) // STEP_S, pyotp.TOTP(text)
    for step in range(step_now - DRIFT_STEPS, step_now + DRIFT_STEPS + 1):
        if hmac.compare_digest(otp.generate_otp(step), digits):
            return _spend(store, account_id, step)
    return False


def _spend(store: Store, account_id: int, step: int) -> bool:
    with store.write() as connection:
        is_new = (Login.totp_last_step.is_(None)) | (Login.totp_last_step < step)
        statement = update(Login).where(Login.account_id == account_id, is_new).values(totp_last_step=step)
        return connection.execute(statement).rowcount == 1


def confirm(store: Store, server_secret: str, account_id: int, code: str, now: datetime) -> tuple[str, ...]:
    """Switch the second factor on; its recovery codes, shown this once. Empty when the code is wrong."""
    if not check(store, server_secret, account_id, code, now):
        return ()
    with store.write() as connection:
        connection.execute(update(Login).where(Login.account_id == account_id).values(totp_confirmed_at=now))
    return renew_recovery_codes(store, account_id)


def switch_off(store: Store, account_id: int) -> None:
    nothing = {"totp_nonce": None, "totp_confirmed_at": None, "totp_last_step": None}
    with store.write() as connection:
        connection.execute(update(Login).where(Login.account_id == account_id).values(nothing))
        connection.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def renew_recovery_codes(store: Store, account_id: int) -> tuple[str, ...]:
    """Ten new codes of 80 bits each; the old ones stop working."""
    codes = tuple(_code() for _ in range(RECOVERY_CODES))
    rows = [{"code_sha256": _digest(account_id, code), "account_id": account_id} for code in codes]
    with store.write() as connection:
        connection.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
        connection.execute(insert(RecoveryCode), rows)
    return codes


def recover(store: Store, account_id: int, code: str) -> bool:
    """Use up one recovery code; whether it was one."""
    mine = (RecoveryCode.account_id == account_id, RecoveryCode.code_sha256 == _digest(account_id, code))
    with store.write() as connection:
        return connection.execute(delete(RecoveryCode).where(*mine)).rowcount == 1


def left(store: Store, account_id: int) -> int:
    """How many recovery codes were not used yet."""
    with store.read() as connection:
        rows = connection.execute(select(RecoveryCode.code_sha256).where(RecoveryCode.account_id == account_id))
        return len(rows.all())


def _code() -> str:
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _digest(account_id: int, code: str) -> str:
    return tokens.digest(f"{account_id}:{''.join(code.lower().replace('-', ' ').split())}")
