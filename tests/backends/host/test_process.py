"""Host processes: what is asked, and how everything ends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pytest_lem import FailureKind, LemError
from pytest_lem.backends.host.process import Host


def descriptors() -> list[str]:
    """Return the open files of this process."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def script(path: Path, *lines: str) -> str:
    """Write something that can be started in place of an interpreter."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def failure(ask, *arguments, **keywords):
    """Return the error with which something has to fail."""
    with pytest.raises(LemError) as caught:
        ask(*arguments, **keywords)
    return caught.value


def test_a_host_leads_a_process_group_of_its_own(asker):
    """Its group can be killed without harm to ours."""
    assert os.getpgid(asker.host.pid) == asker.host.pid != os.getpgid(0)
    assert asker.host.is_alive


def test_the_engine_can_be_imported_before_it_loads(asker):
    """What its packages are is known then."""
    imported = asker.import_engine()
    assert imported["packages"]["pytest"]
    assert imported["python"] == sys.version.split()[0]
    assert asker.load()["applied"]


def test_a_package_that_is_not_there_is_told_with_its_command(asker):
    """Under another interpreter only the host can find out."""
    error = failure(asker.import_engine, backend="ngram_backend:AbsentBackend")
    assert error.kind is FailureKind.CONFIG
    assert str(error) == (
        f"the backend `absent` needs an_engine_that_is_not_here, which {sys.executable} does not "
        "have; run: python -m pip install absent-engine"
    )


def test_an_import_that_fails_is_the_engines_failure(start, monkeypatch):
    """A package that is there and broken is not told to be missing."""
    monkeypatch.setenv("NGRAM_FAULTS", "raise@import")
    error = failure(start().import_engine)
    assert error.kind is FailureKind.ENGINE
    assert "RuntimeError: the matrix is singular" in str(error)


def test_a_measurement_from_load_to_timelines(asker):
    """The stamps of a window hold those of its requests, and every token has its time."""
    applied = asker.load()["applied"]
    assert applied["dtype"] == {"float64": applied["parameters"]}
    prompts = ("A vaccine sho", "Water")
    prepared = asker.prepare(2, prompts=prompts)
    assert (prepared["requests"], prepared["input_tokens"]) == (2, sum(map(len, prompts)))
    asker.ask("arm", "armed")
    before_s = time.monotonic()
    ran = asker.run()
    assert before_s <= ran["start_s"] <= ran["end_s"] <= time.monotonic()
    collected = asker.collect()
    assert collected["text"].startswith("ws the ")
    assert collected["peak_host_memory_bytes"] > 1 << 20
    for request, prompt in zip(collected["requests"], prompts, strict=True):
        times_s = [request["sent_s"], *request["token_times_s"], request["done_s"]]
        assert ran["start_s"] <= times_s[0]
        assert times_s[-1] <= ran["end_s"]
        assert times_s == sorted(times_s)
        assert request["input_tokens"] == len(prompt)
        assert len(request["token_times_s"]) == len(request["token_ids"]) == 8


def test_repetitions_of_a_window_are_all_collected(asker):
    """A window of three repetitions has three times the requests, once."""
    asker.load()
    asker.prepare(2)
    asker.run(3)
    assert len(asker.collect()["requests"]) == 6
    assert asker.collect()["requests"] == []


def test_sampling_repeats_itself_with_its_seed(asker):
    """The seed decides about the sampled text, and nothing else does."""
    asker.load()

    def text(seed):
        asker.prepare(temperature=1.0, seed=seed, output_tokens=40)
        asker.run()
        return asker.collect()["text"]

    assert text(1) == text(1) != text(2)


def test_the_other_precision_is_really_in_force(asker):
    """The type of the weights is read back, not repeated."""
    applied = asker.load(precision="float32")["applied"]
    assert applied["dtype"] == {"float32": applied["parameters"]}


def test_what_a_host_prints_is_in_its_log_alone(asker, capfd):
    """Output of Python, of C and of descriptors is captured, standard error too."""
    asker.load(faults="print@load")
    asker.host.close()
    log = asker.host.log_path.read_bytes()
    for source in (b"python", b"c library", b"descriptor \xff", b"errors"):
        assert b"loading: " + source + b"\n" in log
    assert capfd.readouterr() == ("", "")


def test_warnings_come_with_the_answer_after_which_they_were_raised(asker):
    """Each warning of a request is known once that request is settled."""
    asker.load(faults="warn@run:0")
    asker.prepare()
    asker.host.settle(timeout_s=60)
    assert asker.host.warnings == []
    asker.run()
    asker.host.settle(timeout_s=60)
    assert asker.host.warnings == [
        {"category": "DeprecationWarning", "message": "this chain is deprecated"}
    ]


def test_an_error_leaves_the_host_alive(asker):
    """What a backend raises is its failure; the next request is served."""
    asker.load(faults="raise@prepare")
    error = failure(asker.prepare)
    assert error.kind is FailureKind.ENGINE
    assert str(error).startswith("the backend failed with RuntimeError: the matrix is singular;")
    assert asker.load()["applied"]


def test_the_traceback_of_an_error_is_in_the_log(asker):
    """The sentence sends the reader to the log, which shows the backend's own frames."""
    asker.load(faults="raise@prepare")
    assert "its log has the traceback" in str(failure(asker.prepare))
    log = asker.host.log_path.read_text()
    assert "Traceback (most recent call last)" in log
    assert "ngram_backend.py" in log
    assert "and a second line" in log
    assert "child.py" not in log


def test_work_without_a_model_is_an_error(asker):
    """A request out of order is answered, not a crash."""
    assert "asked for work before `load`" in str(failure(asker.prepare))
    asker.load()
    assert "asked to run before `prepare`" in str(failure(asker.run))


def test_running_out_of_memory_is_told_apart(asker):
    """A real refusal of the system is `oom`, and the host survives it."""
    asker.load(faults="oom@prepare")
    error = failure(asker.prepare)
    assert error.kind is FailureKind.OOM
    assert "ran out of memory (MemoryError: no message): take a smaller batch" in str(error)
    assert asker.host.is_alive


@pytest.mark.parametrize("place", ["import", "load", "prepare", "run:0", "run:1", "collect"])
def test_the_deadline_ends_everything(start, survivors, monkeypatch, place):
    """A backend that hangs ends with all its processes, and the sentence says what to do."""
    faults = f"grandchild@import escape@import hang@{place}"
    monkeypatch.setenv("NGRAM_FAULTS", faults)
    asker = start()
    error = failure(asker.measure, place, 0.05, faults=faults)
    assert error.kind is FailureKind.TIMEOUT
    assert "did not answer in time and was killed; raise `measure.timeout_s`" in str(error)
    assert not asker.host.is_alive
    assert survivors() == []


def test_a_host_that_does_not_say_hello_is_ended(start, tmp_path, survivors, monkeypatch):
    """An interpreter that hangs as it starts, and is deaf, ends with what it has started."""
    monkeypatch.setattr("pytest_lem.backends.host.process._HELLO_TIMEOUT_S", 0.05)
    monkeypatch.setattr("pytest_lem.backends.host.process._END_TIMEOUT_S", 0.05)
    python = script(tmp_path / "python", "trap '' TERM", "sleep 1000 &", "exec sleep 1000")
    before = descriptors()
    assert failure(start, python=python).kind is FailureKind.TIMEOUT
    assert survivors() == []
    assert descriptors() == before


def test_an_interrupt_kills_the_group(start, survivors, monkeypatch):
    """Ctrl-C while a backend works leaves nothing behind and goes on as Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asker = start()
        asker.load(faults="escape@load interrupt@run:0")
        asker.prepare()
        with pytest.raises(KeyboardInterrupt):
            asker.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not asker.host.is_alive
    assert survivors() == []


@pytest.mark.parametrize("holder", ["grandchild", "escape", "fork"])
def test_a_kill_is_explained_at_once(start, survivors, holder):
    """SIGKILL is named with its usual cause, even where a fork still holds the pipes open."""
    asker = start()
    asker.load(faults=f"{holder}@load sigkill@run:0")
    asker.prepare()
    error = failure(asker.run)
    assert error.kind is FailureKind.ENGINE
    assert "was killed by SIGKILL, as the kernel does when memory runs out" in str(error)
    assert str(asker.host.log_path) in str(error)
    assert survivors() == []


def test_an_exit_is_explained(asker):
    """A backend that ends its process is told by the status."""
    error = failure(asker.load, faults="exit@load")
    assert error.kind is FailureKind.ENGINE
    assert "ended by itself with status 3" in str(error)


def test_a_dead_host_is_told_to_whoever_asks(asker):
    """A host that died between two requests fails the next one, again and again."""
    asker.load()
    os.kill(asker.host.pid, signal.SIGTERM)
    assert "was killed by SIGTERM;" in str(failure(asker.prepare))
    assert failure(asker.prepare).kind is FailureKind.ENGINE


def test_noise_in_the_pipe_is_refused(start, survivors):
    """A backend that writes into our pipe is ended and told so."""
    asker = start()
    error = failure(asker.load, faults="garble@load")
    assert error.kind is FailureKind.ENGINE
    assert "sent something that is no message" in str(error)
    assert "what engines print" in str(error)
    assert not asker.host.is_alive
    assert survivors() == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ('{"v":0,"type":"hello"}', "not a message of version 3"),
        ('{"v":3,"type":"bye"}', "answered `bye` in place of `hello`; both sides must come from"),
    ],
    ids=["version", "type"],
)
def test_another_release_on_the_other_side_is_refused(start, tmp_path, survivors, answer, sentence):
    """A host that speaks another version, or says what nobody asked, is ended."""
    python = script(tmp_path / "python", f"echo '{answer}' > /dev/fd/$3", "exec sleep 1000")
    error = failure(start, python=python)
    assert error.kind is FailureKind.ENGINE
    assert sentence in str(error)
    assert survivors() == []


@pytest.mark.parametrize(
    ("mode", "reason"), [(None, "No such file or directory"), (0o644, "Permission denied")]
)
def test_an_interpreter_that_cannot_be_started(start, tmp_path, mode, reason):
    """The sentence names the interpreter, the reason and the setting; no descriptor leaks."""
    python = tmp_path / "python"
    if mode is not None:
        python.write_text("#!/bin/sh\n")
        python.chmod(mode)
    before = descriptors()
    error = failure(start, python=str(python))
    assert error.kind is FailureKind.CONFIG
    assert str(error) == (
        f"cannot start {python} for the backend ({reason}); check `python` in the backend's "
        "settings"
    )
    assert descriptors() == before


def test_an_interpreter_that_is_none(start, tmp_path):
    """What starts but does not speak is a failure of the engine, with its status."""
    error = failure(start, python=script(tmp_path / "python", "exit 7"))
    assert error.kind is FailureKind.ENGINE
    assert "ended by itself with status 7" in str(error)


def test_another_interpreter_sees_its_own_packages_only(start, tmp_path, ngram):
    """It finds pytest_lem and what is installed beside it, and nothing of our environment."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = tmp_path / "env" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    base = Path(os.path.realpath(sys.executable))
    (tmp_path / "env" / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n"
    )
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(base)

    error = failure(start(python=str(python)).load)
    assert "No module named 'ngram_backend'" in str(error)

    for name in ("ngram_backend.py", "ngram_engine.py", "ngram-1.0.dist-info"):
        (packages / name).symlink_to(ngram.parent / name)
    asker = start(python=str(python))
    assert asker.import_engine()["packages"] == {}
    asker.load()
    asker.prepare()
    asker.run()
    assert asker.collect()["text"]


def test_closing_ends_the_process_in_peace(asker):
    """A host that is asked to quit ends with status 0; closing again is nothing."""
    process = psutil.Process(asker.host.pid)
    asker.load()
    asker.host.close()
    assert asker.host._process.returncode == 0
    assert not process.is_running()
    asker.host.close()
    asker.host.kill()


def test_closing_takes_the_children_along(start, survivors):
    """What a backend started and forgot ends with its host, wherever it went."""
    asker = start()
    asker.load(faults="grandchild@load escape@load")
    asker.host.close()
    assert survivors() == []


def test_hosts_leave_no_descriptors_behind(start):
    """A session of many loads does not run out of files."""
    before = len(descriptors())
    start().host.close()
    failure(start().load, faults="sigkill@load")
    assert len(descriptors()) == before


PARENT = """
import sys
from pathlib import Path
from pytest_lem.backends.host.process import Host

host = Host(Path(sys.argv[1]))
spec = {"backend": "ngram", "model": sys.argv[2], "precision": "float64", "max_batch_size": 1,
        "options": {"faults": "grandchild@load escape@load %s"}}
host.ask("load", "loaded", timeout_s=60, backend="ngram_backend:NgramBackend", spec=spec)
import os; os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("fault", ["orphan@load", ""], ids=["asked", "not asked"])
def test_a_host_dies_with_its_parent(ngram, tmp_path, survivors, fault):
    """When pytest is killed in the middle of a request, or between two, no process stays."""
    arguments = [sys.executable, "-c", PARENT % fault, str(tmp_path / "log"), str(ngram)]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert survivors() == []


def test_a_host_whose_keeper_was_killed_is_ended(start, survivors):
    """Somebody kills the process between: what the host started ends all the same."""
    asker = start()
    asker.load(faults="grandchild@load")
    os.kill(asker.host._process.pid, signal.SIGKILL)
    asker.host._process.wait()  # by then the host has its own signal
    assert "was killed by SIGKILL" in str(failure(asker.prepare))
    assert survivors() == []


def test_the_log_of_a_host_may_be_anywhere(ngram, tmp_path):
    """Folders of the log are made."""
    host = Host(tmp_path / "a" / "b" / "host.log")
    assert host.log_path.is_file()
    host.close()


def test_the_sentence_of_a_missing_model(asker, tmp_path):
    """A backend's own sentence and kind arrive unchanged."""
    error = failure(asker.load, model=tmp_path)
    assert error.kind is FailureKind.DATA
    assert re.fullmatch(r"the model directory .* has no config.json; is it a model at all\?",
                        str(error))  # fmt: skip
