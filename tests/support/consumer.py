"""A consumer: reads its token from where it is kept and calls verify, again and again."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import httpx


@dataclass
class Consumer:
    """Runs in a thread while it is entered; counts the answers and the tokens it used."""

    url: str
    read_token: Callable[[], str]
    every: float = 0.05
    answers: Counter[int] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    unreachable: int = 0

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stop.wait(self.every):
                with contextlib.suppress(FileNotFoundError):
                    self._call(client, self.read_token())

    def _call(self, client: httpx.Client, token: str) -> None:
        self.tokens.add(token)
        try:
            answer = client.get(
                f"{self.url}/api/v1/verify", headers={"Authorization": f"Bearer {token}"}
            )
        except httpx.TransportError:
            self.unreachable += 1
            return
        self.answers[answer.status_code] += 1
        if answer.status_code != 200:
            self.refused.append(answer.text)
