"""Telling others of a run: what is sent, when, and what nobody gets to see."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

SUITE = """
    from burn import burn

    def test_one(energy):
        energy(burn)

    def test_two(energy):
        energy(burn)
        assert False, "two is odd"

    def test_three(energy):
        energy(burn)
"""
GOOD = "from burn import burn\ndef test_one(energy): energy(burn)\n"
HIDDEN = "s3cret"


@pytest.fixture
def told(suite: Any, monkeypatch: Any, listen: Callable[[], Any]) -> Callable[..., Any]:
    """Return a function that runs a suite whose settings name a server; result and server."""

    def run(source: str, *arguments: str, events: str = "start,failure,gate,end") -> Any:
        server = listen()
        monkeypatch.setenv("HOOK", server.url)
        suite.makepyfile(test_it=source)
        settings = ("webhooks.url_env=[HOOK]", f"webhooks.events=[{events}]")
        options = [f"--lem-set={assignment}" for assignment in settings]
        return suite.runpytest_subprocess(*options, *arguments), server

    return run


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "parallel"])
def test_a_run_is_told(told: Any, stored: Any, workers: tuple[str, ...]) -> None:
    """Its start, what failed, and the end, once each."""
    result, server = told(SUITE, "--lem-json=run.json", *workers)

    result.assert_outcomes(passed=2, failed=1)
    assert [m["event"] for m in server.messages] == ["start", "failure", "end"]
    start, failure, end = server.messages
    assert {m["run"] for m in server.messages} == {stored().run.id}
    assert start["text"].endswith("has started with 3 tests")
    assert [f["case"] for f in failure["failures"]] == ["test_it::test_two"]
    assert (end["measured"], end["failed"], end["exit_status"]) == (3, 1, 1)
    assert "webhooks:" not in result.stdout.str()


def test_only_what_was_asked_for_is_sent(told: Any) -> None:
    """Events, and parts of them."""
    _, server = told(SUITE, "--lem-set=webhooks.fields=[failed]", events="end")

    assert server.messages == [{"event": "end", "failed": 1}]


def test_nothing_is_sent_while_a_window_is_open(
    suite: Any, stored: Any, monkeypatch: Any, told: Any
) -> None:
    """Every message falls between the windows of a serial run, on one clock."""
    suite.makeconftest(
        """
        import time
        from pytest_lem.sinks.courier import Courier

        send = Courier.send

        def timed(self, message):
            start = time.monotonic()
            send(self, message)
            with open("sent.txt", "a") as file:
                file.write(f"{start} {time.monotonic()}\\n")

        Courier.send = timed
        """
    )
    told(SUITE, "--lem-json=run.json")

    lines = (suite.path / "sent.txt").read_text().splitlines()
    sent = [tuple(map(float, line.split())) for line in lines]
    windows = [(r.t0, r.t1) for record in stored().records for r in record.rounds]
    assert (len(sent), len(windows)) == (3, 6)
    for start, end in sent:
        assert all(end < t0 or start > t1 for t0, t1 in windows)


def test_a_verdict_that_fails_is_told(
    told: Any, suite: Any, history: Any, listen: Any, monkeypatch: Any
) -> None:
    """With what it is about; a case that is gone is told at the end."""
    two = f"{GOOD}def test_gone(energy): energy(burn)\n"
    told(two, "--lem-save=main")
    history(factor=0.1)

    _, server = told(GOOD, "--lem-baseline=main", "--lem-fail-on=call_duration_s:5",
                     events="gate,end")  # fmt: skip

    *gates, end = server.messages
    verdicts = [(c["case"], c["verdict"]) for m in gates for c in m["comparisons"]]
    assert verdicts == [("test_it::test_one", "regressed"), ("test_it::test_gone", "missing")]
    assert end["verdicts"]["regressed"] == 1
    assert "regressed" in end["text"]


@pytest.mark.parametrize("kind", ["dead", "silent", "refusing", "unset", "no address", "no token"])
def test_a_hook_that_does_not_work_is_one_line(
    suite: Any, monkeypatch: Any, listen: Any, kind: str
) -> None:
    """The run is what it is; the line names the variable and not what is in it."""
    server = listen()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/{HIDDEN}"
    address = {"dead": dead, "no address": f"ftp://host/{HIDDEN}"}.get(kind, server.url)
    if kind != "unset":
        monkeypatch.setenv("HOOK", address)
    server.is_silent = kind == "silent"
    server.status = 500 if kind == "refusing" else 204
    token = ["--lem-set=webhooks.token_env=TOKEN"] if kind == "no token" else []
    suite.makepyfile(test_it=GOOD + "def test_two(energy): energy(burn); assert False\n")

    result = suite.runpytest_subprocess(
        "--lem-set=webhooks.url_env=[HOOK]", "--lem-set=webhooks.timeout_s=0.3", *token
    )

    result.assert_outcomes(passed=1, failed=1)
    fault = {
        "dead": "refused the connection",
        "silent": "did not answer within 0.3 s",
        "refusing": "answered with status 500",
        "unset": "is not set",
        "no address": "holds no http address",
        "no token": "needs TOKEN, which is not set",
    }[kind]
    note = f"lem: webhooks: HOOK {fault}; nothing more was sent there"
    assert result.outlines.count(note) == 1
    assert len(server.messages) == (kind in {"silent", "refusing"})
    assert HIDDEN not in result.stdout.str()


def test_a_fault_at_the_start_shows_in_a_parallel_run_too(suite: Any) -> None:
    """The first worker tells of the start, and its complaint is a warning of pytest's."""
    suite.makepyfile(test_it=GOOD)
    options = ("--lem-set=webhooks.url_env=[HOOK]", "--lem-set=webhooks.events=[start]")
    result = suite.runpytest_subprocess("-n2", *options)

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*webhooks: HOOK is not set; nothing more was sent there"])


def test_neither_address_nor_token_is_shown_or_stored(
    told: Any, suite: Any, monkeypatch: Any
) -> None:
    """In the list of settings, the run file, the journal and the logs stand their names alone."""
    monkeypatch.setenv("TOKEN", "t0ken-of-mine")
    option = "--lem-set=webhooks.token_env=TOKEN"
    listed, silent = told(GOOD, option, "--collect-only", "-v")
    _, server = told(GOOD, option, "--lem-json=run.json", "-v")

    assert silent.messages == []
    listed.stdout.fnmatch_lines(["*webhooks.token_env*'TOKEN'*"])
    assert server.headers[0]["Authorization"] == "Bearer t0ken-of-mine"
    files = [path for path in suite.path.rglob("*") if path.suffix in {".json", ".jsonl", ".log"}]
    texts = [listed.stdout.str(), *(path.read_text() for path in files)]
    assert len(texts) >= 4
    assert not [text for text in texts if HIDDEN in text or "t0ken-of-mine" in text]


@pytest.mark.parametrize("arguments", [("--lem=off",), ("--collect-only",)])
def test_nobody_is_told_of_what_is_not_measured(told: Any, arguments: tuple[str, ...]) -> None:
    """Neither of a dry run, nor of tests that run without measuring."""
    _, server = told(GOOD, *arguments)
    assert server.messages == []


def test_nobody_is_told_of_a_run_without_energy(told: Any) -> None:
    """A plain suite in a project that has hooks."""
    _, server = told("def test_plain(): pass")
    assert server.messages == []


def test_an_address_in_the_settings_is_refused(suite: Any) -> None:
    """It is a secret in most cases, and settings are stored; what is said does not repeat it."""
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess("--lem-set=webhooks.url_env=[http://host/hook]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*`webhooks.url_env.0`: the name of an environment variable*"])
    assert "http://host" not in result.stdout.str() + result.stderr.str()
