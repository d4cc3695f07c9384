"""Whose address a call came from, where proxies stand between."""

import pytest
from pydantic import ValidationError

from core.addresses import as_one, client_of, is_trusted, parse_networks
from core.settings import Settings

TRUSTED = parse_networks("10.0.0.0/8, 192.0.2.1, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # no proxy of ours: nobody believes it
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),  # the left part is the client's word
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", " ,, ", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        (None, "203.0.113.9", None),
        ("testclient", "203.0.113.9", "testclient"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: str, client: str | None
):
    assert client_of(peer, forwarded, TRUSTED) == client


def test_without_proxies_of_ours_nobody_is_believed():
    assert client_of("127.0.0.1", "203.0.113.9", ()) == "127.0.0.1"
    assert not is_trusted("127.0.0.1", ())


def test_all_addresses_of_one_customer_count_as_one():
    assert as_one("2001:db8:1:2:3::4") == as_one("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert as_one("203.0.113.9") == as_one("::ffff:203.0.113.9") == "203.0.113.9"
    assert as_one("testclient") == "testclient"


def test_trusted_proxies_are_written_with_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEYTURN_TRUSTED_PROXIES", "10.0.0.1/8, fd00::1,")

    assert [str(one) for one in Settings().trusted_proxies] == ["10.0.0.0/8", "fd00::1/128"]


@pytest.mark.parametrize("given", ["proxy", "10.0.0.0/33", "10.0.0.1;10.0.0.2", "*"])
def test_what_is_no_network_is_refused(monkeypatch: pytest.MonkeyPatch, given: str):
    monkeypatch.setenv("KEYTURN_TRUSTED_PROXIES", given)

    with pytest.raises(ValidationError, match="give addresses or networks, separated by commas"):
        Settings()
