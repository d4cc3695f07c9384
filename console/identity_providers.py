"""Identity providers: whose JWTs are taken here, and how one that is pasted would be."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Sent
from console.listing import Listing
from console.onward import onward
from console.parts import TheRuntime
from console.provider_form import CONDITIONS, DEMANDS, Fields, fields_of, manifest_of
from console.rendering import Show
from console.single_sign_on import back_to
from console.visitors import SignedIn
from core.errors import InvalidInput
from core.tokens import LONGEST_JWT
from models import IdentityProvider
from services.expecting import NOTHING_YET, Expected, tag_of
from services.identity import identity_providers as providers
from services.identity.explaining import explain_jwt
from services.identity.identity_providers import PutProvider
from services.identity.provider_story import provider_story
from services.runtime import Runtime

PATH = "/settings/identity-providers"

router = APIRouter(prefix=PATH)

_NAMES = {
    "sign_in": "client_id",
    "sign_in.client_id": "client_id",
    "sign_in.client_secret": "client_secret",
    "sign_in.scopes": "scopes",
}
_TEXTS = ("name", "issuer", "audiences", "jwks_uri", "algorithms", "subject", "ca_bundle")


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The tenant's, by name."""
    view = Listing.of(request, ())
    views, total = providers.list_identity_providers(
        runtime, actor, limit=view.limit, offset=view.offset
    )
    return show("identity_providers/list.html", list=view, views=views, total=total)


@router.get("/explain")
def ask_explain(actor: SignedIn, show: Show) -> Response:
    """The form for a JWT."""
    actor.demand_everywhere(providers.NEEDS)
    return show("identity_providers/explain.html", found=None, wrong=NOTHING)


@router.post("/explain")
def explain(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Every check of it, and whose it is. Nothing of it is kept, nor shown again."""
    try:
        text = sent.text("token")
        if len(text) > LONGEST_JWT + 2:
            raise InvalidInput("token", f"a JWT has at most {LONGEST_JWT} characters")
        found = explain_jwt(runtime, actor, text)
    except CORRECTABLE as error:
        wrong = corrections_of(error, ("token",))
        return show("identity_providers/explain.html", wrong.status, found=None, wrong=wrong)
    return show("identity_providers/explain.html", found=found, wrong=NOTHING)


@router.get("/new")
def ask_new(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form for a new one, for an admin."""
    actor.demand_admin()
    return _form(runtime, show, None, {}, NOTHING)


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """It is taken from now on; if its keys are not to be had, that is said."""
    fields = CONDITIONS.renumbered({name: sent.raw(name) for name in sent.names()})
    if fields.get("add"):
        return _form(runtime, show, None, fields, NOTHING)
    try:
        made = providers.put_identity_provider(
            runtime, actor, manifest_of(fields, {}), expected=NOTHING_YET
        )
    except CORRECTABLE as error:
        return _form(runtime, show, None, fields, _wrong(error, fields))
    return _done(runtime, actor, show, made, "provider-added")


@router.get("/{provider_id}")
def look(provider_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What it is trusted for, and which accounts its JWTs stand for."""
    return _page(runtime, actor, show, provider_id)


@router.get("/{provider_id}/edit")
def ask_edit(provider_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form, as it is now; the client's secret as asterisks."""
    actor.demand_admin()
    row = providers.read_identity_provider(runtime, actor, provider_id).row
    return _form(runtime, show, row, {**fields_of(row.manifest), "tag": tag_of(row)}, NOTHING)


@router.post("/{provider_id}/edit")
def edit(
    provider_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """What was exchanged under other terms ends; refused if somebody else changed it meanwhile."""
    row = providers.read_identity_provider(runtime, actor, provider_id).row
    fields = CONDITIONS.renumbered({name: sent.raw(name) for name in sent.names()})
    if fields.get("add"):
        return _form(runtime, show, row, fields, NOTHING)
    try:
        expected = Expected(fields.get("tag") or "gone")
        manifest = manifest_of(fields, row.manifest)
        made = providers.put_identity_provider(runtime, actor, manifest, expected=expected)
    except CORRECTABLE as error:
        return _form(runtime, show, row, fields, _wrong(error, fields))
    return _done(runtime, actor, show, made, "saved")


@router.get("/{provider_id}/delete")
def ask_delete(provider_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Whether it can go, or who is mapped to it."""
    actor.demand_admin()
    story = provider_story(runtime, actor, provider_id)
    return show("identity_providers/delete.html", story=story)


@router.post("/{provider_id}/delete")
def delete(provider_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Its JWTs are nobody's from now on."""
    providers.delete_identity_provider(runtime, actor, provider_id)
    return onward(PATH, "provider-deleted")


def _done(
    runtime: TheRuntime, actor: SignedIn, show: Show, made: PutProvider, word: str
) -> Response:
    if made.warnings:
        return _page(runtime, actor, show, str(made.row.id), made.warnings)
    return onward(f"{PATH}/{made.row.id}", word)


def _page(
    runtime: TheRuntime,
    actor: SignedIn,
    show: Show,
    provider_id: str,
    warnings: list[str] | None = None,
) -> Response:
    story = provider_story(runtime, actor, provider_id)
    return show(
        "identity_providers/page.html",
        story=story,
        fields=fields_of(story.view.row.manifest),
        conditions=CONDITIONS,
        demands=dict(DEMANDS),
        warnings=warnings or [],
    )


def _wrong(error: Any, fields: Fields) -> Corrections:
    """Errors of a condition are about its claim, unless they are about what it has to be."""
    names = dict(_NAMES)
    for number in range(len(CONDITIONS.rows(fields))):
        at = f"conditions.{number}"
        names |= {at: f"{at}.claim", f"{at}.claim": f"{at}.claim"}
        names |= {f"{at}.{part}": f"{at}.value" for part in ("equals", "in", "among", "matches")}
    audiences = [line for line in fields.get("audiences", "").splitlines() if line.strip()]
    known = {*_TEXTS, *names.values()}
    return corrections_of(error, known, names, {"audiences": audiences})


def _form(
    runtime: Runtime, show: Show, row: IdentityProvider | None, fields: Fields, wrong: Corrections
) -> Response:
    rows = len(CONDITIONS.rows(fields)) + (fields.get("add", "") == CONDITIONS.name)
    return show(
        "identity_providers/form.html",
        wrong.status,
        row=row,
        fields=fields,
        numbers=range(max(rows, 1)),
        demands=DEMANDS,
        back_to=back_to(runtime),
        wrong=wrong,
    )
