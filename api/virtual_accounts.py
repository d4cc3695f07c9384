"""Virtual accounts and their tokens."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api import shapes
from api.callers import Caller, TheRuntime
from api.etags import IfMatch, tag
from api.paging import Limit, Offset, Text
from api.repeats import Repeats
from core.errors import NotFound
from services.accounts import account_life, account_views, accounts
from services.accounts.account_filters import Narrowing
from services.delivery import syncing
from services.engine import tokens
from services.notices import acknowledging

router = APIRouter(prefix="/api/svc/v1/virtual-accounts", tags=["virtual accounts"])

_Tree = Annotated[str, StringConstraints(max_length=8_000)]


class _Body(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)


class PutAccount(_Body):
    """A manifest, and whether it is only to be checked."""

    manifest: dict[str, Any]
    dryRun: bool | None = False  # noqa: N815 - the wire's spelling


class Regenerate(_Body):
    """How long the old token goes on working."""

    gracePeriodInMinutes: float = Field(ge=0, le=5_256_000)  # noqa: N815 - the wire's spelling


class Acknowledge(_Body):
    """The generation that the consumers have; the newest unless it is named."""

    generation: int | None = Field(default=None, ge=1, le=2_147_483_647)


@router.get("")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    limit: Limit = 100,
    offset: Offset = 0,
    search: Annotated[Text, Query(alias="nameSearchQuery")] = "",
    teams: Annotated[list[Text] | None, Query(alias="ownedByTeams")] = None,
    expired: Annotated[bool | None, Query(alias="isExpired")] = None,
    tree: Annotated[_Tree, Query(alias="filter")] = "",
) -> dict[str, Any]:
    """The tenant's virtual accounts, by name."""
    narrowing = Narrowing(
        search=search,
        teams=[name for given in teams or () for name in given.split(",") if name],
        is_expired=expired,
        tree=tree,
    )
    views, total = account_views.list_accounts(
        runtime, actor, limit=limit, offset=offset, narrowing=narrowing
    )
    items = [shapes.virtual_account(view, runtime.now()) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.put("")
def put(
    body: PutAccount,
    runtime: TheRuntime,
    actor: Caller,
    response: Response,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Creates or updates by name; the token comes back on creation only."""
    done = accounts.put_account(
        runtime, actor, body.manifest, dry_run=bool(body.dryRun), if_match=if_match
    )
    if not body.dryRun:
        tag(response, done.view.account.id, done.view.account.manifest)
    answer: dict[str, Any] = {
        "data": shapes.virtual_account(done.view, runtime.now()),
        "warnings": done.warnings,
    }
    if done.token is not None and not body.dryRun:
        answer["token"] = done.token.reveal()
    return answer


@router.get("/exists")
def exists(runtime: TheRuntime, actor: Caller, name: Text) -> dict[str, bool]:
    """Whether an account of this name exists."""
    try:
        account_views.find_account(runtime, actor, name)
    except NotFound:
        return {"exists": False}
    return {"exists": True}


@router.get("/{account_id}")
def get(account_id: str, runtime: TheRuntime, actor: Caller, response: Response) -> dict[str, Any]:
    """One account with its live tokens."""
    view = account_views.get_account(runtime, actor, account_id)
    tag(response, view.account.id, view.account.manifest)
    return {"data": shapes.virtual_account(view, runtime.now())}


@router.delete("/{account_id}")
def delete(
    account_id: str,
    runtime: TheRuntime,
    actor: Caller,
    keep_copies: Annotated[bool, Query(alias="keepCopies")] = False,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Ends every token; the copies that Keyturn wrote are removed unless they are kept."""
    account_life.delete_account(
        runtime, actor, account_id, keep_copies=keep_copies, if_match=if_match
    )
    return {}


@router.get("/{account_id}/token")
def get_token(account_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, str]:
    """The current token."""
    return {"token": tokens.read_token(runtime, actor, account_id).reveal()}


@router.post("/{account_id}/regenerate-token")
def regenerate(
    account_id: str, body: Regenerate, runtime: TheRuntime, actor: Caller, repeats: Repeats
) -> dict[str, str]:
    """A new token now; the old one works through the given grace."""
    grace = timedelta(minutes=body.gracePeriodInMinutes)
    token = tokens.regenerate_token(runtime, actor, account_id, grace=grace, repeatable=repeats)
    return {"token": token.reveal()}


@router.post("/{account_id}/acknowledge")
def acknowledge(
    account_id: str, runtime: TheRuntime, actor: Caller, body: Acknowledge | None = None
) -> dict[str, Any]:
    """The consumers have taken a rotation over: nobody is warned of the old token's end."""
    generation = body.generation if body else None
    done = acknowledging.acknowledge(runtime, actor, account_id, generation)
    return {
        "generations": list(done.generations),
        "oldTokenWorksUntil": shapes.moment(done.until),
        "stillUsed": done.still_used,
        "waitsForStores": done.waits_for_stores,
    }


@router.post("/{account_id}/sync-to-secret-store")
def sync(
    account_id: str, runtime: TheRuntime, actor: Caller, *, force: bool = False
) -> dict[str, Any]:
    """Sends the current token where it has not arrived; with `force`, everywhere."""
    synced = syncing.sync_and_wait(runtime, actor, account_id, force=force)
    told = {
        "updatedAt": shapes.moment(synced.updated_at) or "",
        "jwtId": str(synced.token_id) if synced.token_id else "",
        "error": synced.error,
    }
    return {"syncTokenInSecretStoreInfo": told}


@router.delete("/{account_id}/jwt/{token_id}")
def delete_token(
    account_id: str, token_id: str, runtime: TheRuntime, actor: Caller
) -> dict[str, Any]:
    """Ends one token now; the current one is replaced."""
    tokens.revoke_token(runtime, actor, account_id, token_id)
    return {}


@router.post("/{account_id}/pause")
def pause(
    account_id: str, runtime: TheRuntime, actor: Caller, response: Response
) -> dict[str, Any]:
    """No scheduled rotations until resumed."""
    account_life.pause_account(runtime, actor, account_id)
    return get(account_id, runtime, actor, response)


@router.post("/{account_id}/resume")
def resume(
    account_id: str, runtime: TheRuntime, actor: Caller, response: Response
) -> dict[str, Any]:
    """Rotates on schedule again."""
    account_life.resume_account(runtime, actor, account_id)
    return get(account_id, runtime, actor, response)
