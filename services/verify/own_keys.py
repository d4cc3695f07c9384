"""The public halves of Keyturn's own signing keys, as one process knows them."""

import threading

from sqlalchemy import select

from core import jwts
from core.clock import Clock
from core.jwks import VerificationKey, read_key
from models import SigningKey
from services.database import Database

_PERIOD = 2.0  # seconds between two looks at the table


class OwnKeys:
    """Spares the database JWTs that are forged: whether one is good its row alone says."""

    def __init__(self, database: Database, clock: Clock, issuer: str) -> None:
        self._database = database
        self._clock = clock
        self._issuer = issuer
        self._keys: dict[str, VerificationKey] = {}
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def are_meant(self, said: jwts.Unverified) -> bool:
        """Whether the JWT claims to be Keyturn's own."""
        if said.claims.get("iss") == self._issuer and said.kid not in self._keys:
            self._read()
        return said.claims.get("iss") == self._issuer or self._known(said.kid)

    def refuse(self, text: str, said: jwts.Unverified) -> bool:
        """Whether the signature is not that of the key it names. An unknown key is not judged."""
        key = self._keys.get(said.kid or "")
        return key is not None and not jwts.is_signed_with(text, key, said.algorithm)

    def _known(self, kid: str | None) -> bool:
        if not self._keys:  # it may be of a time when the public URL was another
            self._read()
        return kid in self._keys

    def _read(self) -> None:
        with self._lock:
            now = self._clock.elapsed()
            if now < self._read_at + _PERIOD:
                return
            with self._database.reading() as session:
                found = session.scalars(select(SigningKey.public)).all()
            keys = filter(None, map(read_key, found))
            self._keys = {key.kid: key for key in keys if key.kid}
            self._read_at = now
