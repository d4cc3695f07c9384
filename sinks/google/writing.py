"""How a copy becomes the newest version of a secret, once, whatever happened before.

Google adds versions without any condition and knows no repeat. So the annotations say first
which version is about to bear which mark: they are bound to an etag, and only who wrote them
adds a version. A repeat finds its mark there and looks whether that version has its value.
"""

from contextlib import suppress

from pydantic import SecretStr

from core.errors import SendFailed, Transient
from sinks.base import Copy, Held
from sinks.google.found import Found, Newest
from sinks.google.secret import GoogleSecret

MOST_RETIRED = 3  # by one send; with one rotation after another it is one


def write(secret: GoogleSecret, copy: Copy) -> tuple[Held, bool]:
    """Makes the secret hold this copy; answers what it holds, and if a version was added."""
    found = secret.found()
    if found is None:
        return _added(secret, copy, secret.create(copy.metadata())), True
    if not copy.may_follow(found.noted):
        return _kept(secret, found), False
    newest = secret.newest()
    if found.noted == copy.mark:
        newest = _promised(secret, found, newest, copy.text)
        if newest.value == copy.text:
            if newest.number != found.version:
                secret.note(found, copy.metadata(), newest.number)
            return Held(copy.mark, str(newest.number)), False
    following = newest.number + 1
    if (found.noted, found.version) != (copy.mark, following):
        found = secret.note(found, copy.metadata(), following)
    return _added(secret, copy, found), True


def retire_old(secret: GoogleSecret, *, kept: int, destroy: bool) -> None:
    """Disables or destroys what is older than the newest `kept`, a few versions at a time.

    The copy is written by now, so a failure is left to the next send.
    """
    with suppress(SendFailed):
        for version in secret.old_versions(also_disabled=destroy)[kept:][-MOST_RETIRED:]:
            secret.retire(version, destroy=destroy)


def _promised(secret: GoogleSecret, found: Found, newest: Newest, text: SecretStr) -> Newest:
    """The version that the annotations speak of, if Google does not name it the newest yet."""
    if newest.number >= found.version:
        return newest
    value = secret.value(found.version)
    if value == text:
        raise Transient("The version was written; Google does not show it as the newest yet.")
    return newest if value is None else Newest(found.version, value)


def _added(secret: GoogleSecret, copy: Copy, noted: Found) -> Held:
    """Adds the version that the annotations speak of, and reads back what is newest then."""
    number = secret.add(copy.text)
    if number != noted.version:  # another version came between
        found = secret.found()
        if found is not None and found.noted != copy.mark:
            if found.noted and found.noted.place == copy.mark.place and found.noted > copy.mark:
                return _kept(secret, found)
            raise Transient("The secret was claimed at the same moment.")
        if found is not None:
            secret.note(found, copy.metadata(), number)
    return _shown(secret, Held(copy.mark, str(number)), copy.text)


def _kept(secret: GoogleSecret, found: Found) -> Held:
    """A newer copy of the place stays. It is written again if something late came over it."""
    newest = secret.newest()
    if newest.number == found.version:
        return Held(found.noted, str(newest.number))
    value = secret.value(found.version)
    if value is None:
        raise Transient("A newer copy is being written at this moment.")
    if newest.number < found.version:
        raise Transient("A newer copy was written; Google does not show it as the newest yet.")
    noted = secret.note(found, found.bearings, newest.number + 1)
    secret.add(value)
    return _shown(secret, Held(found.noted, str(noted.version)), value)


def _shown(secret: GoogleSecret, held: Held, text: SecretStr) -> Held:
    """Reads back that consumers get just this version."""
    newest = secret.newest()
    if str(newest.number) != held.version or newest.value != text:
        raise Transient("The secret was written or removed at the same moment.")
    return held
