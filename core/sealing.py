"""Sealing: envelope encryption of what must be read back.

A tenant's data keys seal values; a master key wraps the data keys. AES-256-GCM
throughout, 96-bit random nonces, and the identity of the row as associated data, so
that a sealed value opens only in the row it was sealed for.

    sealed  = 0x01 | data key number (4 bytes) | nonce (12) | ciphertext and tag
    wrapped = 0x01 | nonce (12) | ciphertext and tag
"""

import base64
import binascii
import os
from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import MasterKeyMissing, Misconfigured, SealBroken

_FORMAT = b"\x01"
_KEY_BYTES = 32


class MasterKey:
    """One key that wraps data keys. Its id is derived from it, so a wrong key shows at once."""

    def __init__(self, key: bytes) -> None:
        self.id = sha256(b"keyturn master key " + key).hexdigest()[:12]
        self._cipher = AESGCM(key)

    @classmethod
    def parse(cls, text: str) -> "MasterKey":
        """Reads 32 bytes of base64; the error never quotes the text."""
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise Misconfigured(
                "A master key is 32 random bytes in base64; make one with `keyturn keys new`."
            )
        return cls(key)

    @staticmethod
    def generate() -> str:
        """A new master key as text, for a file of mode 0600 or a secret in the environment."""
        return base64.b64encode(os.urandom(_KEY_BYTES)).decode()

    def wrap(self, key: bytes, identity: bytes) -> bytes:
        nonce = os.urandom(12)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, key, identity)

    def unwrap(self, wrapped: bytes, identity: bytes) -> bytes:
        return _open(self._cipher, wrapped[:1], wrapped[1:], identity)


class MasterKeys:
    """The master keys a process holds: the first wraps, all unwrap."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        self._keys = {key.id: key for key in keys}
        self.ids = [key.id for key in keys]

    @property
    def first(self) -> MasterKey:
        if not self.ids:
            raise MasterKeyMissing(
                "No master key is configured: set KEYTURN_MASTER_KEYS or KEYTURN_MASTER_KEYS_FILE."
            )
        return self._keys[self.ids[0]]

    def get(self, key_id: str) -> MasterKey:
        """The key with this id; MasterKeyMissing says which one the database was sealed with."""
        if key_id not in self._keys:
            held = ", ".join(self.ids) or "none"
            raise MasterKeyMissing(
                f"The database is sealed with master key {key_id}; this process holds: {held}. "
                "Put the missing key into KEYTURN_MASTER_KEYS or KEYTURN_MASTER_KEYS_FILE."
            )
        return self._keys[key_id]


class DataKey:
    """One tenant's key for sealing values."""

    def __init__(self, number: int, key: bytes) -> None:
        self.number = number
        self._cipher = AESGCM(key)

    @staticmethod
    def generate() -> bytes:
        return os.urandom(_KEY_BYTES)

    def seal(self, value: bytes, identity: bytes) -> bytes:
        nonce = os.urandom(12)
        head = _FORMAT + self.number.to_bytes(4, "big")
        return head + nonce + self._cipher.encrypt(nonce, value, identity)

    def open(self, sealed: bytes, identity: bytes) -> bytes:
        """What was sealed with this key for this row; SealBroken for anything else."""
        if data_key_number(sealed) != self.number:
            raise SealBroken
        return _open(self._cipher, sealed[:1], sealed[5:], identity)


def data_key_number(sealed: bytes) -> int:
    """Which of the tenant's data keys sealed this."""
    return int.from_bytes(sealed[1:5], "big")


def row_identity(table: str, tenant: UUID, row: UUID | int) -> bytes:
    """The associated data of a value sealed in this row."""
    return f"{table}/{tenant}/{row}".encode()


def _open(cipher: AESGCM, form: bytes, body: bytes, identity: bytes) -> bytes:
    if form != _FORMAT:
        raise SealBroken
    try:
        return cipher.decrypt(body[:12], body[12:], identity)
    except (InvalidTag, ValueError):
        raise SealBroken from None
