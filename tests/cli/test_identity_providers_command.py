"""keyturn identity-providers: listed, deleted, and why a JWT is good or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Keyturn
from tests.support.identity import Identity, trust_unseen, trusted
from tests.support.world import World


@pytest.fixture
def identity(keyturn: Keyturn, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    monkeypatch.setenv("KEYTURN_ALLOWED_NETWORKS", "127.0.0.1")
    with trusted(world) as made:
        yield made


def test_providers_are_listed(keyturn: Keyturn, world: World):
    trust_unseen(world, "okta")

    assert [one["name"] for one in keyturn.json("identity-providers", "list")] == ["okta"]
    assert "https://okta.example.com" in keyturn.said("identity-providers", "list")


def test_a_provider_is_deleted(keyturn: Keyturn, world: World):
    trust_unseen(world, "okta")

    said = keyturn.said("identity-providers", "delete", "okta", "--yes")

    assert said == "okta is deleted.\n"
    assert "'okta'" in keyturn.refused("identity-providers", "delete", "okta", "--yes", code=3)


def test_a_jwt_is_explained_from_a_file_and_from_stdin(
    keyturn: Keyturn, identity: Identity, tmp_path: Path
):
    identity.map()
    token = identity.issuer.issue()
    (tmp_path / "jwt").write_text(f"{token}\n")

    said = keyturn.json("identity-providers", "explain", "--file", str(tmp_path / "jwt"))
    piped = keyturn("identity-providers", "explain", answers=token)

    assert (said["good"], said["subject"]) == (True, "virtualaccount:ci-bot")
    assert piped.code == 0
    assert piped.out.endswith("It is virtualaccount:ci-bot.\n")
    assert token.rpartition(".")[2] not in piped.out


def test_why_a_jwt_is_refused_is_told_and_the_exit_code_tells(keyturn: Keyturn, identity: Identity):
    ended = keyturn("identity-providers", "explain", answers=identity.issuer.issue(aud="x"))

    assert ended.code == 1
    assert "It is refused: wrong_audience." in ended.err
    assert "NO" in ended.out


def test_a_file_that_is_not_there_is_said(keyturn: Keyturn, world: World):
    missing = keyturn.refused("identity-providers", "explain", "--file", "/nowhere", code=1)

    assert "--file: it cannot be read" in missing
