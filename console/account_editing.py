"""Creating and changing a virtual account: in a form, or as the manifest's YAML itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from console import account_choices
from console.account_form import fields_of, manifest_of
from console.account_form_rows import MAPPINGS, PERMISSIONS, STORES, TARGETS
from console.accounts import PATH
from console.fields import field_of
from console.forms import Form, Sent
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from console.words import as_yaml
from core.actors import Actor
from core.errors import Conflict, Forbidden, InvalidInput, KeyturnError, Stale
from core.etags import etag_of
from core.strict_yaml import read_manifest
from services.accounts.account_options import Options, options_for
from services.accounts.account_views import get_account
from services.accounts.accounts import Put, put_account
from services.runtime import Runtime

router = APIRouter(prefix=PATH)

YAML = "yaml"

_ROWS = (STORES, TARGETS, PERMISSIONS, MAPPINGS)
_NEW = {"type": "virtual-account", "name": ""}
_LONGEST_YAML = 100_000


@dataclass(frozen=True)
class Draft:
    """What somebody is writing: a new account, or another manifest of one there is."""

    options: Options
    base: dict[str, Any]
    fields: Mapping[str, str]
    text: str
    mode: str = ""
    account_id: str = ""
    etag: str = ""
    added: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    def blanks(self, name: str) -> range:
        """The numbers of a repeated part's rows: those that are filled in, or one to fill."""
        rows = next(one for one in _ROWS if one.name == name)
        filled = len(rows.rows(self.fields))
        return range(max(filled + (name == self.added), 1))

    def value(self, name: str) -> str:
        return self.fields.get(name, "")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")


def _base(runtime: Runtime, actor: Actor, account_id: str) -> tuple[dict[str, Any], str]:
    """The manifest as it is, and its mark."""
    if not account_id:
        return dict(_NEW), ""
    account = get_account(runtime, actor, account_id).account
    return account.manifest, etag_of(account.id, account.manifest)


def _begun(runtime: Runtime, actor: Actor, account_id: str, mode: str) -> Draft:
    base, etag = _base(runtime, actor, account_id)
    return Draft(
        options_for(runtime, actor), base, fields_of(base), as_yaml(base), mode, account_id, etag
    )


def _sent(runtime: Runtime, actor: Actor, account_id: str, sent: Form) -> Draft:
    """The draft as it came back. A target's type is its channel's, whoever says otherwise."""
    base, etag = _base(runtime, actor, account_id)
    options = options_for(runtime, actor)
    kinds = {one.fqn: one.kind for one in options.channels}
    fields = {name: sent.raw(name) for name in sent.names()}
    for name, value in list(fields.items()):
        if name.startswith("targets.") and name.endswith(".channel") and value in kinds:
            fields[name.replace(".channel", ".type")] = kinds[value]
    for rows in _ROWS:
        fields = rows.renumbered(fields)
    mode = YAML if sent.text("mode") == YAML else ""
    return Draft(
        options,
        base,
        fields,
        sent.raw("text"),
        mode,
        account_id,
        sent.text("etag") or etag,
        sent.text("add"),
    )


def _wanted(draft: Draft) -> dict[str, Any]:
    """The manifest that the draft asks for."""
    if draft.mode == YAML:
        if len(draft.text) > _LONGEST_YAML:
            raise InvalidInput("text", f"give at most {_LONGEST_YAML:,} characters")
        wanted = read_manifest(draft.text, "text")
    else:
        wanted = manifest_of(draft.fields, draft.base)
    if draft.account_id and wanted.get("name") != draft.base["name"]:
        raise InvalidInput("name", f"an account keeps its name: this is {draft.base['name']}")
    return wanted


def _with_error(draft: Draft, error: KeyturnError) -> Draft:
    """The draft with what is wrong beside its field, or above all of them."""
    found = field_of(error, draft.mode == YAML)
    if found is None:
        return Draft(**{**vars(draft), "problem": str(error)})
    name, words = found
    return Draft(**{**vars(draft), "errors": {name: words}})


def _page(show: Show, draft: Draft, status: int = HTTPStatus.OK) -> Response:
    return show("accounts/form.html", status, draft=draft, offers=account_choices)


@router.get("/new")
def new(runtime: TheRuntime, actor: SignedIn, show: Show, mode: str = "") -> Response:
    return _page(show, _begun(runtime, actor, "", mode))


@router.get("/{account_id}/edit")
def edit(
    account_id: str, runtime: TheRuntime, actor: SignedIn, show: Show, mode: str = ""
) -> Response:
    return _page(show, _begun(runtime, actor, account_id, mode))


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """A new account; or the form again, with what is wrong."""
    return _save(runtime, actor, "", sent, show)


@router.post("/{account_id}/edit")
def change(
    account_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """The account as it is asked for; refused if somebody else changed it meanwhile."""
    return _save(runtime, actor, account_id, sent, show)


def _save(runtime: Runtime, actor: Actor, account_id: str, sent: Form, show: Show) -> Response:
    draft = _sent(runtime, actor, account_id, sent)
    if draft.added:
        return _page(show, draft)
    try:
        wanted = _wanted(draft)
        if not account_id:
            _rehearse(runtime, actor, draft, wanted)
        put = put_account(runtime, actor, wanted, if_match=draft.etag or None)
    except (InvalidInput, Conflict, Forbidden) as error:
        if isinstance(error, Stale):
            raise
        return _page(show, _with_error(draft, error), HTTPStatus.UNPROCESSABLE_ENTITY)
    word = "created" if put.created else "saved" if put.changed else "unchanged"
    return RedirectResponse(f"{PATH}/{put.view.account.id}?done={word}", HTTPStatus.SEE_OTHER)


def _rehearse(runtime: Runtime, actor: Actor, draft: Draft, wanted: dict[str, Any]) -> Put:
    """Everything but the writing; InvalidInput where a new account would change one there is."""
    put = put_account(runtime, actor, wanted, dry_run=True)
    if not draft.account_id and not put.created:
        raise InvalidInput("name", "an account of this name exists already")
    return put


@router.post("/check")
def check(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Whether what is being written would be taken, and the manifest that it makes."""
    draft = _sent(runtime, actor, sent.text("account_id"), sent)
    wanted: dict[str, Any] = {}
    warnings: list[str] = []
    try:
        wanted = _wanted(draft)
        warnings = _rehearse(runtime, actor, draft, wanted).warnings
    except (InvalidInput, Conflict, Forbidden) as error:
        draft = _with_error(draft, error)
    return show("accounts/check.html", draft=draft, wanted=wanted, warnings=warnings)
