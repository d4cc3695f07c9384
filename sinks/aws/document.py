"""A secret of AWS Secrets Manager whose value is a JSON object, as one send sees it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from sinks.aws.errors import MISSING, Refused
from sinks.aws.secret import KEY, AwsSecret, Described
from sinks.entries import Said

_CURRENT, _PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.:/=+@-]")
_NONE, _OVER = "-", "over"
_WORDS = 4  # mark, fingerprint, version, whether it is over something


class AwsDocument(AwsSecret):
    """The calls one send makes about one key of a secret."""

    def create_document(
        self,
        document: Mapping[str, str],
        version: str,
        tags: Mapping[str, str],
        kms_key: str | None,
    ) -> None:
        """Makes the secret with these keys; Transient if the name is taken by now."""
        self.make(_text(document), version, tags, kms_key)

    def document(self, version: str) -> dict[str, Any]:
        """The keys and values of this version, none before the first; PlaceRefused if no object."""
        if not version:
            return {}
        try:
            found = self.call("get_secret_value", SecretId=self._name, VersionId=version)
        except Refused as refused:
            meaning = refused.meaning
            if refused.code == MISSING:
                meaning = Transient("The secret was written or removed at the same moment.")
        else:
            return _document(found.get("SecretString"))
        raise meaning

    def write(self, document: Mapping[str, Any], version: str) -> None:
        """Makes this the current document; a version that exists stays where it is."""
        try:
            self.call(
                "put_secret_value",
                SecretId=self._name,
                SecretString=_text(document).get_secret_value(),
                ClientRequestToken=version,
            )
        except Refused as refused:
            meaning = refused.meaning
            if refused.code == "ResourceExistsException":
                meaning = Transient("The secret has a version of this revision with other keys.")
        else:
            return
        raise meaning

    def move_current(self, to: str, instead_of: str) -> None:
        """Makes a version that exists the current one."""
        self.do(
            "update_secret_version_stage",
            SecretId=self._name,
            VersionStage=_CURRENT,
            MoveToVersionId=to,
            RemoveFromVersionId=instead_of,
        )

    def say(self, key: str, said: Said) -> None:
        """Sets the tag of this key, and leaves the others alone."""
        tags = [{"Key": KEY + key, "Value": worded(said)}]
        self.do("tag_resource", SecretId=self._name, Tags=tags)

    def unsay(self, key: str) -> None:
        """Removes the tag of this key."""
        self.do("untag_resource", SecretId=self._name, TagKeys=[KEY + key])


def previous(found: Described) -> str:
    """The version that was current before."""
    return next((id_ for id_, labels in found.stages.items() if _PREVIOUS in labels), "")


def version_id(mark: Mark, key: str, base: str) -> str:
    """Of the version that follows `base`: a repeat has the same, one after another has not."""
    return hashlib.sha256(f"{mark.version_id()}\n{key}\n{base}".encode()).hexdigest()


def worded(said: Said) -> str:
    """As a tag's value, in the few characters that AWS allows there."""
    over = _OVER if said.is_over else _NONE
    account = _NOT_IN_TAGS.sub("", said.facts.get("account", ""))[:64]
    words = [said.mark.version_id(), said.fingerprint, said.version or _NONE, over, account]
    return " ".join(words).strip()


def of_words(text: str) -> Said | None:
    """Reads it back; None if Keyturn did not write it."""
    words = text.split(" ")
    mark = Mark.of_version_id(words[0])
    if mark is None or len(words) < _WORDS:
        return None
    version = "" if words[2] == _NONE else words[2]
    return Said(mark, words[1], version, is_over=words[3] == _OVER)


def _text(document: Mapping[str, Any]) -> SecretStr:
    return SecretStr(json.dumps(document, ensure_ascii=False))


def _document(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise PlaceRefused(
        "The secret's value is no JSON object, so there is no key to write: name another path, or "
        "leave the key out."
    )
