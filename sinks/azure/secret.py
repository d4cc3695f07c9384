"""The calls that one send makes about one secret of a Key Vault."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from azure.keyvault.secrets import SecretClient

from core.layout import Form
from sinks.azure.errors import DELETED, MISSING, Refused
from sinks.azure.identity import Bearer, Identity
from sinks.azure.version import Stored, end_of, stored_in, tags_of
from sinks.azure.wire import ONE_TRY, Timed, invoke
from sinks.base import Copy, mark_of
from sinks.deadline import Deadline

T = TypeVar("T")
_PAGE = 25  # the most that Key Vault lists at once
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class VaultSecret:
    """The calls one send makes about one secret."""

    def __init__(
        self, vault_url: str, identity: Identity, wire: Timed, deadline: Deadline, name: str
    ) -> None:
        bearer: Any = Bearer(identity, deadline)
        # A client of its own for each send: it keeps the token that the vault refused.
        self._client = SecretClient(vault_url, bearer, transport=wire, **ONE_TRY)
        self._deadline = deadline
        self._name = name

    def current(self) -> Stored | None:
        """The version that consumers read, and if that is not ours, whose the others are."""
        stored = self._find("read", lambda: stored_in(self._client.get_secret(self._name)))
        if stored is None or stored.place is not None:
            return stored
        return replace(stored, before=self._before())

    def write(self, copy: Copy) -> bool:
        """Adds this copy as the current version; False if a deleted secret holds the name."""
        is_json = copy.layout.form is Form.JSON
        try:
            self._do(
                "write",
                lambda: self._client.set_secret(
                    self._name,
                    copy.text.get_secret_value(),
                    tags=tags_of(copy),
                    content_type="application/json" if is_json else "text/plain",
                    expires_on=end_of(copy),
                ),
            )
        except Refused as refused:
            if refused.code == DELETED:
                return False
            meaning = refused.meaning
        else:
            return True
        raise meaning

    def deleted(self) -> Stored | None:
        """What a deletion left, which can be recovered."""
        return self._find("read", lambda: stored_in(self._client.get_deleted_secret(self._name)))

    def recover(self) -> None:
        """Takes its deletion back; Azure may need seconds until it can be written."""
        self._change("recover", lambda: self._client.begin_recover_deleted_secret(self._name))

    def delete(self) -> None:
        """Deletes all versions; the vault keeps them for as long as it is told to."""
        self._change("delete", lambda: self._client.begin_delete_secret(self._name))

    def purge(self) -> None:
        """Destroys what a deletion left."""
        self._change("purge", lambda: self._client.purge_deleted_secret(self._name))

    def _before(self) -> UUID | None:
        """The place of the youngest version of ours among those that one call lists."""
        listed = self._find(
            "list the versions",
            lambda: list(
                next(
                    self._client.list_properties_of_secret_versions(
                        self._name, max_page_size=_PAGE
                    ).by_page(),
                    iter(()),
                )
            ),
        )
        ours = [
            (it.created_on or _LONG_AGO, mark) for it in listed or [] if (mark := mark_of(it.tags))
        ]
        return max(ours)[1].place if ours else None

    def _find(self, called: str, operation: Callable[[], T]) -> T | None:
        """What is found; None where nothing is."""
        try:
            return self._do(called, operation)
        except Refused as refused:
            if refused.code == MISSING:
                return None
            meaning = refused.meaning
        raise meaning

    def _change(self, called: str, operation: Callable[[], object]) -> None:
        try:
            self._do(called, operation)
        except Refused as refused:
            meaning = refused.meaning
        else:
            return
        raise meaning

    def _do(self, called: str, operation: Callable[[], T]) -> T:
        return invoke(self._deadline, called, operation)
