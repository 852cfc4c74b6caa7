"""Whatever goes wrong with one case, the others are measured and all that was found is kept."""

import re
import signal

import pytest

pytestmark = pytest.mark.usefixtures("engine")

#: A fault between two healthy tests.
SUITE = """
import pytest

def test_before(inference):
    assert inference().text

{fault}

def test_after(inference):
    assert inference().text
"""
#: Deep enough in a session: the warm-up is run 0, the first round run 1, the second run 2.
MIDDLE = "run:2"


@pytest.fixture(autouse=True)
def _no_process_stays(survivors):
    """After any fault, nothing that was started is left running."""
    yield
    assert survivors() == []


def fault(options):
    """Return a test whose backend goes wrong."""
    return f"def test_fault(inference):\n    inference(options={{'faults': {options!r}}})"


def check_output(result):
    """No reader is shown the inside of the plugin."""
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    assert not re.search(r"pytest_lem[/\\]\w+.*\.py", text)


@pytest.fixture
def check(stored, journal):
    """Return a function that looks at a run with one fault: what it says and what it kept."""

    def check(result, sentence, kind, rounds=0):
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.re_match_lines([sentence])
        check_output(result)
        before, failed, after = stored().records
        assert [before.status, after.status] == ["ok", "ok"]
        assert len(before.rounds) == len(after.rounds) == 2
        assert (failed.status, failed.failure_kind) == ("failed", kind)
        assert re.match(sentence, failed.message)
        assert rounds is None or len(failed.rounds) == rounds
        if not failed.rounds:
            assert failed.metrics["output_throughput_tok_s"].reason == failed.message
        assert [r["nodeid"] for r in journal()] == [r.nodeid for r in stored().records]
        assert [r["failure_kind"] for r in journal()] == [None, kind, None]
        return failed

    return check


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            "precision='int3'",
            "config",
            "the backend `ngram` has no precision `int3`; it can do float64, float32",
        ),
        (
            "backend='ngramm'",
            "config",
            "there is no backend `ngramm`: did you mean `ngram`",
        ),
        (
            "batch_size=0",
            "config",
            "argument: `batch_size`: input should be greater than or equal to 1, not 0",
        ),
        (
            "options={'ordr': 2}",
            "config",
            "argument: unknown key `backends.ngram.ordr`: did you mean `order`",
        ),
        (
            "options={'order': 99}",
            "config",
            "argument: `backends.ngram.order`: input should be less than or equal to 8, not 99",
        ),
        (
            "workload={'outptu_tokens': 3}",
            "config",
            "argument: unknown key `workload.outptu_tokens`: did you mean `output_tokens`",
        ),
        (
            "measure={'rounds': 'many'}",
            "config",
            "argument: `measure.rounds`: input should be a valid integer.*, not 'many'",
        ),
        (
            "options={'python': '/no/such/python'}",
            "config",
            r"cannot start /no/such/python for the backend \(No such file or directory\); check",
        ),
        ("model='./none'", "data", r"there is no model directory \./none; give a directory"),
        (
            "workload={'prompts': ['short', 300 * 'x']}, batch_size=2",
            "data",
            "prompt 2 has 300 tokens and 8 are to follow, but the context holds 256; shorten",
        ),
    ],
    ids=lambda value: value.partition("=")[0] if "=" in value else "",
)
def test_a_mistake_in_what_is_asked_for(lem, check, call, kind, sentence):
    """Each is one sentence: where it stands, what it is, what would do."""
    source = SUITE.format(fault=f"def test_fault(inference):\n    inference({call})")
    check(lem(source), sentence, kind)


def test_a_batch_size_of_0_in_a_list(lem, check):
    """A value of `parametrize` that cannot be is that case's failure."""
    text = """
@pytest.mark.parametrize("batch_size", [0])
def test_fault(inference, batch_size):
    inference()
"""
    failed = check(
        lem(SUITE.format(fault=text)),
        "parametrize: `batch_size`: input should be greater than or equal to 1, not 0",
        "config",
    )
    assert failed.case.settings.batch_size == 0


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["weights.bin"], "has no config.json; is it a model at all"),
        (["config.json"], r"has no weights \(no .safetensors, .bin or .gguf file\); download"),
    ],
    ids=["config", "weights"],
)
def test_a_directory_that_is_no_model(lem, check, suite, files, sentence):
    """The sentence names the directory and what is missing in it."""
    suite.mkdir("broken")
    for name in files:
        suite.path.joinpath("broken", name).write_text("{}")
    text = "def test_fault(inference):\n    inference(model='./broken')"
    check(lem(SUITE.format(fault=text)), f"the model directory broken {sentence}", "data")


@pytest.mark.parametrize(("place", "rounds"), [("load", 0), (MIDDLE, 1)], ids=["load", "round"])
@pytest.mark.parametrize("name", ["raise", "sigkill", "exit", "garble", "oom"])
def test_a_backend_that_fails(lem, check, name, place, rounds):
    """At the start or in the middle of a round; the rounds before it stay in the record."""
    kind, sentence = {
        "raise": ("engine", "the backend failed with RuntimeError: the matrix is singular; its"),
        "sigkill": ("engine", "the host process of the backend was killed by SIGKILL, as the ker"),
        "exit": ("engine", "the host process of the backend ended by itself with status 3; its"),
        "garble": ("engine", "the host process sent something that is no message"),
        "oom": ("oom", r"the backend ran out of memory \(MemoryError: no message\): take a small"),
    }[name]
    text = fault(f"grandchild@load {name}@{place}")
    failed = check(lem(SUITE.format(fault=text)), sentence, kind, rounds)
    assert ("load" in [phase.name for phase in failed.phases]) is (place != "load")


def test_the_traceback_of_a_backend_is_shown_from_its_own_code_on(lem):
    """With the failure comes the log, whose traceback begins in the backend."""
    result = lem(SUITE.format(fault=fault(f"raise@{MIDDLE}")))
    result.stdout.fnmatch_lines(
        ["*Captured backend log*", "Traceback (most recent call last):", '*ngram_backend.py", *']
    )
    result.stdout.fnmatch_lines(["RuntimeError: the matrix is singular", "and a second line"])
    check_output(result)


def test_a_backend_that_hangs_is_ended_by_its_own_limit(lem, check):
    """Beyond `measure.timeout_s` the host is killed, whether or not pytest-timeout is there."""
    text = fault(f"grandchild@load hang@{MIDDLE}").replace("})", "}, measure={'timeout_s': 1.0})")
    check(
        lem(SUITE.format(fault=text), "-p", "no:timeout"),
        "the backend did not answer in time and was killed; raise `measure.timeout_s`",
        "timeout",
        rounds=None,  # a second is long, but a busy machine may need it for what comes before
    )


def test_a_backend_that_hangs_is_ended_by_pytest_timeout(suite, check):
    """The signal of pytest-timeout in the middle of a round kills the host, and the run goes on."""
    text = f"@pytest.mark.timeout(3)\n{fault(f'grandchild@load hang@{MIDDLE}')}"
    suite.makepyfile(SUITE.format(fault=text))
    result = suite.runpytest_subprocess("--lem-json=run.json", "--timeout-method=signal")
    check(
        result,
        r"Timeout \(>3.0s\) from pytest-timeout while the backend was at work",
        "timeout",
        None,
    )


def test_a_timer_that_runs_out_in_the_middle_of_a_round(suite, check):
    """Exactly in the second round: the first one is kept, and what the backend is doing ends."""
    text = f"@pytest.mark.timeout(600)\n{fault(f'grandchild@load alarm@{MIDDLE}')}"
    suite.makepyfile(SUITE.format(fault=text))
    result = suite.runpytest_subprocess("--lem-json=run.json", "--timeout-method=signal")
    check(result, r"Timeout \(>600.0s\) from pytest-timeout while the backend", "timeout", rounds=1)


def test_the_thread_of_pytest_timeout_leaves_the_journal(suite, journal):
    """`--timeout-method=thread` ends the whole run; what was found before it is in the journal."""
    text = f"@pytest.mark.timeout(3)\n{fault(f'grandchild@load hang@{MIDDLE}')}"
    suite.makepyfile(SUITE.format(fault=text))
    result = suite.runpytest_subprocess("--lem-json=run.json", "--timeout-method=thread")
    assert result.ret == 1
    assert [(r["nodeid"].partition("::")[2], r["status"]) for r in journal()] == [
        ("test_before", "ok")
    ]
    assert not suite.path.joinpath("run.json").exists()


def test_an_interrupt_in_the_middle_of_a_round(suite, stored, journal):
    """Ctrl-C ends the session at once; the run file has the cases that were finished."""
    # Where the outer run ignores the signal, as a background job does, the inner one would too.
    suite.makeconftest("import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)")
    suite.makepyfile(SUITE.format(fault=fault(f"grandchild@load interrupt@{MIDDLE}")))
    result = suite.runpytest_subprocess("--lem-json=run.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*infer/*token/s*", "*KeyboardInterrupt*"])
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    (record,) = stored().records
    assert record.nodeid.endswith("::test_before")
    assert stored().run.exit_status == pytest.ExitCode.INTERRUPTED
    assert [r["nodeid"] for r in journal()] == [record.nodeid]


def test_a_session_that_is_killed_leaves_the_journal(suite, journal):
    """After SIGKILL of pytest itself the finished cases are on disk, and no host stays."""
    suite.makepyfile(SUITE.format(fault=fault(f"orphan@{MIDDLE}")))
    result = suite.runpytest_subprocess("--lem-json=run.json")
    assert result.ret == -signal.SIGKILL
    assert [r["status"] for r in journal()] == ["ok"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("backend: ngram\nmodell: x\n", ":2: unknown key `modell`: did you mean `model`"),
        ("measure:\n  rounds: 2\n  runds: 3\n", ":3: unknown key `measure.runds`: did you mean"),
        (
            "backends:\n  ngram:\n    ordr: 2\n",
            ":3: unknown key `backends.ngram.ordr`: did you mean `order`",
        ),
        ("measure: {rounds: 0}\n", ":1: `measure.rounds`: input should be greater than or equal"),
        ("measure: [1\n", ":2: not valid YAML: "),
        ("- a\n", ":1: a configuration is a mapping of keys to values"),
    ],
    ids=["key", "inner key", "option", "value", "syntax", "list"],
)
def test_a_wrong_configuration_file(suite, text, sentence):
    """Nothing is run; file, line and reason are one sentence, and the exit status is pytest's."""
    suite.path.joinpath("bad.yaml").write_text(text)
    suite.makepyfile(SUITE.format(fault=""))
    result = suite.runpytest_inprocess("--lem-config=bad.yaml", "--lem-json=run.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line.startswith("ERROR:")]
    assert line.startswith(f"ERROR: {suite.path}/bad.yaml{sentence}")
    check_output(result)
    assert not suite.path.joinpath("run.json").exists()


@pytest.mark.parametrize(
    ("target", "reason"),
    [("folder", "Is a directory"), ("file/run.json", "a file stands where a folder has to be")],
)
def test_a_place_that_refuses_the_run_file(suite, journal, target, reason):
    """One sentence says so; the results are in the journal, and no half a file is left."""
    suite.mkdir("folder")
    suite.path.joinpath("file").write_text("mine")
    suite.makepyfile(SUITE.format(fault=""))
    result = suite.runpytest_inprocess(f"--lem-json={target}")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        f"lem: cannot write the results to {suite.path}/{target} ({reason}); they are kept in the "
        "journal"
    )
    check_output(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [r["status"] for r in journal()] == ["ok", "ok"]
    assert suite.path.joinpath("file").read_text() == "mine"
    assert list(suite.path.glob("**/.*run.json.*")) == list(suite.path.glob(".folder.*")) == []


def test_a_store_that_refuses_everything(suite, stored):
    """Without a place for journal and logs the case is not started, and the sentence says why."""
    suite.path.joinpath("store").write_text("mine")
    suite.makepyfile(SUITE.format(fault=""))
    result = suite.runpytest_inprocess("--lem-store=store/inside", "--lem-json=run.json")
    result.assert_outcomes(failed=2)
    check_output(result)
    assert [r.failure_kind for r in stored().records] == ["storage", "storage"]


def test_a_fault_leaves_the_measurement_before_it(lem, stored):
    """Two measurements in one test: the first stands, however the second ends."""
    result = lem(
        """
        def test_it(inference):
            inference()
            inference(workload={"prompts": ["b " * 999]})
        """
    )
    result.assert_outcomes(failed=1)
    assert [r.failure_kind for r in stored().records] == [None, "data"]


def test_many_faults_in_one_run(lem, stored, journal):
    """One after the other, each with its own kind, and the healthy cases between them."""
    kinds = {"raise": "engine", "sigkill": "engine", "oom": "oom", "warn": None, "exit": "engine"}
    text = ""
    for name in kinds:
        text += fault(f"{name}@run:1").replace("test_fault", f"test_{name}")
        text += f"\n\ndef test_after_{name}(inference):\n    inference()\n\n"
    result = lem(text)
    result.assert_outcomes(passed=6, failed=4)
    expected = [kind for name in kinds for kind in (kinds[name], None)]
    assert [r.failure_kind for r in stored().records] == expected
    assert [r["failure_kind"] for r in journal()] == expected
    check_output(result)
