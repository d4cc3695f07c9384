"""Searching every output of an installation for what must not be in it (law 9)."""

import threading
from collections.abc import Iterable
from typing import Self

import psycopg
import redis


class Search:
    """Gathers outputs, the broker's traffic while it is entered among them."""

    def __init__(self, broker_url: str) -> None:
        self._gathered: dict[str, list[str]] = {"broker": []}
        self._broker_url = broker_url
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._broker_url.startswith("redis"):
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread is not None:
            with redis.Redis.from_url(self._broker_url) as client:
                client.ping()  # a last command for the watcher to hear
            self._thread.join(10)

    def _watch(self) -> None:
        """Every command that reaches Redis, with its arguments."""
        client = redis.Redis.from_url(self._broker_url, socket_timeout=None)
        with client, client.monitor() as monitor:
            while not self._stop.is_set():
                self._gathered["broker"].append(monitor.next_command()["command"])

    def logs(self, text: str) -> None:
        self.texts("logs", [text])

    def texts(self, name: str, texts: Iterable[str]) -> None:
        self._gathered.setdefault(name, []).extend(texts)

    def database(self, url: str) -> None:
        """Every table as COPY writes it; bytes are in it as hex."""
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                    self.texts("database", [bytes(row).decode() for row in copy])

    def found(self, secrets: set[str], *, but_not_in: tuple[str, ...] = ()) -> list[str]:
        """Where a secret, or its bytes in hex, was found; never with the secret itself."""
        searched = {
            name: "\n".join(texts)
            for name, texts in self._gathered.items()
            if name not in but_not_in
        }
        return [
            f"{name}: …{secret[-4:]}"
            for name, whole in searched.items()
            for secret in secrets
            if secret in whole or secret.encode().hex() in whole
        ]
