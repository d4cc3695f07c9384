"""The trial of a real store, as an operator starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.trial import (
    ANOTHER_ACCOUNT,
    BY_HAND,
    SINK,
    WRITE,
    strangers,
    subjects,
    trial_of,
)
from tests.conformance.vault_bench import VaultBench

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, urllib.request
address, token, path = sys.argv[1:]
body = b'{"data": {"token": "foreign"}}'
headers = {"X-Vault-Token": token, "Content-Type": "application/json"}
request = urllib.request.Request(f"{address}/v1/secret/data/keyturn/{path}", body, headers)
urllib.request.urlopen(request, timeout=5).close()
"""


def run(**variables: str) -> tuple[int, str]:
    """The trial's exit status and what it printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf"]
    done = subprocess.run(
        [*command, "tests/conformance/test_real_store.py"],
        cwd=ROOT,
        env={**os.environ, **{f"KEYTURN_REAL_{name}": given for name, given in variables.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def config(vault_bench: VaultBench, tmp_path: Path) -> str:
    """The integration's JSON as a manifest has it."""
    named = {"type": "integration/secret-store/hashicorp/vault", "name": "main", "rate": 50}
    file = tmp_path / "vault.json"
    file.write_text(json.dumps({**named, **vault_bench.config()}))
    return str(file)


def test_a_store_that_the_environment_names_is_driven_and_left_as_it_was(
    vault_bench, config, tmp_path
):
    writer = tmp_path / "write.py"
    writer.write_text(WRITER)
    vault = vault_bench.double
    by_hand = f"{sys.executable} {writer} {vault.url} {vault.root_token} {{path}}"

    status, said = run(SINK="hashicorp/vault", CONFIG=config, PATH="trial/{NAME}", WRITE=by_hand)

    assert status == 0, said
    written = {it.path for it in vault.seen("POST /v1/secret/data/keyturn/trial/KEYTURNTRIAL*")}
    assert len(written) > 15
    assert vault._store("").secrets == {}
    assert "canary" not in said


def test_a_store_that_does_not_keep_the_promises_fails(vault_bench, config):
    vault_bench.double.fault("POST /v1/secret/metadata/*", times=None, status=204, body="")

    status, said = run(SINK="hashicorp/vault", CONFIG=config)

    assert status == 1
    assert "test_a_newer_revision_replaces_an_older_one" in said


def test_without_a_command_other_accounts_are_the_only_strangers(monkeypatch):
    monkeypatch.delenv(SINK, raising=False)
    of_doubles = (subjects(), strangers())
    monkeypatch.setenv(SINK, "azure/vault")
    of_a_store = (subjects(), strangers())
    monkeypatch.setenv(WRITE, "az keyvault secret set ...")

    assert of_doubles == (["hashicorp/vault", "custom/file"], [ANOTHER_ACCOUNT, BY_HAND])
    assert of_a_store == (["azure/vault"], [ANOTHER_ACCOUNT])
    assert strangers() == [ANOTHER_ACCOUNT, BY_HAND]


def test_a_trial_without_its_configuration_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.setenv(SINK, "hashicorp/vault")

    with (
        pytest.raises(AssertionError, match="set KEYTURN_REAL_CONFIG to a file"),
        trial_of("hashicorp/vault", tmp_path),
    ):
        pass
