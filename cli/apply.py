"""keyturn apply: manifests from files, all of them checked before the first is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from cli.manifest_files import Document, read_documents
from cli.output import as_json, code_of, err, out, plain, reported, said, warned, wrong
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from core.actors import Actor
from core.errors import InvalidInput, KeyturnError
from services.manifests import (
    Applied,
    apply_manifest,
    kind_of,
    place_in_order,
    rehearse_manifests,
)
from services.runtime import Runtime

_COLOURS = {"+": "green", "-": "red"}


def apply(
    file: Annotated[
        list[Path],
        typer.Option("--file", "-f", exists=True, help="A YAML file, or a folder of them."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Creates or updates what manifests describe; all are checked before any is written."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        documents = _in_order(read_documents(file))
        done = _rehearsed(runtime, actor, documents)
        if not dry_run:
            done = _applied(runtime, actor, documents)
        for one in done:
            for warning in one.warnings:
                warned(f"{one.kind} {one.name}: {warning}")
        if json_:
            as_json([_facts(*pair) for pair in zip(documents, done, strict=True)])
            return
        for one in done:
            _show(one, dry_run=dry_run)


def _in_order(documents: Sequence[Document]) -> list[Document]:
    """None before what it refers to; the same thing only once."""
    _refuse([(one, _type_error(one)) for one in documents])
    first: dict[tuple[str, Any], Document] = {}
    for one in documents:
        kept = first.setdefault((str(one.manifest["type"]), one.manifest.get("name")), one)
        if kept is not one:
            raise InvalidInput(one.place, f"{kept.place} describes the same thing")
    return sorted(documents, key=lambda one: place_in_order(one.manifest))


def _type_error(document: Document) -> KeyturnError | None:
    try:
        kind_of(document.manifest)
    except KeyturnError as error:
        return error
    return None


def _rehearsed(runtime: Runtime, actor: Actor, documents: Sequence[Document]) -> list[Applied]:
    answers = rehearse_manifests(runtime, actor, [one.manifest for one in documents])
    pairs = list(zip(documents, answers, strict=True))
    _refuse([(one, answer if isinstance(answer, KeyturnError) else None) for one, answer in pairs])
    return [answer for answer in answers if isinstance(answer, Applied)]


def _refuse(found: Sequence[tuple[Document, KeyturnError | None]]) -> None:
    """Tells each error with its file, document and field, and ends the command if there is one."""
    wrongs = [(document, error) for document, error in found if error is not None]
    for document, error in wrongs:
        wrong(f"{document.place}: {str(error).removeprefix('manifest.')}")
    if wrongs:
        raise typer.Exit(code_of(wrongs[0][1]))


def _applied(runtime: Runtime, actor: Actor, documents: Sequence[Document]) -> list[Applied]:
    done = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        for document in progress.track(documents, description="applying"):
            try:
                done.append(apply_manifest(runtime, actor, document.manifest))
            except KeyturnError as error:
                wrong(f"{len(done)} of {len(documents)} manifests were applied before this one.")
                _refuse([(document, error)])
    return done


def _show(one: Applied, *, dry_run: bool) -> None:
    what = "created" if one.created else "updated" if one.changed else "unchanged"
    would = "would be " if dry_run and one.changed else ""
    said(f"{one.kind} {one.name} {would}{what}")
    for line in one.diff.splitlines() if dry_run else ():
        out.print(Text(plain(line), style=_COLOURS.get(line[:1], "")))


def _facts(document: Document, one: Applied) -> dict[str, Any]:
    return {
        "file": str(document.file),
        "document": document.number,
        "type": one.kind,
        "name": one.name,
        "action": "create" if one.created else "update" if one.changed else "none",
        "diff": one.diff,
    }
