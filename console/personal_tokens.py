"""One's own personal access tokens: which there are, a new one that is shown once, and revoking."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.forms import Sent
from console.listing import Listing
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from services.people.personal_tokens import Wanted, create_own, list_own, most_allowed, revoke

router = APIRouter(prefix="/personal-access-tokens")

_USUAL = timedelta(days=90)
_FIELDS = {"name": "name", "expirationDate": "expiration_date", "teamName": "team"}


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """One's own tokens, by name."""
    view = Listing.of(request, ())
    tokens, total = list_own(
        runtime, actor, limit=view.limit, offset=view.offset, search=view.search
    )
    return show("personal_tokens/list.html", list=view, tokens=tokens, total=total)


@router.get("/new")
def new(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Ends in 90 days, or as early as the tenant wants, unless the person says otherwise."""
    allowed = most_allowed(runtime, actor)
    ends = (runtime.now() + _USUAL).date()
    last = allowed.last_day
    wanted = {"name": "", "expiration_date": str(min(ends, last) if last else ends), "team": ""}
    return show("personal_tokens/new.html", wanted=wanted, allowed=allowed, errors={}, problem="")


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """The token, on this one page; nobody sees it again."""
    wanted = {name: sent.text(name) for name in ("name", "expiration_date", "team")}
    errors, problem = {}, ""
    try:
        token = create_own(
            runtime,
            actor,
            Wanted(wanted["name"], wanted["expiration_date"] or None, wanted["team"] or None),
        )
        return show("personal_tokens/created.html", token=token.reveal(), name=wanted["name"])
    except InvalidInput as error:
        words = str(error).removeprefix(f"{error.field}: ")
        errors = {_FIELDS.get(error.field, "name"): words}
    except Conflict as error:
        errors = {"name": str(error)}
    except Forbidden as error:
        problem = str(error)
    return show(
        "personal_tokens/new.html",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        wanted=wanted,
        allowed=most_allowed(runtime, actor),
        errors=errors,
        problem=problem,
    )


@router.get("/{token_id}/revoke")
def ask_revoke(token_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Which one ends, and when it was used last."""
    tokens, _ = list_own(runtime, actor, limit=1_000, offset=0)
    found = next((one for one in tokens if str(one.row.id) == token_id), None)
    if found is None:
        raise NotFound("personal access token", token_id)
    return show("personal_tokens/revoke.html", found=found)


@router.post("/{token_id}/revoke")
def revoke_(token_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """It works no more, nor do the sessions that it opened."""
    revoke(runtime, actor, token_id)
    return RedirectResponse("/personal-access-tokens?done=token-revoked", HTTPStatus.SEE_OTHER)
