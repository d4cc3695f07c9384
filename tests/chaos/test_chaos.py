"""Everything fails, again and again, while keys are turned; afterwards all must be right.

Fast rotations of many accounts into three stores and a mailbox, with two workers and two
beats as processes of their own. What is broken when comes from a seed, so a failure repeats.
"""

import random
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.consumer import Consumer
from tests.support.installation import Installation, installed
from tests.support.outside import Outside
from tests.support.postgres import Postgres
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

ACCOUNTS = 20
ROTATIONS = 200
GRACE = timedelta(seconds=3)


@dataclass
class Chaos:
    """An installation, everything around it, and what can go wrong with it."""

    keyturn: Installation
    outside: Outside
    postgres: Postgres
    redis: RedisServer
    client: httpx.Client
    clock_file: Path
    accounts: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def kill(self, name: str) -> Callable[[], None]:
        def act() -> None:
            self.keyturn.processes[name].kill()
            self.keyturn.processes[name].start()

        return act

    def lose_answers(self) -> None:
        self.outside.vault.fault("POST /v1/secret/data/*", times=2, lose_answer=True)
        self.outside.aws.fault("PutSecretValue", times=2, lose_answer=True)
        self.outside.mail.lose_answer(1)

    def store_down(self) -> None:
        self.outside.vault.stop()
        threading.Event().wait(2)
        self.outside.vault.start()

    def mail_down(self) -> None:
        self.outside.mail.stop()
        threading.Event().wait(1)
        self.outside.mail.start()

    def step_clock(self) -> None:
        """The second worker's host goes to another time, some minutes ahead or behind."""
        steps = {"+0000.000s": "+0300.000s", "+0300.000s": "-0300.000s", "-0300.000s": "+0000.000s"}
        offset = steps[self.clock_file.read_text().strip()]
        with self.clock_file.open("r+b", buffering=0) as file:
            file.write(f"{offset}\n".encode())

    @property
    def acts(self) -> dict[str, Callable[[], None]]:
        return {
            "worker 0 killed": self.kill("worker-0"),
            "worker 1 killed": self.kill("worker-1"),
            "a worker's clock stepped": self.step_clock,
            "beat 0 killed": self.kill("beat-0"),
            "beat 1 killed": self.kill("beat-1"),
            "answers lost": self.lose_answers,
            "Vault down": self.store_down,
            "mail down": self.mail_down,
            "broker flushed": self.redis.flush,
            "broker restarted": self.redis.restart,
            "PostgreSQL restarted": self.postgres.restart,
        }

    def rotations(self) -> int:
        rows = self.keyturn.database(
            "SELECT coalesce(sum(generation - 1), 0) FROM virtual_accounts"
        )
        return int(rows[0][0])

    def pause_all(self) -> None:
        for account in self.accounts:
            eventually(
                lambda account=account: (
                    self.client.post(f"/api/svc/v1/virtual-accounts/{account}/pause").status_code
                    == 200
                ),
                within=20,
            )

    def is_settled(self) -> bool:
        waiting = self.keyturn.database(
            "SELECT (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')),"
            " (SELECT count(*) FROM tokens WHERE state = 'grace')"
        )
        return waiting == [(0, 0)]


@pytest.fixture
def chaos(tmp_path: Path, outside: Outside) -> Iterator[Chaos]:
    with Postgres(own=True) as postgres, RedisServer(own=True) as redis:
        url = postgres.create_database("keyturn")
        with (
            installed(tmp_path, database_url=url, broker_url=redis.url) as keyturn,
            httpx.Client(base_url=keyturn.url, timeout=30) as client,
        ):
            client.headers["Authorization"] = f"Bearer {keyturn.prepare()}"
            keyturn.start("api", "api", "--port", str(keyturn.port))
            clock_file = tmp_path / "clock"
            clock_file.write_text("+0000.000s\n")
            keyturn.start("worker-0", "worker")
            keyturn.start("worker-1", "worker", clock_file=clock_file)
            for number in range(2):
                keyturn.start(f"beat-{number}", "beat")
            keyturn.wait_ready()
            made = Chaos(keyturn, outside, postgres, redis, client, clock_file)
            for manifest in outside.manifests():
                for integration in manifest["integrations"]:
                    if integration["name"] in {"kv-main", "secrets", "mail"}:
                        integration["timeout"] = 0.5
                outside.apply(client, manifest)
            for number in range(ACCOUNTS):
                manifest = outside.account(f"bot-{number:02}", interval="2s", grace="3s")
                manifest["notification_targets"] = manifest["notification_targets"][:1]
                made.accounts.append(outside.apply(client, manifest)["data"]["id"])
            yield made


def test_two_hundred_rotations_survive_kills_restarts_outages_and_lost_answers(
    chaos: Chaos, tmp_path: Path
):
    dice = random.Random(20260302)
    kept = tmp_path / "files" / "bot-00" / "token"
    eventually(kept.exists, within=30)
    eventually(lambda: chaos.outside.vault.versions("bot-01/token"), within=30)
    with (
        Consumer(chaos.keyturn.url, lambda: kept.read_text().strip(), every=0.1) as by_file,
        Consumer(
            chaos.keyturn.url,
            lambda: chaos.outside.vault.versions("bot-01/token")[-1][1]["token"],
            every=0.1,
        ) as by_vault,
    ):
        order: list[str] = []
        stop = threading.Event()

        def break_things() -> None:
            while not stop.wait(dice.uniform(0.5, 2.5)):
                if not order:
                    order.extend(dice.sample(sorted(chaos.acts), len(chaos.acts)))
                chaos.acts[order[0]]()
                chaos.done.append(order.pop(0))

        monkey = threading.Thread(target=break_things)
        monkey.start()
        try:
            eventually(lambda: chaos.rotations() >= ROTATIONS and len(chaos.done) >= 20, within=900)
        finally:
            stop.set()
            monkey.join(30)
        chaos.pause_all()
        eventually(chaos.is_settled, within=180, every=0.5)

    for consumer in (by_file, by_vault):
        assert set(consumer.answers) <= {200, 503}  # 503 while PostgreSQL was away
        assert consumer.answers[200] > 200
    check_tokens(chaos)
    check_stores(chaos)
    check_notices(chaos)
    check_clock(chaos)


def check_clock(chaos: Chaos) -> None:
    """The worker has lived in another time indeed."""
    log = (chaos.keyturn.folder / "worker-1.log").read_text()
    seen = sorted(re.findall(r'"timestamp": "([^"]+)"', log))
    first, last = map(datetime.fromisoformat, (seen[0], seen[-1]))
    assert last - first > timedelta(minutes=5)


def check_tokens(chaos: Chaos) -> None:
    """One current token each; every predecessor kept exactly the deadline it was given."""
    current = chaos.keyturn.database(
        "SELECT account_id, count(*) FROM tokens WHERE state = 'current' GROUP BY account_id"
    )
    assert {count for _, count in current} == {1}
    assert len(current) == ACCOUNTS + 1  # and the admin's
    wrong = chaos.keyturn.database(
        """
        SELECT old.generation, old.grace_until, new.created_at, old.valid_until, old.ended_at
        FROM tokens old JOIN tokens new
          ON new.account_id = old.account_id AND new.generation = old.generation + 1
        WHERE old.grace_until <> new.created_at + interval '3 seconds'
           OR old.valid_until < old.grace_until
           OR old.valid_until > old.hold_until
           OR old.ended_at < old.valid_until
           OR old.released_at IS NULL
           OR (old.valid_until > old.grace_until
               AND old.valid_until > old.released_at + interval '2 seconds')
        """
    )
    assert wrong == []


def check_stores(chaos: Chaos) -> None:
    """Every store holds the newest token, and no token makes two versions."""
    for number, account in enumerate(chaos.accounts):
        path = f"bot-{number:02}/token"
        newest = chaos.client.get(f"/api/svc/v1/virtual-accounts/{account}/token").json()["token"]
        in_vault = [data["token"] for _, data in chaos.outside.vault.versions(path) if data]
        in_aws = chaos.outside.aws.versions(path)
        current = [v["value"] for v in in_aws if "AWSCURRENT" in v["stages"]]
        on_disk = (chaos.keyturn.folder / "files" / path).read_text().strip()
        assert [in_vault[-1], *current, on_disk] == [newest] * 3
        assert len(set(in_vault)) == len(in_vault)
        assert len({v["value"] for v in in_aws}) == len(in_aws)


def check_notices(chaos: Chaos) -> None:
    """Every event reached its recipient; what came twice came under the same Message-ID."""
    wanted = {
        str(row[0])
        for row in chaos.keyturn.database(
            "SELECT id FROM deliveries WHERE action = 'notice' AND state = 'done'"
        )
    }
    lost = chaos.keyturn.database("SELECT count(*) FROM deliveries WHERE state = 'failed'")
    got = {
        mail.message["Message-ID"].strip("<>").split("@")[0] for mail in chaos.outside.mail.messages
    }
    assert lost == [(0,)]
    assert got == wanted
