"""The options of `keyturn-exec` and `keyturn exec`: where the token is, what to run with it."""

import argparse
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyturn_client.source import TokenSource

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESTART, IGNORE = "restart", "ignore"
TOKEN_FILE = "KEYTURN_TOKEN_FILE"


class Misused(Exception):
    """The options do not say what is needed; the message names one and what is allowed."""


@dataclass(frozen=True)
class Program:
    """What is run, and how it hears of a new token."""

    words: Sequence[str]
    variables: Sequence[str]
    withheld: frozenset[str]
    on_rotation: str | signal.Signals
    grace: float
    spread: float
    every: float


def parsed(words: Sequence[str], *, prog: str) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the program with its arguments; SystemExit 2 if the words are wrong."""
    parser = parser_of(prog)
    options, dashes, program = _split(words)
    given = parser.parse_args(options)
    if not dashes or not program:
        parser.error("write the program to run after --")
    if sum(one is not None for one in (given.file, given.vault, given.account)) != 1:
        parser.error("say where the token is: one of --file, --vault and --account")
    if given.variable is not None and (given.file is None or given.field is not None):
        parser.error("--variable goes with --file, and not with --field")
    return given, program


def parser_of(prog: str) -> argparse.ArgumentParser:
    """Every option, each with its sentence."""
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=f"{prog} (--file FILE | --vault PATH | --account ID) [OPTIONS] -- PROGRAM ...",
        description="Runs a program with the current token, and follows the token's rotations.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--file", metavar="FILE", help="a file that holds the token")
    add("--vault", metavar="PATH", help="a secret's path in Vault's or OpenBao's KV v2")
    add("--account", metavar="ID", help="a virtual account's id: the token is asked from Keyturn")
    add("--field", metavar="NAME", help="the field of a JSON file, or of the secret (token)")
    add("--variable", metavar="NAME", help="the variable of a dotenv file")
    add("--url", help="Vault's or Keyturn's address; else VAULT_ADDR or TFY_HOST")
    add("--mount", default="secret", help="the KV v2 engine's mount path (%(default)s)")
    add("--namespace", help="Vault's namespace; else VAULT_NAMESPACE")
    add(
        "--credential-file",
        metavar="FILE",
        help="a file with the token for Vault or Keyturn; else VAULT_TOKEN or TFY_API_KEY",
    )
    add("--ca-bundle", metavar="FILE", help="PEM file of the server's authorities")
    add("--timeout", type=_positive, default=5.0, metavar="LENGTH", help="of one call (5s)")
    add("--every", type=_positive, metavar="LENGTH", help="between looks (1s; 60s over a network)")
    add(
        "--env",
        action="append",
        type=_variable,
        metavar="NAME",
        help="the variable that gets the token, several if repeated (TFY_API_KEY)",
    )
    add(
        "--on-rotation",
        type=_rotation,
        default=RESTART,
        metavar="WHAT",
        help=f"restart, ignore, or a signal like SIGHUP; with the last two {TOKEN_FILE} names "
        "a file with the current token (%(default)s)",
    )
    add("--grace", type=length, default=10.0, metavar="LENGTH", help="SIGTERM to SIGKILL (10s)")
    add(
        "--spread",
        type=length,
        default=0.0,
        metavar="LENGTH",
        help="a restart waits a random part of this, so that copies do not restart at once (0s)",
    )
    return parser


def program_of(given: argparse.Namespace, words: Sequence[str]) -> Program:
    """What is to be run. What reads the token is not handed on to the program."""
    over_network = given.file is None
    login = "VAULT_TOKEN" if given.account is None else "TFY_API_KEY"
    is_ours = over_network and given.credential_file is None
    return Program(
        words=words,
        variables=given.env or ["TFY_API_KEY"],
        withheld=frozenset({login} if is_ours else ()),
        on_rotation=given.on_rotation,
        grace=given.grace,
        spread=given.spread,
        every=given.every or (60.0 if over_network else 1.0),
    )


def source_of(
    given: argparse.Namespace, environment: Mapping[str, str], every: float
) -> TokenSource:
    """Where the token is; Misused names what is missing."""
    try:
        if given.file is not None:
            return TokenSource.from_file(given.file, field=given.field, variable=given.variable)
        if given.vault is not None:
            return TokenSource.from_vault(
                _needed(given.url, environment, "VAULT_ADDR", "--url"),
                given.vault,
                mount=given.mount,
                field=given.field or "token",
                token=_login(given, environment, "VAULT_TOKEN"),
                token_file=given.credential_file,
                namespace=given.namespace or environment.get("VAULT_NAMESPACE"),
                ca_bundle=given.ca_bundle or environment.get("VAULT_CACERT") or None,
                interval=every,
                timeout=given.timeout,
            )
        return TokenSource.from_keyturn(
            _needed(given.url, environment, "TFY_HOST", "--url"),
            given.account,
            bearer=_login(given, environment, "TFY_API_KEY"),
            bearer_file=given.credential_file,
            ca_bundle=given.ca_bundle,
            interval=every,
            timeout=given.timeout,
        )
    except ValueError as error:
        wrong = str(error)
    raise Misused(wrong)


def length(text: str) -> float:
    """Seconds: 30, 500ms, 30s, 5m, 1h."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("give a length like 500ms, 30s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def _positive(text: str) -> float:
    seconds = length(text)
    if not seconds:
        raise argparse.ArgumentTypeError("give a length above 0")
    return seconds


def _split(words: Sequence[str]) -> tuple[Sequence[str], bool, list[str]]:
    if "--" not in words:
        return words, False, []
    at = list(words).index("--")
    return words[:at], True, list(words[at + 1 :])


def _variable(text: str) -> str:
    if not _NAME.fullmatch(text) or text == TOKEN_FILE:
        raise argparse.ArgumentTypeError("a variable's name has letters, digits and underscores")
    return text


def _rotation(text: str) -> str | signal.Signals:
    if text in {RESTART, IGNORE}:
        return text
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    number = signal.Signals.__members__.get(name)
    if number in {None, signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        raise argparse.ArgumentTypeError("say restart, ignore, or a signal like SIGHUP")
    return name if number is None else number


def _needed(given: str | None, environment: Mapping[str, str], name: str, option: str) -> str:
    found = given or environment.get(name)
    if not found:
        raise Misused(f"give {option}, or set {name}")
    return found


def _login(given: argparse.Namespace, environment: Mapping[str, str], name: str) -> str | None:
    if given.credential_file is not None:
        return None
    return _needed(None, environment, name, "--credential-file")
