"""Logging in with the reference's own command."""

import json
import re

import httpx

from models import LoginSession
from services.engine import tokens
from tests.support.persons import person
from tests.support.world import World
from tests.tfy.conftest import Tfy

TEAM = "type: team\nname: platform\nmembers: []\n"


def kept(tfy: Tfy) -> dict[str, str]:
    """What the command keeps of a login."""
    return json.loads((tfy.home / ".truefoundry" / "credentials.json").read_text())


def test_a_virtual_account_logs_in_with_its_token(tfy: Tfy, admin_token: str):
    said = tfy.log_in(admin_token)

    assert said == f"Successfully logged in to '{tfy.server}' as 'keyturn-admin'"
    assert kept(tfy)["access_token"] == admin_token


def test_a_person_logs_in_with_a_personal_access_token(tfy: Tfy, world: World):
    said = tfy.log_in(person(world, token_name="laptop").token)

    assert said == f"Successfully logged in to '{tfy.server}' as 'laptop'"


def test_a_token_that_does_not_work_logs_nobody_in(tfy: Tfy, world: World):
    account, token = world.create()
    tokens.revoke_all(world.runtime, world.admin, account.id)

    ended = tfy("login", "--host", tfy.server, "--api-key", token.reveal())

    assert ended.code == 1
    assert "This call needs a valid bearer token: revoked." in ended.out
    assert not (tfy.home / ".truefoundry" / "credentials.json").exists()


def test_a_person_logs_in_by_a_code_that_is_approved_elsewhere(
    tfy: Tfy, world: World, anybody: httpx.Client
):
    ann = person(world, "admin@example.com")

    with tfy.started("login", "--host", tfy.server) as run:
        assert run.stdout is not None
        code = re.search("/device[?]code=([A-Z-]{9})$", run.stdout.readline().strip())
        assert code is not None
        approved = anybody.post(
            "/api/v1/device/approve", json={"userCode": code[1]}, headers=ann.bearer
        )
        said, _ = run.communicate(timeout=60)

    assert approved.status_code == 200
    logged_in = f"Successfully logged in to '{tfy.server}' as 'admin@example.com'"
    assert " ".join(said.split()).endswith(logged_in)
    assert kept(tfy)["access_token"].startswith("tfy_ses_")
    assert "configured manifest platform of type team." in tfy.said("apply", "-f", tfy.file(TEAM))
    (session,) = world.rows(LoginSession)
    assert session.personal_access_token_id == ann.token_id
