"""A world that trusts an issuer, and what tests ask about its JWTs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.actors import Actor
from models import IdentityProvider, VirtualAccount
from services.identity.identity_providers import PutProvider, put_identity_provider
from services.verify.verification import Rejected, Verified, verify
from tests.support.issuer import AUDIENCE, Issuer
from tests.support.ports import LOOPBACK
from tests.support.world import World

SUBJECT = "repo:acme/app:ref:refs/heads/main"


@dataclass
class Identity:
    """The world's tenant takes JWTs of this issuer."""

    world: World
    issuer: Issuer

    def trust(self, name: str = "github", **manifest: Any) -> PutProvider:
        given = {"name": name, "issuer": self.issuer.url, "audiences": [AUDIENCE], **manifest}
        return put_identity_provider(self.world.runtime, self.world.admin, given)

    def map(
        self, name: str = "ci-bot", value: str = SUBJECT, provider: str = "github", **manifest: Any
    ) -> VirtualAccount:
        """An account that is mapped to this subject."""
        conditions = manifest.pop("conditions", None)
        entry = {"identity_provider": provider, "value": value}
        entry |= {"conditions": conditions} if conditions else {}
        put = self.world.put(name, identity_provider_mapping=[entry], **manifest)
        return put.view.account

    def accounts(self) -> list[VirtualAccount]:
        return self.world.rows(VirtualAccount)

    def providers(self) -> list[IdentityProvider]:
        return self.world.rows(IdentityProvider)

    def whose(self, text: str) -> str:
        """The name of the bearer, or why it is refused."""
        verdict = verify(self.world.runtime, text)
        return verdict.reason.value if isinstance(verdict, Rejected) else verdict.subject

    def verified(self, text: str) -> Verified:
        verdict = verify(self.world.runtime, text)
        assert isinstance(verdict, Verified)
        return verdict

    def pass_(self, **length: float) -> None:
        """Time goes on, at the issuer too."""
        self.issuer.now = self.world.clock.pass_(**length)


def trust_unseen(world: World, name: str = "github", *, by: Actor | None = None) -> PutProvider:
    """A provider that nothing is ever asked of, for mappings that name one."""
    actor = by or world.admin
    given = {
        "name": name,
        "issuer": f"https://{name}.example.com",
        "jwks_uri": f"http://{LOOPBACK}:1/jwks",
        "audiences": [str(actor.tenant_id)],
    }
    return put_identity_provider(world.runtime, actor, given)


@contextmanager
def trusted(world: World, **manifest: Any) -> Iterator[Identity]:
    """An issuer that the world trusts, as `github`."""
    with Issuer(world.clock.now()) as issuer:
        made = Identity(world, issuer)
        made.trust(**manifest)
        yield made
