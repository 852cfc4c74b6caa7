"""The host process: `python child.py READ_FD WRITE_FD`.

It needs the standard library and its engine, nothing else, so that it can run under another
interpreter. Its own standard output and error go to the log of the load; the pipes carry only
messages.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_lem.backends.host.copies import Copies
    from pytest_lem.backends.host.load import Load
    from pytest_lem.backends.protocol import Backend, LoadSpec, Prepared, Request

_ROOT = Path(__file__).resolve().parents[2]


def _find_own_package() -> None:
    """Make `pytest_lem` importable, and nothing else of the environment it is installed in."""
    if "pytest_lem" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "pytest_lem", _ROOT / "__init__.py", submodule_search_locations=[str(_ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package at {_ROOT}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["pytest_lem"] = module
    spec.loader.exec_module(module)


class Server:
    """Answers one request after the other with one backend, or with copies of it beside it."""

    def __init__(self, send: Callable[..., object]) -> None:
        self._reply = send
        self._backend: Backend | None = None
        self._prepared: Prepared | None = None
        self._outcomes: list[Any] = []
        self._load: Load | None = None
        self._copies: Copies | None = None

    def answer(self, message: dict[str, Any]) -> None:
        """Do what a message asks and send the answer."""
        handler = getattr(self, f"_do_{message['type']}")
        try:
            self._share(message)
            handler(message)
        except Exception as error:
            cause = self._copies.blame(error) if self._copies else error
            if cause is error:
                raise
            raise cause from error

    def close(self) -> None:
        """End the copies."""
        if self._copies:
            self._copies.kill()

    def _share(self, message: dict[str, Any]) -> None:
        """Ask the copies as well, which then wait for each other as long as there is time."""
        if self._copies:
            self._copies.share(message)
            self._backend.deadline_s = self._copies.deadline_s  # type: ignore[union-attr]

    def _send(self, kind: str, **fields: Any) -> None:
        self._reply(kind, **(self._copies.pooled(kind, fields) if self._copies else fields))

    def _do_import(self, message: dict[str, Any]) -> None:
        """Import the backend and its engine, whose time is not that of loading a model."""
        from pytest_lem.backends.host.packages import versions

        backend_class = _find(message["backend"])
        for package in backend_class.requires:
            _import(package, backend_class)
        self._send("imported", packages=versions(), python=sys.version.split()[0])

    def _do_load(self, message: dict[str, Any]) -> None:
        from pytest_lem.backends.protocol import LoadSpec

        backend_class = _find(message["backend"])
        options = backend_class.Options(**message["spec"]["options"])
        spec = LoadSpec(**{**message["spec"], "options": options})
        self._backend = backend = backend_class()
        self._start_copies(spec, message)
        applied = backend.load(spec)
        if self._copies:
            self._copies.hear("loaded")
            self._copies.tell("join")
            applied = backend.join()  # type: ignore[attr-defined]
            self._copies.hear("joined")
            self._copies.facts = applied["processes"]
        self._send("loaded", applied=applied)

    def _start_copies(self, spec: LoadSpec, message: dict[str, Any]) -> None:
        """Start the further processes of a backend that runs in several."""
        copies_of = getattr(self._backend, "copies", None)
        if variables := copies_of(spec) if copies_of else ():
            from pytest_lem.backends.host.copies import Copies

            self._copies = Copies(variables)
            self._copies.begin(message)
            self._backend.deadline_s = self._copies.deadline_s  # type: ignore[union-attr]

    def _do_join(self, _: dict[str, Any]) -> None:
        """Meet the other processes; only they are asked to whom another one has sent the load."""
        self._loaded().join()  # type: ignore[attr-defined]
        self._send("joined")

    def _do_prepare(self, message: dict[str, Any]) -> None:
        from pytest_lem.backends.host.memory import reset_peak
        from pytest_lem.workloads.workload import Workload

        workload = Workload.from_plain(message["workload"])
        self._prepared = self._loaded().prepare(workload, message["batch_size"])
        reset_peak()
        prepared = self._prepared
        self._send("prepared", input_tokens=prepared.input_tokens, requests=prepared.requests)

    def _do_arm(self, _: dict[str, Any]) -> None:
        """Tidy up before the meters are read, so that it is not charged to the window."""
        import gc

        self._outcomes = []
        self._load = None
        gc.collect()
        gc.disable()
        self._send("armed")

    def _do_run(self, message: dict[str, Any]) -> None:
        """Run the repetitions of one window. Only the work stands between the two stamps."""
        import gc
        import time

        backend, batches = self._loaded(), self._batches()
        run, monotonic = backend.run, time.monotonic
        repetitions = range(message["repetitions"])
        start_s = monotonic()
        outcomes = [run(batch) for _ in repetitions for batch in batches]
        backend.synchronise()
        end_s = monotonic()
        self._send("ran", start_s=start_s, end_s=end_s)
        gc.enable()
        self._outcomes = outcomes

    def _do_start(self, message: dict[str, Any]) -> None:
        """Begin traffic, and answer once it is steady."""
        import gc

        from pytest_lem.backends.host.load import Load
        from pytest_lem.workloads.traffic import Traffic

        gc.enable()  # the work is in other processes, and this one runs for long
        traffic = Traffic.from_plain(message["traffic"])
        sender = self._loaded().sender(self._batches())  # type: ignore[attr-defined]
        self._load = Load(sender, traffic, seed=message["seed"], drain_s=message["drain_s"])
        try:
            self._load.start(timeout_s=message["limit_s"])
        except BaseException:
            self._load.stop()
            raise
        self._send("started")

    def _do_hold(self, message: dict[str, Any]) -> None:
        """Let the traffic run for a while."""
        self._running().hold(message["seconds"])
        self._send("held")

    def _do_stop(self, _: dict[str, Any]) -> None:
        """End the traffic, and wait for what is under way."""
        self._running().stop()
        self._send("stopped")

    def _do_collect(self, _: dict[str, Any]) -> None:
        """Send the timelines of the last window, its first text and the peak of memory."""
        from pytest_lem.backends.host.memory import peaks

        backend, load = self._loaded(), self._load
        requests = [r for outcome in self._outcomes for r in backend.requests(outcome)]
        requests += load.requests if load else []
        self._outcomes = []
        first = min(requests, key=lambda r: r.sent_s, default=None)
        text = None if first is None or first.error else _text(backend, first)
        plain = [_plain(r) for r in requests]
        looks = load.looks if load else []
        self._send("collected", requests=plain, text=text, looks=looks, **peaks())

    def _do_score(self, message: dict[str, Any]) -> None:
        """Send how likely the model finds a text; nulls where the backend cannot tell."""
        from math import isfinite

        score = getattr(self._loaded(), "score", None)
        nats, tokens = score(message["text"]) if score else (None, 0)
        is_known = nats is not None and isfinite(nats) and tokens > 0
        self._send("scored", nats=nats if is_known else None, tokens=tokens)

    def _loaded(self) -> Backend:
        if self._backend is None:
            raise RuntimeError("asked for work before `load`")
        return self._backend

    def _running(self) -> Load:
        if self._load is None:
            raise RuntimeError("asked about traffic before `start`")
        return self._load

    def _batches(self) -> list[Any]:
        if self._prepared is None:
            raise RuntimeError("asked to run before `prepare`")
        return list(self._prepared.batches)


def _find(entry: str) -> type[Backend]:
    """Return what an entry point, `module:name`, stands for."""
    module, _, name = entry.partition(":")
    found: type[Backend] = getattr(importlib.import_module(module), name)
    return found


def _text(backend: Backend, request: Request) -> str:
    return backend.decode(request.token_ids) if request.text is None else request.text


def _plain(request: Request) -> dict[str, Any]:
    """Return a request as JSON, without its text: one of them is enough."""
    from dataclasses import asdict, replace

    return asdict(replace(request, text=None))


def _import(package: str, backend_class: type[Backend]) -> None:
    """Import a package; one that is not there is told with the command that installs it."""
    from pytest_lem.errors import config_error

    try:
        importlib.import_module(package)
    except ImportError as error:
        name, run = backend_class.name, f"run: {backend_class.install}"
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            raise config_error(
                f"the backend `{name}` needs {package}, which {sys.executable} does not have; {run}"
            ) from error
        reason = str(error).partition("\n")[0]
        raise config_error(
            f"the backend `{name}` cannot import {package} under {sys.executable} ({reason}): it "
            f"does not fit what is installed beside it; {run}"
        ) from error


def main(read_fd: int, write_fd: int) -> None:
    """Serve until `quit` or until the other side is gone."""
    _find_own_package()
    from pytest_lem.backends.host.failures import described, recorded_warnings
    from pytest_lem.backends.host.keeper import put_keeper_between
    from pytest_lem.backends.host.messages import decode, encode

    put_keeper_between((read_fd, write_fd))

    with open(read_fd, "rb") as inbox, open(write_fd, "wb", buffering=0) as outbox:
        server = Server(lambda kind, **fields: outbox.write(encode(kind, **fields)))
        outbox.write(encode("hello", pid=os.getpid()))
        for line in inbox:
            message = decode(line)
            if message["type"] == "quit":
                server.close()
                return
            with recorded_warnings() as warned:
                try:
                    server.answer(message)
                except Exception as error:  # noqa: BLE001 - every failure becomes an answer
                    failure = described(error)
                    sys.stderr.write(failure.pop("detail"))
                    outbox.write(encode("error", **failure))
            outbox.write(encode("done", warnings=warned))


# As `__worker__`, MPI runs this file in each process that it starts for an engine.
_IS_IN_FRONT = Path(sys.path[0]).resolve() == Path(__file__).resolve().parent
if __name__ in ("__main__", "__worker__") and _IS_IN_FRONT:
    del sys.path[0]  # this folder: its modules must not hide others of the same name
if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
