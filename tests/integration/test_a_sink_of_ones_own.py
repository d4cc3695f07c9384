"""The example package of docs/sinks/writing-one.md: installed, listed, proved, written through."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.plugins_example.cupboard_bench import API_KEY, Cupboard
from tests.support.installation import Installation, installed
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugins_example"
PAGE = ROOT / "docs" / "sinks" / "writing-one.md"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the example is installed beside Keyturn."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([*pip, *offline, str(EXAMPLE)], check=True, timeout=120)
    outer = {name: value for name, value in os.environ.items() if "KEYTURN" not in name}
    return {**outer, "PYTHONPATH": str(folder)}


@pytest.fixture
def keyturn(tmp_path: Path, environment: dict[str, str]) -> Iterator[Installation]:
    with installed(tmp_path, database_url="", broker_url="") as made:
        made.env = {
            **environment,
            "KEYTURN_DATA_DIR": str(tmp_path / "home"),
            "KEYTURN_TICK": "0.2s",
        }
        yield made


@pytest.fixture
def cupboard() -> Iterator[Cupboard]:
    with Cupboard() as made:
        yield made


def test_an_installed_package_s_kind_is_listed(keyturn):
    listed = {it["type"]: it["title"] for it in keyturn.run_json("plugins")}

    assert listed["integration/secret-store/custom/cupboard"] == "Cupboard"
    assert "integration/secret-store/custom/file" in listed


def test_a_rotation_writes_its_token_through_it(keyturn, cupboard):
    keyturn.start("up", "up", "--port", str(keyturn.port))
    keyturn.wait_ready()
    admin = (Path(keyturn.env["KEYTURN_DATA_DIR"]) / "admin-token").read_text().strip()

    with httpx.Client(
        base_url=keyturn.url, timeout=30, headers={"Authorization": f"Bearer {admin}"}
    ) as client:
        apply(client, integration(cupboard))
        account = apply(client, ACCOUNT)["data"]["id"]
        arrives(keyturn, lambda: "ci/token" in cupboard.shelves)
        first = cupboard.shelves["ci/token"].values[-1]
        rotated = client.post(
            f"/api/svc/v1/virtual-accounts/{account}/regenerate-token",
            json={"gracePeriodInMinutes": 10},
        )
        assert rotated.status_code == 200, rotated.text
        arrives(keyturn, lambda: cupboard.shelves["ci/token"].values[-1] != first)
        written = cupboard.shelves["ci/token"].values[-1].decode()
        verified = httpx.get(
            f"{keyturn.url}/api/v1/verify", headers={"Authorization": f"Bearer {written}"}
        )

    assert written == rotated.json()["token"]
    assert verified.status_code == 200
    assert keyturn.stop_all() == {"up": 0}
    said = keyturn.logs()
    assert API_KEY not in said
    assert written not in said


def test_the_conformance_suite_passes_on_it(environment):
    run = ["tests/conformance/test_sinks.py", "tests/conformance/test_sinks_in_trouble.py"]
    bench = {"KEYTURN_TEST_BENCHES": "tests.plugins_example.cupboard_bench:CupboardBench"}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *run, "-k", "cupboard"],
        cwd=ROOT,
        env={**environment, **bench},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_the_page_shows_the_package_as_it_is():
    page = PAGE.read_text()
    metadata = (EXAMPLE / "pyproject.toml").read_text()
    code = (EXAMPLE / "keyturn_cupboard.py").read_text()
    blocks = [block.split("\n", 1)[1] for block in page.split("```")[1::2]]

    shown = [block.strip("\n") for block in blocks if "keyturn.sinks" in block or "def " in block]
    assert len(shown) >= 3
    assert [block for block in shown if block not in metadata and block not in code] == []


ACCOUNT = {
    "type": "virtual-account",
    "name": "ci-bot",
    "secret_store_configs": [
        {
            "type": "secret-store",
            "integration_fqn": "default:custom:own:secret-store:cupboard",
            "secret_path": "ci/token",
        }
    ],
}


def integration(cupboard: Cupboard) -> dict[str, object]:
    kind = "integration/secret-store/custom/cupboard"
    return {
        "type": "provider-account/custom",
        "name": "own",
        "integrations": [
            {"type": kind, "name": "cupboard", "base_url": cupboard.url, "api_key": API_KEY}
        ],
    }


def arrives(keyturn: Installation, check: Callable[[], bool]) -> None:
    try:
        eventually(check, within=30)
    except AssertionError:
        raise AssertionError(keyturn.logs()) from None


def apply(client: httpx.Client, manifest: dict[str, object]) -> dict[str, dict[str, str]]:
    answer = client.put("/api/svc/v1/apply", json={"manifest": manifest})
    assert answer.status_code == 200, answer.text
    return answer.json()
