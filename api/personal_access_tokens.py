"""Personal access tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import people_shapes, shapes
from api.bodies import Body
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset, Text
from api.repeats import Repeats
from services.people import personal_tokens
from services.people.personal_tokens import Wanted

router = APIRouter(prefix="/api/svc/v1/personal-access-tokens", tags=["personal access tokens"])


class Create(Body):
    """A token of one's own."""

    name: Text
    expirationDate: Text | None = None  # noqa: N815 - the wire's spelling
    accountName: Text | None = None  # noqa: N815 - the wire's spelling
    teamName: Text | None = None  # noqa: N815 - the wire's spelling
    tokenType: Text | None = None  # noqa: N815 - the wire's spelling


class CreateFor(Body):
    """A token for somebody else."""

    name: Text
    userEmail: Text  # noqa: N815 - the wire's spelling
    expirationDate: Text | None = None  # noqa: N815 - the wire's spelling
    teamName: Text | None = None  # noqa: N815 - the wire's spelling


class Owner(Body):
    """Whose tokens."""

    email: Text


@router.get("")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    limit: Limit = 100,
    offset: Offset = 0,
    search: Annotated[Text, Query(alias="nameSearchQuery")] = "",
) -> dict[str, Any]:
    """The caller's own tokens, by name."""
    views, total = personal_tokens.list_own(
        runtime, actor, limit=limit, offset=offset, search=search
    )
    items = [people_shapes.personal_token(view, runtime.now()) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.post("")
def create(body: Create, runtime: TheRuntime, actor: Caller, repeats: Repeats) -> dict[str, str]:
    """A token of the caller's own, shown this once; not to be called with such a token."""
    wanted = Wanted(
        name=body.name,
        expiration_date=body.expirationDate,
        team=body.teamName,
        account=body.accountName,
        token_type=body.tokenType,
    )
    token = personal_tokens.create_own(runtime, actor, wanted, repeatable=repeats)
    return {"token": token.reveal()}


@router.post("/for-user")
def create_for_user(
    body: CreateFor, runtime: TheRuntime, actor: Caller, repeats: Repeats
) -> dict[str, str]:
    """A token for somebody else, shown this once."""
    wanted = Wanted(name=body.name, expiration_date=body.expirationDate, team=body.teamName)
    token = personal_tokens.create_for(runtime, actor, body.userEmail, wanted, repeatable=repeats)
    return {"token": token.reveal()}


@router.delete("/revoke/all")
def revoke_all(body: Owner, runtime: TheRuntime, actor: Caller) -> dict[str, int]:
    """No token of this person works any more."""
    return {"revoked": personal_tokens.revoke_all_of(runtime, actor, body.email)}


@router.delete("/{personal_token_id}")
def revoke(personal_token_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One token works no more."""
    personal_tokens.revoke(runtime, actor, personal_token_id)
    return {}
