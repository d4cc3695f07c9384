"""npm's oidc-provider, the real thing: its JWTs as bearers, exchanged, and people logging in."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.errors import InvalidInput, NotFound, Unready
from core.tokens import TokenKind, mint
from models import AuditRow, LoginSession, SignIn
from services.identity import single_sign_on
from services.identity.identity_providers import put_identity_provider
from services.identity.single_sign_on import (
    Begun,
    begin_sign_in,
    finish_sign_in,
    sign_in_choices,
)
from services.identity.token_exchange import Exchanged, exchange_token
from services.operation import housekeeping
from services.people import user_life
from services.people.sign_in import Opened
from services.verify.verdicts import Rejected
from services.verify.verification import Verified, verify
from tests.support.identity import trust_unseen
from tests.support.oidc_provider import AUDIENCE, SECRET, OidcProvider, oidc_provider
from tests.support.persons import person
from tests.support.world import World, new_world

PUBLIC = "http://127.0.0.1:8400"
BACK = f"{PUBLIC}/console/signed-in"
ANN = "ann@example.com"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(BACK) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """At this moment, since the provider has a clock of its own."""
    with new_world(f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files") as made:
        ahead = datetime.now(UTC) - made.clock.now()
        made.clock.pass_(seconds=ahead.total_seconds())
        yield made


Trust = Callable[..., UUID]


@pytest.fixture
def trust(world: World, provider: OidcProvider) -> Trust:
    """The world's tenant trusts the provider; answers the id that it has here."""

    def made(method: str = "client_secret_basic", **manifest: Any) -> UUID:
        sign_in = {"client_id": f"keyturn-{method}"}
        sign_in |= {} if method == "none" else {"client_secret": SECRET}
        given = {
            "name": "idp",
            "issuer": provider.url,
            "audiences": [AUDIENCE],
            "sign_in": sign_in,
            **manifest,
        }
        put = put_identity_provider(world.runtime, world.admin, given)
        assert put.warnings == []
        return put.row.id

    return made


def workload(world: World) -> None:
    mapping = [{"identity_provider": "idp", "value": "workload"}]
    world.put(identity_provider_mapping=mapping)


def whose(world: World, text: str) -> str:
    verdict = verify(world.runtime, text)
    return verdict.subject if isinstance(verdict, Verified) else verdict.reason.value


def finish(world: World, begun: Begun, back: dict[str, str], **more: Any) -> Opened | Rejected:
    given = {"kept": begun.kept.reveal(), "state": back["state"], "code": back["code"], **more}
    return finish_sign_in(world.runtime, **given)


def test_a_workloads_jwt_is_a_bearer_and_is_exchanged(
    world: World, trust: Trust, provider: OidcProvider
):
    trust()
    workload(world)
    token = provider.workload_jwt()

    made = exchange_token(world.runtime, token)

    assert whose(world, token) == "ci-bot"
    assert isinstance(made, Exchanged)
    assert whose(world, made.token.reveal()) == "ci-bot"


def test_a_provider_that_turned_its_keys_is_understood_at_once(
    world: World, trust: Trust, provider: OidcProvider
):
    trust()
    workload(world)
    old = provider.workload_jwt()
    before = whose(world, old)

    provider.stop()
    away = whose(world, old)
    provider.start("key-2")

    assert (before, away) == ("ci-bot", "ci-bot")
    assert whose(world, provider.workload_jwt()) == "ci-bot"
    assert whose(world, old) == "unknown_key"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_person_logs_in_and_has_a_session(
    world: World, trust: Trust, provider: OidcProvider, method: str
):
    ann = person(world)
    provider_id = trust(method)

    begun = begin_sign_in(world.runtime, provider_id, BACK)
    back = provider.log_in(begun.url, ANN)
    opened = finish(world, begun, back, issuer=back["iss"], address="192.0.2.7", request_id="r-1")

    assert isinstance(opened, Opened)
    verified = verify(world.runtime, opened.token.reveal())
    assert isinstance(verified, Verified)
    assert (verified.subject_id, verified.is_session) == (ann.id, True)
    (audited,) = world.rows(AuditRow, AuditRow.action == "session.opened")
    assert audited.detail == {"by": "single sign-on", "identity_provider": "idp"}
    assert (audited.actor["address"], audited.actor["request_id"]) == ("192.0.2.7", "r-1")


def test_an_address_in_the_id_token_spares_a_question(world: World):
    person(world)
    with oidc_provider(BACK, in_id_token=True) as provider:
        sign_in = {"client_id": "keyturn-none"}
        given = {"name": "idp", "issuer": provider.url, "audiences": ["x"], "sign_in": sign_in}
        put = put_identity_provider(world.runtime, world.admin, given)
        begun = begin_sign_in(world.runtime, put.row.id, BACK)

        opened = finish(world, begun, provider.log_in(begun.url, ANN))

    assert isinstance(opened, Opened)


@pytest.mark.parametrize(
    ("email", "reason"),
    [("eve@example.com", "unmapped"), ("unverified@example.com", "unmapped"), (ANN, "inactive")],
)
def test_who_is_nobody_here_or_not_active_has_no_session(
    world: World, trust: Trust, provider: OidcProvider, email: str, reason: str
):
    person(world)
    person(world, "unverified@example.com")
    user_life.set_active(world.runtime, world.admin, ANN, active=False)
    begun = begin_sign_in(world.runtime, trust(), BACK)

    refused = finish(world, begun, provider.log_in(begun.url, email))

    assert isinstance(refused, Rejected)
    assert refused.reason.value == reason
    assert world.rows(LoginSession) == []


def test_the_providers_conditions_hold_for_logins_too(
    world: World, trust: Trust, provider: OidcProvider
):
    person(world)
    provider_id = trust(conditions=[{"claim": "sub", "matches": "bob*"}])
    begun = begin_sign_in(world.runtime, provider_id, BACK)

    refused = finish(world, begun, provider.log_in(begun.url, ANN))

    assert isinstance(refused, Rejected)
    assert refused.reason.value == "refused_claims"


def test_a_login_is_finished_once(world: World, trust: Trust, provider: OidcProvider):
    person(world)
    begun = begin_sign_in(world.runtime, trust(), BACK)
    back = provider.log_in(begun.url, ANN)
    finish(world, begun, back)

    with pytest.raises(InvalidInput, match="state: this login is unknown, used"):
        finish(world, begun, back)
    assert len(world.rows(LoginSession)) == 1


def test_a_login_is_finished_in_its_own_browser(world: World, trust: Trust, provider: OidcProvider):
    person(world)
    provider_id = trust()
    evil = begin_sign_in(world.runtime, provider_id, BACK)
    back = provider.log_in(evil.url, ANN)
    victim = begin_sign_in(world.runtime, provider_id, BACK)

    for kept in (victim.kept.reveal(), mint(TokenKind.SIGN_IN).reveal(), "", "x"):
        with pytest.raises(InvalidInput, match=r"^state: "):
            finish(world, evil, back, kept=kept)


def test_a_code_of_another_login_is_not_taken(world: World, trust: Trust, provider: OidcProvider):
    person(world)
    provider_id = trust()
    evil = begin_sign_in(world.runtime, provider_id, BACK)
    code = provider.log_in(evil.url, ANN)["code"]
    own = begin_sign_in(world.runtime, provider_id, BACK)
    back = provider.log_in(own.url, ANN)

    with pytest.raises(InvalidInput, match="code: idp does not take it"):
        finish(world, own, back, code=code)  # its PKCE challenge is another one's


def test_an_answer_of_another_issuer_is_refused(world: World, trust: Trust, provider: OidcProvider):
    begun = begin_sign_in(world.runtime, trust(), BACK)
    back = provider.log_in(begun.url, ANN)

    with pytest.raises(InvalidInput, match="iss: another identity provider"):
        finish(world, begun, back, issuer="https://evil.example.com")


def test_a_login_waits_ten_minutes(world: World, trust: Trust, provider: OidcProvider):
    person(world)
    begun = begin_sign_in(world.runtime, trust(), BACK)
    back = provider.log_in(begun.url, ANN)
    world.clock.pass_(minutes=10)

    with pytest.raises(InvalidInput, match="state: "):
        finish(world, begun, back)


def test_logins_that_were_not_finished_go(world: World, trust: Trust):
    begin_sign_in(world.runtime, trust(), BACK)
    world.clock.pass_(minutes=11)

    housekeeping.prune(world.runtime)

    assert world.rows(SignIn) == []


def test_so_many_logins_wait_at_most(world: World, trust: Trust, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(single_sign_on, "MOST_OPEN", 1)
    provider_id = trust()
    begin_sign_in(world.runtime, provider_id, BACK)

    with pytest.raises(Unready, match="Too many logins wait"):
        begin_sign_in(world.runtime, provider_id, BACK)


def test_while_the_provider_is_away_nobody_logs_in(
    world: World, trust: Trust, provider: OidcProvider
):
    person(world)
    provider_id = trust()
    begun = begin_sign_in(world.runtime, provider_id, BACK)
    back = provider.log_in(begun.url, ANN)
    provider.stop()

    with pytest.raises(Unready, match=r"idp: 127\.0\.0\.1 does not answer"):
        finish(world, begun, back)
    with pytest.raises(Unready):
        begin_sign_in(world.runtime, provider_id, BACK)
    provider.start("key-3")


@pytest.mark.parametrize("address", ["https://evil.example.com/", f"{PUBLIC}.evil.example.com/"])
def test_a_browser_comes_back_to_keyturn_only(world: World, trust: Trust, address: str):
    with pytest.raises(InvalidInput, match="redirect_uri"):
        begin_sign_in(world.runtime, trust(), address)


def test_the_database_holds_nothing_by_which_a_login_could_be_finished(world: World, trust: Trust):
    begun = begin_sign_in(world.runtime, trust(), BACK)

    (row,) = world.rows(SignIn)
    held = str(vars(row))

    assert begun.kept.reveal() not in held
    assert row.hash.hex() not in begun.url
    assert row.expires_at - row.created_at == timedelta(minutes=10)


def test_people_choose_among_the_providers_that_they_can_log_in_by(world: World, trust: Trust):
    provider_id = trust()
    machines = trust_unseen(world, "machines").row.id

    assert [choice.id for choice in sign_in_choices(world.runtime, "acme")] == [provider_id]
    assert sign_in_choices(world.runtime, "nobody") == []
    with pytest.raises(NotFound):
        begin_sign_in(world.runtime, machines, BACK)
