"""`keyturn up`, as a newcomer has it: one process, SQLite, no broker."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.support.consumer import Consumer
from tests.support.installation import Installation, installed
from tests.support.outside import Outside
from tests.support.waiting import eventually

ROTATIONS = 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    """`keyturn up` with its data in a folder of its own."""
    with installed(tmp_path, database_url="", broker_url="") as keyturn:
        for name in list(keyturn.env):
            if name.startswith("KEYTURN_"):
                del keyturn.env[name]
        keyturn.env["KEYTURN_DATA_DIR"] = str(tmp_path / "home")
        keyturn.env["KEYTURN_TICK"] = "0.2s"
        yield keyturn


def start(home: Installation, *arguments: str) -> httpx.Client:
    home.start("up", "up", "--port", str(home.port), *arguments)
    home.wait_ready()
    token = (Path(home.env["KEYTURN_DATA_DIR"]) / "admin-token").read_text().strip()
    return httpx.Client(base_url=home.url, timeout=30, headers={"Authorization": f"Bearer {token}"})


def test_a_consumer_of_a_file_and_of_vault_sees_no_401_across_twenty_rotations(
    home: Installation, outside: Outside
):
    with start(home) as client:
        for manifest in (outside.manifests()[0], outside.manifests()[3]):
            outside.apply(client, manifest)
        manifest = outside.account("ci-bot")
        manifest["secret_store_configs"] = [
            {**store, "integration_fqn": store["integration_fqn"].replace("acme:", "default:")}
            for store in manifest["secret_store_configs"]
            if "aws" not in store["integration_fqn"]
        ]
        del manifest["notification_targets"]
        account = outside.apply(client, manifest)["data"]["id"]
        kept = Path(home.env["KEYTURN_DATA_DIR"]) / "files" / "ci-bot" / "token"
        eventually(kept.exists, within=20)
        eventually(lambda: outside.vault.versions("ci-bot/token"), within=20)

        with (
            Consumer(home.url, lambda: kept.read_text().strip()) as by_file,
            Consumer(
                home.url, lambda: outside.vault.versions("ci-bot/token")[-1][1]["token"]
            ) as by_vault,
        ):
            eventually(
                lambda: (
                    client.get(f"/api/svc/v1/virtual-accounts/{account}").json()["data"][
                        "generation"
                    ]
                    > ROTATIONS
                ),
                within=120,
            )

    assert by_file.refused == by_vault.refused == []
    assert len(by_file.tokens) >= ROTATIONS
    assert home.stop_all() == {"up": 0}


def test_the_demo_says_what_happens_and_where_the_first_admins_token_lies(home: Installation):
    with start(home, "--demo"):
        log = home.processes["up"].log
        eventually(lambda: "delivered" in log.read_text(), within=20)
    home.stop_all()

    folder = Path(home.env["KEYTURN_DATA_DIR"])
    said = log.read_text()
    token = (folder / "admin-token").read_text().strip()
    assert f"Keyturn is at {home.url}" in said
    assert f"token is in {folder}/admin-token" in said
    assert re.search(r"\d\d:\d\d:\d\d  created +demo-bot, generation 1", said)
    assert re.search(r"\d\d:\d\d:\d\d  delivered +demo-bot, generation 1, to .*:files", said)
    assert token not in said
    assert token not in (folder / "keyturn.log").read_text()
    assert stat.S_IMODE((folder / "admin-token").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "master-key").stat().st_mode) == 0o600


def test_the_console_is_at_the_root_and_the_machine_itself_is_a_way_in(home: Installation):
    with start(home), httpx.Client(base_url=home.url, headers={"Origin": home.url}) as browser:
        asked = browser.get("/")
        link = home.run("admin", "sign-in-link", "--url", home.url).stdout.strip()
        shown = browser.get(link)
        token = parse_qs(urlsplit(link).query)["token"][0]
        signed_in = browser.post("/welcome", data={"token": token})
        overview = browser.get("/")

        with browser.stream("GET", "/live") as pages:
            assert next(pages.iter_lines()) == "retry: 2000"
            ended = home.stop_all()  # waits for no open page

    assert asked.headers["location"] == "/sign-in"
    assert "admin@localhost" in shown.text
    assert signed_in.headers["location"] == "/?done=signed-in"
    assert "Nothing rotates on schedule" in overview.text
    assert ended == {"up": 0}
    log = Path(home.env["KEYTURN_DATA_DIR"]) / "keyturn.log"
    assert token not in log.read_text()
    assert "tfy_ses_" not in log.read_text()


def test_a_second_up_on_the_same_folder_is_refused_with_what_to_do(home: Installation):
    with start(home):
        second = home.run("up", "--port", "0", check=False)

    assert second.returncode == 1
    assert "Another `keyturn up` uses" in second.stderr


def test_a_taken_port_is_a_clear_error(home: Installation):
    with start(home):
        second = home.run(
            "up", "--port", str(home.port), "--data-dir", str(home.folder / "other"), check=False
        )

    assert second.returncode == 4
    assert "choose another --port" in second.stderr


def test_what_was_there_is_there_after_a_restart(home: Installation):
    with start(home) as client:
        put = client.put(
            "/api/svc/v1/virtual-accounts", json={"manifest": {"name": "ci-bot"}}
        ).json()
    home.stop_all()

    with start(home) as client:
        read = client.get(f"/api/svc/v1/virtual-accounts/{put['data']['id']}/token").json()

    assert read["token"] == put["token"]


def test_a_lost_master_key_is_an_error_at_start_and_never_a_new_key(home: Installation):
    with start(home):
        home.stop_all()
    key = Path(home.env["KEYTURN_DATA_DIR"]) / "master-key"
    key.rename(key.with_name("moved-away"))

    refused = home.run("up", "--port", "0", check=False)

    assert refused.returncode == 4
    assert "Put the file back" in refused.stderr
    assert not key.exists()


def test_the_command_line_works_beside_it_and_is_heard_within_a_tick(home: Installation):
    with start(home, "--demo"):
        kept = Path(home.env["KEYTURN_DATA_DIR"]) / "files" / "demo-bot" / "token"
        eventually(kept.exists, within=20)
        before = kept.read_text()

        rotated = home.run_json("accounts", "rotate", "demo-bot")

        eventually(lambda: kept.read_text() != before, within=10)
        listed = home.run_json("accounts", "list")
        findings = home.run_json("doctor")
        planned = home.run_json("plan", "--days", "1")
        plugins = home.run_json("plugins")

    assert rotated["generation"] == 2
    assert [account["name"] for account in listed] == ["demo-bot", "keyturn-admin"]
    assert {finding["health"] for finding in findings} == {"ok"}
    assert planned["total"] >= 1430
    assert "integration/secret-store/custom/file" in [plugin["type"] for plugin in plugins]
    assert json.dumps(listed).count("tfy_vat_") == 0
