"""keyturn up, api, worker, beat: the processes."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Annotated, Any
from uuid import UUID

import typer

from cli import demo
from cli.activity import Activity
from cli.home import open_home
from cli.output import reported, said
from cli.session import DataDir, operator_name, settings_with
from core import logs
from core.actors import Actor
from core.errors import InvalidInput, Misconfigured
from core.settings import Settings
from scheduler.beat import Beat
from services.notices.notice_texts import check_notice_texts
from services.operation.migrating import check_schema
from services.operation.pulse import Pulse
from services.people.sign_in import WELCOME, sign_in_link
from services.runtime import Runtime, build
from services.verify.failed_logins import FailedLogins
from services.verify.use_counting import UseCounter
from workers.embedded import Worker, ringing

Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port to listen on; 0: any.")]
Host = Annotated[str, typer.Option(help="The address to listen on.")]


def up(
    port: Port = 8400,
    host: Host = "127.0.0.1",
    data_dir: DataDir = None,
    with_demo: Annotated[
        bool, typer.Option("--demo", help="With an account that rotates every 60 s.")
    ] = False,
) -> None:
    """Everything in one process: database file, worker, scheduler, API, console. Ctrl-C ends it."""
    with reported(), ExitStack() as stack:
        home = stack.enter_context(open_home(settings_with(data_dir=data_dir)))
        log = stack.enter_context((home.folder / "keyturn.log").open("a"))
        logs.configure(json=True, level=home.settings.log_level, stream=log)
        check_notice_texts(home.settings.templates)
        listener = stack.enter_context(_listen(host, port))
        runtime = build(home.settings)
        stack.callback(runtime.close)
        home.prepare(runtime)
        address = f"http://{host}:{listener.getsockname()[1]}"
        said(f"Keyturn is at {address}")
        said(f"The first admin's token is in {home.admin_token}")
        _say_how_to_sign_in(runtime, home.tenant_id, address)
        stack.enter_context(Activity(runtime))
        if with_demo:
            demo.prepare(runtime, home.tenant_id)
        pulse = stack.enter_context(_alive(runtime, "up"))
        stack.enter_context(ringing(runtime))
        stack.enter_context(Worker(runtime, pulse))
        stack.enter_context(Beat(home.settings))
        _serve(runtime, listener, pulse)


def _say_how_to_sign_in(runtime: Runtime, tenant_id: UUID, address: str) -> None:
    """A link, where somebody reads along; a log would keep it."""
    if sys.stdout.isatty():
        with suppress(InvalidInput):  # there are several admins: only they know who sits here
            operator = Actor.operator(tenant_id, operator_name())
            link = sign_in_link(runtime, operator, None, page_url=f"{address}{WELCOME}")
            said(f"Sign in at the console, once and within 15 minutes: {link}")
            return
    said("`keyturn admin sign-in-link` gives a link to sign in at the console")


def api(port: Port = 8400, host: Host = "127.0.0.1") -> None:
    """The HTTP service. Any number may run; put a proxy in front."""
    with reported(), ExitStack() as stack:
        settings = _production()
        listener = stack.enter_context(_listen(host, port))
        runtime = stack.enter_context(_runtime(settings))
        pulse = stack.enter_context(_alive(runtime, "api"))
        stack.enter_context(ringing(runtime))
        _serve(runtime, listener, pulse)


def worker() -> None:
    """Rotates, delivers, expires. Any number may run."""
    with reported(), ExitStack() as stack:
        settings = _production()
        runtime = stack.enter_context(_runtime(settings))
        pulse = stack.enter_context(_alive(runtime, "worker"))
        stack.enter_context(ringing(runtime))
        told = stack.enter_context(_until_told())
        stack.enter_context(_measured(runtime))
        stack.enter_context(Worker(runtime, pulse))
        said("The worker is running.")
        told.wait()


def beat() -> None:
    """Ticks. One is enough; several do no harm. Needs no database."""
    with reported(), _until_told() as told:
        settings = _production()
        logs.configure(json=settings.log_json, level=settings.log_level)
        with Beat(settings):
            said("The scheduler is running.")
            told.wait()


def _production() -> Settings:
    settings = settings_with()
    if not settings.broker_url:
        raise Misconfigured(
            "Set KEYTURN_BROKER_URL (redis://... or amqp://...): separate processes cannot "
            "share the in-memory broker of `keyturn up`."
        )
    logs.configure(json=settings.log_json, level=settings.log_level)
    return settings


@contextmanager
def _runtime(settings: Settings) -> Iterator[Runtime]:
    """A runtime whose database has the right schema and whose keys open it."""
    runtime = build(settings)
    try:
        check_schema(runtime.database)
        check_notice_texts(settings.templates)
        runtime.keyring.check()
        runtime.keyring.warm()
        yield runtime
    finally:
        runtime.close()


@contextmanager
def _alive(runtime: Runtime, kind: str) -> Iterator[Pulse]:
    pulse = Pulse(runtime, kind)
    pulse.start()
    try:
        yield pulse
    finally:
        pulse.stop()


@contextmanager
def _measured(runtime: Runtime) -> Iterator[None]:
    """What this process counts is served on the port that the operator named, if any."""
    port = runtime.settings.metrics_port
    if port is None:
        yield
        return
    from prometheus_client import start_http_server  # noqa: PLC0415 - only for who wants it

    try:
        server, thread = start_http_server(port, registry=runtime.metrics.registry)
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on KEYTURN_METRICS_PORT {port} ({error.strerror}); choose another."
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows that answers must not wait for the client's acknowledgement.
    listener = socket.socket(family, proto=socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"Cannot listen on {host}:{port} ({error.strerror}); choose another --port."
            ) from None
        yield listener
    finally:
        listener.close()


def _serve(runtime: Runtime, listener: socket.socket, pulse: Pulse) -> None:
    """The API and the console answer until SIGINT or SIGTERM; what is under way is finished.

    Meanwhile it listens for changes, and counts the uses of tokens.
    """
    import uvicorn  # noqa: PLC0415 - a worker needs none of these 15 MB

    from api.app import create_app  # noqa: PLC0415
    from api.serving import configured, settle  # noqa: PLC0415
    from console.app import create_console  # noqa: PLC0415

    logins = FailedLogins(runtime)
    console = create_console(runtime, logins)
    app = create_app(runtime, logins=logins, beyond=console)
    config = configured(app, timeout_graceful_shutdown=5)
    # uvicorn handles the signals itself and raises them again at its end
    server = uvicorn.Server(config)
    uses = UseCounter(runtime, pulse.id)
    with (
        _until_told(),
        app.verifier.listener.listening(),
        console.live.listening(lambda: server.should_exit),
        uses.counting(),
    ):
        settle()
        server.run(sockets=[listener])


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending the process half-way."""
    told = threading.Event()

    def tell(_number: int, _frame: Any) -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
