"""The manifest of an identity provider: whose JWTs a tenant takes, and whom they speak for."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from core.claims import ClaimPath, Condition
from core.errors import InvalidInput
from core.fields import Name, Part
from core.jwks import ALGORITHMS
from core.parsing import parse
from core.wire import CaBundle, https_url

DISCOVERY = "/.well-known/openid-configuration"


def _known(algorithm: str) -> str:
    if algorithm not in ALGORITHMS:
        raise ValueError("give algorithms with a public key: " + ", ".join(ALGORITHMS))
    return algorithm


def _named(url: str) -> str:
    if "#" in url:
        raise ValueError("give an address without a fragment")
    return https_url(url)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("give printable characters only")
    return text


Url = Annotated[str, StringConstraints(max_length=500), AfterValidator(_named)]
Algorithm = Annotated[str, AfterValidator(_known)]
Algorithms = Annotated[tuple[Algorithm, ...], Field(min_length=1, max_length=len(ALGORITHMS))]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_printable)]
Issuer = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_printable)]
Scope = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]{1,100}$")]


class SignIn(Part):
    """Keyturn as a client of the provider, where people log in. Without a secret: a public one."""

    client_id: Line
    client_secret: Annotated[SecretStr, Field(min_length=1, max_length=1_000)] | None = None
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=20)] = (
        "openid",
        "email",
    )

    @model_validator(mode="after")
    def _asks_who_it_is(self) -> "SignIn":
        if not {"openid", "email"} <= set(self.scopes):
            raise ValueError("scopes need openid and email: a person is known by the address")
        return self


class IdentityProviderManifest(Part):
    """An issuer as one tenant trusts it.

    Its keys are where its discovery document says, or else at `jwks_uri`. `subject` names the
    claim by which accounts are mapped; with `users` a verified address stands for the person who
    has it here. What does not meet `conditions` is nobody.
    """

    name: Name
    type: Literal["identity-provider"] = "identity-provider"
    issuer: Issuer
    audiences: Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]
    jwks_uri: Url | None = None
    algorithms: Algorithms = ("RS256", "ES256", "EdDSA")
    subject: ClaimPath = "sub"
    conditions: Annotated[tuple[Condition, ...], Field(max_length=20)] = ()
    users: Literal["email"] | None = None
    sign_in: SignIn | None = None
    ca_bundle: CaBundle = ""

    @property
    def discovery_url(self) -> str:
        """Where the provider describes itself."""
        return self.issuer.rstrip("/") + DISCOVERY

    @property
    def trust(self) -> Any:
        """All that decides which JWTs are good, and for whom."""
        return self.model_dump(exclude={"sign_in", "users", "name", "type"})


def parse_provider(spelled: dict[str, Any]) -> IdentityProviderManifest:
    """Reads a manifest in reference spelling; InvalidInput names the first wrong field."""
    manifest = parse(TypeAdapter(IdentityProviderManifest), spelled)
    for number, audience in enumerate(manifest.audiences):
        if audience in manifest.audiences[:number]:
            raise InvalidInput(f"audiences.{number}", "this is given twice")
    if manifest.jwks_uri is None or manifest.sign_in is not None:
        try:
            _named(manifest.issuer)
        except ValueError as error:
            raise InvalidInput("issuer", f"{error}: discovery asks there") from None
    return manifest
