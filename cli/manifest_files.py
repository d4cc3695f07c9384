"""Manifests in YAML files: several in one file, many files in a folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import InvalidInput
from core.strict_yaml import StrictLoader

_SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True)
class Document:
    """One manifest and where it stands."""

    file: Path
    number: int
    manifest: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.file}, document {self.number}"


def read_documents(paths: Sequence[Path]) -> list[Document]:
    """Every manifest in these files and below these folders, in the order of their names.

    InvalidInput names the file, and the line or the document, that is no manifest.
    """
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    documents = [document for file in files for document in _documents(file)]
    if not documents:
        raise InvalidInput("--file", "there is no manifest here")
    return documents


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES)
    if not found:
        raise InvalidInput("--file", f"{path} holds no .yaml or .yml file")
    return found


def _documents(file: Path) -> Iterator[Document]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(str(file), f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(str(file), "give UTF-8 text") from None
    try:
        loaded = list(yaml.load_all(text, StrictLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{file}{line}", f"this is not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError):
        raise InvalidInput(str(file), "this is not YAML") from None
    for number, manifest in enumerate(loaded, start=1):
        if manifest is None:  # nothing between two separators
            continue
        if not isinstance(manifest, dict):
            raise InvalidInput(f"{file}, document {number}", "give a manifest: type, name, ...")
        yield Document(file, number, manifest)
