"""A kept session with a channel's other side: one POST at a time, over in time, told to no log.

No redirect is followed, and of an answer no more than its beginning is read. No error quotes an
address or a credential.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
from urllib3 import Timeout

from core.dial import Dialer
from core.errors import DestinationRefused, SendFailed, Transient
from notifiers.answers import Answer
from notifiers.cutting import Cut, let_be_cut
from notifiers.trust import Trust

_LONGEST_ANSWER = 65_536  # bytes
_PORTS = {"http": 80, "https": 443}


class Channel:
    """Kept from send to send; any thread may post."""

    def __init__(self, dialer: Dialer, who: str, ca_bundle: str) -> None:
        """`who` names the other side in errors; `ca_bundle` are the only authorities, if given."""
        self._dialer = dialer
        self._who = who
        self._trust = Trust(ca_bundle)
        self._session = dialer.session()
        let_be_cut(self._session)
        self._session.headers.clear()
        self._session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "keyturn",
            }
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str], within: float) -> Answer:
        """What is answered within so many seconds; SendFailed if nothing is."""
        failure: SendFailed
        with Cut(within) as cut:
            try:
                with self._session.post(
                    url,
                    data=body,
                    headers=dict(headers),
                    timeout=Timeout(total=within),  # urllib3's will do
                    verify=self._trust.path,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    found = Answer(answer.status_code, answer.headers, _said(answer))
                if not (found.is_success and cut.is_over):  # a head that was cut off looks whole
                    return found
                failure = self._late()
            except OSError as error:  # what requests raises, and a trust file that is gone
                failure = self._unreached(error, is_late=cut.is_over)
        raise failure  # outside the handler: the original's request holds the address

    def reach(self, url: str, within: float) -> str:
        """Connects as a post would, and says nothing; answers the host's name."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        failure: SendFailed
        with Cut(within) as cut:
            try:
                with self._dialer.connect(host, port, within) as plain:
                    cut.watch(plain)
                    if parts.scheme == "https":
                        self._trust.context().wrap_socket(plain, server_hostname=host).close()
            except (OSError, UnicodeError) as error:
                failure = self._unreached(error, is_late=cut.is_over)
            else:
                return host
        raise failure

    def close(self) -> None:
        self._session.close()
        self._trust.remove()

    def _late(self) -> SendFailed:
        return Transient(f"{self._who} did not answer in time")

    def _unreached(self, error: Exception, *, is_late: bool) -> SendFailed:
        if is_late or isinstance(error, requests.Timeout | TimeoutError):
            return self._late()
        if "VERIFY_FAILED" in str(error):
            return DestinationRefused(
                f"{self._who}: its certificate is not trusted; give its ca_bundle"
            )
        if isinstance(error, requests.exceptions.InvalidURL | UnicodeError):
            return DestinationRefused(f"{self._who}: this is no address that can be called")
        return Transient(f"{self._who} cannot be reached ({type(error).__name__})")


def _said(answer: requests.Response) -> bytes:
    """The body; a refusal is one even if its body breaks off."""
    try:
        return _beginning(answer)
    except OSError:
        if answer.ok:
            raise
        return b""


def _beginning(answer: requests.Response) -> bytes:
    body = b""
    for chunk in answer.iter_content(8_192):
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            return b""
    return body
