"""keyturn identity-providers: whose JWTs are taken, and why one of them is good or not."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.output import REFUSED, as_json, asked, reported, said, table, wrong
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from core.errors import InvalidInput
from core.tokens import LONGEST_JWT
from services.identity import identity_providers as providers
from services.identity.explaining import Explained, explain_jwt
from services.verify.verdicts import Rejected

app = typer.Typer(no_args_is_help=True, help="Identity providers whose JWTs are taken.")


@app.command("list")
def list_(data_dir: DataDir = None, tenant: TenantName = None, json_: AsJson = False) -> None:
    """The tenant's, by name."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        found, _ = providers.list_identity_providers(runtime, actor, limit=providers.MOST, offset=0)
        manifests = [view.row.manifest for view in found]
        if json_:
            as_json(manifests)
            return
        rows = [(one["name"], one["issuer"], ", ".join(one["audiences"])) for one in manifests]
        table("Identity providers", ("name", "issuer", "audiences"), rows)


@app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="The identity provider's name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
) -> None:
    """Its JWTs are nobody's from now on; refused while accounts are mapped to it."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        if not yes:
            asked(f"Take no JWT of {name} any more?")
        providers.delete_identity_provider_by_name(runtime, operator(runtime, tenant), name)
        said(f"{name} is deleted.")


@app.command("explain")
def explain(
    file: Annotated[
        Path | None,
        typer.Option(help="A file that holds the JWT; otherwise it is read from stdin."),
    ] = None,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Every check of a JWT, and whose it is; nothing of it is kept. Exit code 1 if it is refused.

    It is not an argument, since others see a process's arguments.
    """
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        found = explain_jwt(runtime, operator(runtime, tenant), _read(file))
        if json_:
            as_json(_document(found))
        else:
            rows = [("yes" if one.passed else "NO", one.name, one.said) for one in found.checks]
            title = f"Identity provider {found.provider}" if found.provider else "No provider"
            table(title, ("passed", "check", "found"), rows)
        if isinstance(found.verdict, Rejected):
            if not json_:
                wrong(f"It is refused: {found.verdict.reason.value}.")
            raise typer.Exit(REFUSED)
        if not json_:
            said(f"It is {found.verdict.kind.value}:{found.verdict.subject}.")


def _read(file: Path | None) -> str:
    try:
        if file is None:
            return sys.stdin.read(LONGEST_JWT + 2)
        with file.open() as opened:
            return opened.read(LONGEST_JWT + 2)
    except OSError as error:
        raise InvalidInput("--file", f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput("--file", "it is not text") from None


def _document(found: Explained) -> dict[str, object]:
    verdict = found.verdict
    told = {
        "provider": found.provider,
        "checks": [
            {"check": one.name, "passed": one.passed, "found": one.said} for one in found.checks
        ],
    }
    if isinstance(verdict, Rejected):
        return {**told, "good": False, "reason": verdict.reason.value}
    return {**told, "good": True, "subject": f"{verdict.kind.value}:{verdict.subject}"}
