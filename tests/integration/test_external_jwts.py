"""JWTs of identity providers: what is checked, and that nothing else is taken."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from core.actors import Actor
from core.errors import Conflict
from services.identity.identity_providers import put_identity_provider
from services.operation.bootstrap import ensure_tenant
from services.verify.verdicts import Reason
from tests.support.identity import SUBJECT, Identity, trusted
from tests.support.issuer import AUDIENCE, SigningPair, encoded, segments
from tests.support.persons import person
from tests.support.world import LIMITS, World, new_world

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from([AUDIENCE, SUBJECT])
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    with trusted(world) as made:
        yield made


@pytest.fixture
def account(identity: Identity):
    return identity.map()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    """One for all tests that change nothing: a mapped account, behind an issuer that may turn."""
    folder = tmp_path_factory.mktemp("standing")
    with new_world(f"sqlite:///{folder / 'keyturn.db'}", folder) as world, trusted(world) as made:
        made.map()
        yield made


def test_a_mapped_jwt_is_the_account_until_its_end(identity: Identity, account):
    token = identity.issuer.issue()

    verified = identity.verified(token)
    identity.pass_(minutes=10)

    assert (verified.subject, verified.subject_id) == ("ci-bot", account.id)
    assert (verified.tenant, verified.token_id) == ("acme", account.id)
    assert verified.valid_until is not None
    assert (verified.generation, verified.state) == (None, "current")
    assert identity.whose(token) == "expired"


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256", "ES256"])
def test_every_usual_algorithm_is_checked(standing: Identity, algorithm: str):
    standing.issuer.rotate(algorithm)
    standing.world.clock.pass_(minutes=1)

    assert standing.whose(standing.issuer.issue()) == "ci-bot"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://somebody.example.com"}, "unknown_issuer"),
        ({"iss": None}, "unknown_issuer"),
        ({"iss": ["https://token.example.com"]}, "unknown_issuer"),
        ({"aud": "somebody-else"}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"aud": []}, "wrong_audience"),
        ({"aud": [AUDIENCE, 1]}, "wrong_audience"),
        ({"aud": {"a": AUDIENCE}}, "wrong_audience"),
        ({"aud": [f"{AUDIENCE}{n}" for n in range(50)] + [AUDIENCE]}, "wrong_audience"),
        ({"exp": None}, "malformed"),
        ({"exp": "tomorrow"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": 10**400}, "malformed"),
        ({"exp": -1}, "malformed"),
        ({"nbf": "yesterday"}, "malformed"),
        ({"sub": None}, "unmapped"),
        ({"sub": "repo:acme/app:ref:refs/heads/other"}, "unmapped"),
        ({"sub": {"a": 1}}, "unmapped"),
        ({"sub": "x" * 501}, "unmapped"),
        ({"sub": "*"}, "unmapped"),
        ({"cnf": {"jkt": "x"}}, "refused_claims"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_claims_that_are_not_as_they_should_be_are_refused(
    standing: Identity, claims: dict[str, Any], reason: str
):
    assert standing.whose(standing.issuer.issue(**claims)) == reason


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_jwt_of_the_future_is_refused_beyond_what_clocks_differ(standing: Identity, name: str):
    now = int(standing.world.clock.now().timestamp())

    assert standing.whose(standing.issuer.issue(**{name: now + 30})) == "ci-bot"
    assert standing.whose(standing.issuer.issue(**{name: now + 31})) == "not_yet_valid"


def test_one_of_several_audiences_is_enough(standing: Identity):
    token = standing.issuer.issue(aud=["https://kubernetes.default.svc", AUDIENCE])

    assert standing.whose(token) == "ci-bot"


def unsigned(identity: Identity) -> str:
    _, claims, _ = segments(identity.issuer.issue())
    return f"{encoded({'alg': 'none', 'kid': 'key-1'})}.{encoded(claims)}.{'A' * 20}"


def signed_with_the_public_key_as_a_secret(identity: Identity) -> str:
    identity.issuer.rotate("RS256")
    key = identity.issuer.keys[-1]
    public = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing = f"{encoded({'alg': 'HS256', 'kid': key.kid})}.{encoded(identity.issuer.claims())}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        signing.encode(), public
    )
    return f"{signing}.{encoded(signature)}"


def of_an_algorithm_that_is_not_allowed(identity: Identity) -> str:
    identity.issuer.rotate("RS256")
    key = identity.issuer.keys[-1]
    return jwt.encode(
        identity.issuer.claims(), key.private, algorithm="PS256", headers={"kid": key.kid}
    )


def of_another_algorithm_than_its_key(identity: Identity) -> str:
    other = SigningPair(identity.issuer.keys[-1].kid, "RS256")
    return other.sign(identity.issuer.claims())


def signed_by_somebody_else(identity: Identity) -> str:
    return SigningPair(identity.issuer.keys[-1].kid).sign(identity.issuer.claims())


def with_other_claims_than_signed(identity: Identity) -> str:
    header, _, signature = identity.issuer.issue(sub="somebody").split(".")
    return f"{header}.{encoded(identity.issuer.claims())}.{signature}"


def of_an_unknown_key(identity: Identity) -> str:
    return SigningPair("key-none").sign(identity.issuer.claims())


def without_a_key_name(identity: Identity) -> str:
    return identity.issuer.keys[-1].sign_text(json.dumps(identity.issuer.claims()))


def with_a_logout_tokens_type(identity: Identity) -> str:
    return identity.issuer.issue({"typ": "logout+jwt"})


def _with_header(name: str, value: Any) -> Callable[[Identity], str]:
    def made(identity: Identity) -> str:
        stranger = SigningPair(identity.issuer.keys[-1].kid)
        given = stranger.public if value == "own" else value
        return stranger.sign(identity.issuer.claims(), **{name: given})

    made.__name__ = f"with_{name}_in_its_header"
    return made


def critical(identity: Identity) -> str:
    return identity.issuer.issue({"crit": ["exp"]})


def with_a_name_twice(identity: Identity) -> str:
    claims = json.dumps(identity.issuer.claims())[:-1] + ', "sub": "' + SUBJECT + '"}'
    key = identity.issuer.keys[-1]
    return key.sign_text(claims, kid=key.kid)


def too_deep(identity: Identity) -> str:
    deep: Any = "x"
    for _ in range(20):
        deep = [deep]
    return identity.issuer.issue(deep=deep)


def too_long(identity: Identity) -> str:
    return identity.issuer.issue(long="x" * 20_000)


def with_text_that_no_database_holds(identity: Identity) -> str:
    return identity.issuer.issue(sub="\0")


FORGED = {
    unsigned: "wrong_algorithm",
    signed_with_the_public_key_as_a_secret: "wrong_algorithm",
    of_an_algorithm_that_is_not_allowed: "wrong_algorithm",
    of_another_algorithm_than_its_key: "wrong_signature",
    signed_by_somebody_else: "wrong_signature",
    with_other_claims_than_signed: "wrong_signature",
    of_an_unknown_key: "unknown_key",
    without_a_key_name: "unknown_key",
    with_a_logout_tokens_type: "malformed",
    _with_header("jwk", "own"): "malformed",
    _with_header("jku", "https://evil.example.com/jwks"): "malformed",
    _with_header("x5u", "https://evil.example.com/chain"): "malformed",
    _with_header("x5c", ["MIIB"]): "malformed",
    critical: "malformed",
    with_a_name_twice: "malformed",
    too_deep: "malformed",
    too_long: "malformed",
    with_text_that_no_database_holds: "malformed",
}


@pytest.mark.parametrize(
    ("made", "reason"), FORGED.items(), ids=lambda one: getattr(one, "__name__", one)
)
def test_what_is_not_a_jwt_of_the_issuer_is_refused(
    standing: Identity, made: Callable[[Identity], str], reason: str
):
    assert standing.whose(made(standing)) == reason


@settings(max_examples=150, deadline=None)
@given(claims=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat"]), ANY))
def test_whatever_else_the_issuer_signs_is_refused(standing: Identity, claims: dict[str, Any]):
    issuer = standing.issuer

    whose = standing.whose(issuer.keys[-1].sign({**issuer.claims(), **claims}))

    if whose == "ci-bot":
        assert claims.get("iss", issuer.url) == issuer.url
        assert SUBJECT in claims.get("sub", SUBJECT)
        assert AUDIENCE in claims.get("aud", AUDIENCE)
        assert claims.get("exp", issuer.claims()["exp"]) > issuer.now.timestamp()
    else:
        assert whose in set(Reason)


def test_the_providers_conditions_hold_for_every_jwt(identity: Identity, account):
    identity.trust(conditions=[{"claim": "repository_owner_id", "equals": "77"}])

    assert identity.whose(identity.issuer.issue(repository_owner_id="77")) == "ci-bot"
    assert identity.whose(identity.issuer.issue(repository_owner_id="78")) == "refused_claims"
    assert identity.whose(identity.issuer.issue()) == "refused_claims"


def test_a_mappings_conditions_hold_for_its_jwts(identity: Identity):
    uid = '"kubernetes.io".serviceaccount.uid'
    sub = "system:serviceaccount:ci:runner"
    identity.map(value=sub, conditions=[{"claim": uid, "equals": "u-1"}])

    def issued(uid: str) -> str:
        nested = {"namespace": "ci", "serviceaccount": {"name": "runner", "uid": uid}}
        return identity.issuer.issue(sub=sub, **{"kubernetes.io": nested})

    assert identity.whose(issued("u-1")) == "ci-bot"
    assert identity.whose(issued("u-2")) == "refused_claims"


def test_another_claim_may_name_the_subject(identity: Identity):
    identity.trust(subject="repository_id")
    identity.map(value="4711")

    assert identity.whose(identity.issuer.issue(repository_id="4711")) == "ci-bot"
    assert identity.whose(identity.issuer.issue(repository_id=4711)) == "ci-bot"
    assert identity.whose(identity.issuer.issue(repository_id=True)) == "unmapped"


def test_a_list_names_one_account_or_none(identity: Identity):
    identity.trust(subject="groups")
    identity.map("bot-a", value="a")
    identity.map("bot-b", value="b")

    assert identity.whose(identity.issuer.issue(groups=["x", "a"])) == "bot-a"
    assert identity.whose(identity.issuer.issue(groups=["a", "b"])) == "ambiguous"
    assert identity.whose(identity.issuer.issue(groups=[])) == "unmapped"


def test_a_pattern_makes_no_bearer(identity: Identity):
    identity.map(value="repo:acme/*")

    assert identity.whose(identity.issuer.issue()) == "unmapped"


def test_a_verified_address_is_the_person_who_has_it(identity: Identity):
    ann = person(identity.world)
    identity.trust(users="email")

    answer = identity.verified(identity.issuer.issue(email="Ann@Example.com", email_verified=True))

    assert (answer.subject, answer.subject_id) == ("ann@example.com", ann.id)
    assert not answer.with_personal_token


ADDRESSES = [
    ("ann@example.com", True, "ann@example.com"),
    ("ann@example.com", "true", "ann@example.com"),
    ("ann@example.com", None, "unmapped"),
    ("ann@example.com", False, "unmapped"),
    ("ann@example.com", "false", "unmapped"),
    ("ann@example.com", 1, "unmapped"),
    ("eve@example.com", True, "unmapped"),
    (["ann@example.com"], True, "unmapped"),
    ("kim@example.com", True, "kim@example.com"),
    ("\u212aim@example.com", True, "unmapped"),  # Kelvin's sign, whose small letter is a k
]


def test_an_address_that_is_not_verified_or_nobodys_is_nobody(identity: Identity):
    person(identity.world)
    person(identity.world, "kim@example.com")
    identity.trust(users="email")

    answers = [
        (
            email,
            verified,
            identity.whose(identity.issuer.issue(email=email, email_verified=verified)),
        )
        for email, verified, _ in ADDRESSES
    ]

    assert answers == ADDRESSES


def test_people_are_nobody_unless_the_provider_speaks_for_them(identity: Identity):
    person(identity.world)

    token = identity.issuer.issue(email="ann@example.com", email_verified=True)

    assert identity.whose(token) == "unmapped"


@pytest.mark.law(12)
def test_an_audience_of_an_issuer_belongs_to_one_tenant(identity: Identity, account):
    other = ensure_tenant(identity.world.runtime, "umbrella", limits=LIMITS, admin_email="a@b.c")
    theirs = Actor.operator(other, "neighbour")
    given = {"name": "github", "issuer": identity.issuer.url, "audiences": [AUDIENCE]}

    with pytest.raises(Conflict, match=r"audiences\.0: another identity provider has"):
        put_identity_provider(identity.world.runtime, theirs, given)
    put_identity_provider(identity.world.runtime, theirs, {**given, "audiences": ["theirs"]})

    assert identity.whose(identity.issuer.issue()) == "ci-bot"
    assert identity.whose(identity.issuer.issue(aud="theirs")) == "unmapped"
    assert identity.whose(identity.issuer.issue(aud=["theirs", AUDIENCE])) == "wrong_audience"
