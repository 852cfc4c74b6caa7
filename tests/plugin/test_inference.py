"""The fixture `inference`, with a small language model in a real host process."""

import json
import tempfile

import pytest

from pytest_lem import Workload
from pytest_lem.results.definitions import METRICS

#: The names of the contract, by the place where they stand.
FILE = "schema_version definitions_version run environments devices records comparisons extensions"
RECORD = """
    case nodeid attempt cycle worker origin status failure_kind validity reasons requested applied
    settings_origin comparability metrics rounds phases quality artifacts flags extensions
"""
ROUND = """
    seq side pair stage load_id t0 t1 energies work idle clocks temperatures throttling validity
"""
ENERGY = "domain device value u_random u_systematic tier"
METRIC = "value u unit tier direction statistic n p50 p90 p95 p99 reason"

pytestmark = pytest.mark.usefixtures("engine")

ONE = """
def test_one(inference):
    inference()
"""


@pytest.fixture
def only(stored):
    """Return a function that gives the only record of the last run."""

    def only():
        (record,) = stored().records
        return record

    return only


def test_the_result_has_what_a_test_asserts_on(lem):
    """Counts, text, energy, rates and latencies are there, and agree with each other."""
    result = lem(
        """
        import pytest

        def test_it(inference):
            found = inference(batch_size=2, options={"cpu_s": 0.05})
            assert (found.requests, found.output_tokens) == (4, 32)
            assert len(found.text) == 8
            assert found.energy_per_output_token_j > 0
            assert found.energy_per_request_j == pytest.approx(8 * found.energy_per_output_token_j)
            assert found.output_throughput_tok_s > 0
            assert 0 <= found.ttft_s <= found.e2e_latency_s
            assert found.tpot_s == found.metric("tpot_s").value
            assert found.metric("ttft_s").unit == "s"
            assert found.record.validity == "valid"
        """
    )
    result.assert_outcomes(passed=1)


def test_the_record_has_the_fields_of_the_contract(lem, suite):
    """Other tools read these names; none may be missing, whatever else is added."""
    lem(
        """
        def test_one(inference):
            inference(batch_size=2, options={"cpu_s": 0.05})
        """
    )
    content = json.loads(suite.path.joinpath("run.json").read_text())
    assert set(content) >= set(FILE.split())
    (record,) = content["records"]
    assert set(record) >= set(RECORD.split())
    assert set(record["case"]) == {"key", "digest", "kind", "settings"}
    assert record["case"]["settings"].items() >= {
        "backend": "ngram", "precision": "float64", "batch_size": 2, "options": {"cpu_s": 0.05}
    }.items()  # fmt: skip
    assert (record["status"], record["failure_kind"], record["origin"]) == ("ok", None, "measured")
    assert record["environment"] in content["environments"]
    assert record["comparability"]["refuse"]["model.sha256"]
    assert all(set(metric) >= set(METRIC.split()) for metric in record["metrics"].values())
    for number, one in enumerate(record["rounds"]):
        assert set(one) >= set(ROUND.split())
        assert (one["seq"], one["load_id"]) == (number, "load-1")
        assert one["t0"] < one["t1"]
        (energy,) = one["energies"]
        assert set(energy) >= set(ENERGY.split())
        assert (energy["domain"], energy["device"]) == ("estimate", "process-tree")
        assert energy["tier"] == "estimated"
        assert energy["value"] > 0
        assert one["work"].items() >= {"output_tokens": 16, "requests": 2, "calls": None}.items()


def test_every_metric_is_there(lem, only):
    """A metric has a value or a reason, its unit, and a tier if energy is in it."""
    lem(
        """
        def test_one(inference):
            inference(options={"cpu_s": 0.05})
        """
    )
    metrics = only().metrics
    assert list(metrics) == list(METRICS)
    for name, metric in metrics.items():
        assert metric.unit == METRICS[name].unit
        assert (metric.value is None) == bool(metric.reason), name
    assert metrics["energy_per_output_token_j"].tier == "estimated"
    assert metrics["energy_per_output_token_j"].u > 0
    assert metrics["output_throughput_tok_s"].tier is None
    assert metrics["ttft_s"].n == 2
    assert metrics["itl_s"].n == 14
    assert metrics["peak_host_memory_bytes"].value > 1 << 20
    assert metrics["peak_device_memory_bytes"].value is None
    assert metrics["batch_occupancy"].value == 1


def test_prompt_and_text_are_stored(lem, only):
    """A person can see what was asked first and that the answer is sensible."""
    lem(
        """
        def test_one(inference):
            inference(workload={"prompts": ["A vaccine sho", "x"], "output_tokens": 30})
        """
    )
    sample = only().sample
    assert sample.prompt == "A vaccine sho"
    assert sample.text.startswith("ws the ")
    assert len(sample.text) == 30


def test_a_miscount_makes_the_record_invalid(lem, only):
    """A backend that reports more tokens than it returns is not believed, and the test sees it."""
    result = lem(
        """
        def test_it(inference):
            found = inference(options={"faults": "miscount@report"})
            assert found.record.validity == "invalid"
            assert found.record.reasons == ["token_count"]
        """
    )
    result.assert_outcomes(passed=1)
    assert [one.reasons for one in only().rounds] == [["token_count"]] * 2
    result.stdout.fnmatch_lines("! token_count: the tokens that the backend reports, returns*")


def test_rows_that_end_early_are_counted_to_their_end(lem, only):
    """Without `ignore_eos` tokens after the end of a row are no output, and that is valid."""
    lem(
        """
        def test_it(inference):
            inference(batch_size=2, workload={
                "prompts": ["the sq", "A list"],
                "output_tokens": 60, "ignore_eos": False,
            })
        """
    )
    record = only()
    for one in record.rounds:
        counts = [request.output_tokens for request in one.requests]
        assert counts == [5, 60]
        assert one.work.output_tokens == 65
        assert [len(request.token_times) for request in one.requests] == counts
    assert record.validity == "valid"


def test_without_streaming_latencies_of_tokens_are_null(lem, only):
    """TTFT, TPOT and ITL are unknown with the reason, the end-to-end latency is not."""
    lem(
        """
        def test_it(inference):
            assert inference(workload={"streaming": False}).ttft_s is None
        """
    )
    metrics = only().metrics
    for name in ("ttft_s", "tpot_s", "itl_s"):
        assert metrics[name].value is None
        assert "stream" in metrics[name].reason
    assert metrics["e2e_latency_s"].value > 0


ROUNDS = [
    ("argument", 2),
    ("marker", 3),
    ("--lem-set measure.rounds", 4),
    ("LEM_SET measure.rounds", 5),
    ("lem_set measure.rounds", 6),
    ("lem.yaml:5", 7),
    ("preset smoke", 2),
]


@pytest.mark.parametrize("dropped", range(len(ROUNDS)), ids=[origin for origin, _ in ROUNDS])
def test_the_nearest_setting_wins(lem, suite, only, monkeypatch, dropped):
    """Argument, marker, command line, environment, ini, file, preset: each over all below it."""
    there = {origin for origin, _ in ROUNDS[dropped:]}
    source = "import pytest\n"
    if "marker" in there:
        source += "@pytest.mark.energy(rounds=3)\n"
    argument = "measure={'rounds': 2}" if "argument" in there else ""
    source += f"def test_it(inference): inference({argument})\n"
    arguments = ["--lem-set=measure.rounds=4"] if "--lem-set measure.rounds" in there else []
    if "LEM_SET measure.rounds" in there:
        monkeypatch.setenv("LEM_SET", "measure.rounds=5")
    for name, origin, line in (
        ("tox.ini", "lem_set measure.rounds", "lem_set = measure.rounds=6\n"),
        ("lem.yaml", "lem.yaml:5", "measure: {rounds: 7}\n"),
    ):
        path = suite.path / name
        if origin in there:
            path.write_text(f"{path.read_text().rstrip()}\n{line}")
    lem(source, *arguments)
    record = only()
    origin, rounds = ROUNDS[dropped]
    assert record.settings_origin["measure.rounds"].endswith(origin)
    assert len(record.rounds) == record.requested["measure"]["rounds"] == rounds


BATCHES = [
    ("argument", 2),
    ("parametrize", 3),
    ("--lem-batch-size", 4),
    ("LEM_BATCH_SIZE", 5),
    ("lem_batch_size", 6),
    ("default", 1),
]


@pytest.mark.parametrize("dropped", range(len(BATCHES)), ids=[origin for origin, _ in BATCHES])
def test_the_nearest_batch_size_wins(lem, suite, only, monkeypatch, dropped):
    """The same for what can also be parametrized; a value for the session is a setting."""
    there = {origin for origin, _ in BATCHES[dropped:]}
    name = ""
    source = "import pytest\n"
    if "parametrize" in there:
        source += "@pytest.mark.parametrize('batch_size', [3])\n"
        name = ", batch_size"
    argument = "batch_size=2" if "argument" in there else ""
    source += f"def test_it(inference{name}): inference({argument})\n"
    arguments = []
    if not name:
        arguments = ["--lem-batch-size=4"] if "--lem-batch-size" in there else []
        if "LEM_BATCH_SIZE" in there:
            monkeypatch.setenv("LEM_BATCH_SIZE", "5")
        if "lem_batch_size" in there:
            ini = suite.path / "tox.ini"
            ini.write_text(f"{ini.read_text().rstrip()}\nlem_batch_size = 6\n")
    lem(source, *arguments)
    record = only()
    origin, size = BATCHES[dropped]
    assert record.settings_origin["batch_size"] == origin
    assert record.case.settings.batch_size == record.applied["batch_size"] == size
    assert len(record.rounds[0].requests) == size


def test_a_workload_may_be_a_mapping_or_an_object(lem, stored):
    """Both ways, and through parametrize, the case is the same; what is left out stays."""
    lem(
        """
        import pytest
        from pytest_lem import Workload

        FIELDS = {"name": "short", "output_tokens": 4}

        def test_mapping(inference):
            inference(workload=FIELDS)

        def test_object(inference):
            inference(workload=Workload(**FIELDS))

        @pytest.mark.parametrize("workload", [FIELDS, Workload(**FIELDS)], ids=["dict", "object"])
        def test_parameter(inference, workload):
            inference()
        """,
        "--lem-set=workload.seed=7",
    )
    records = stored().records
    assert len({record.case.digest for record in records}) == 1
    assert {record.requested["workload"]["seed"] for record in records} == {7}
    assert {record.rounds[0].work.output_tokens for record in records} == {4}
    assert [record.settings_origin["workload.output_tokens"] for record in records] == [
        "argument", "argument", "parametrize", "parametrize"
    ]  # fmt: skip


def test_the_key_names_the_case(lem, only):
    """The readable key has backend, model, precision, batch and workload, then the digest."""
    lem(ONE)
    case = only().case
    assert case.key == f"infer/ngram/model/float64/b1/default-{case.digest[:8]}"


def test_how_it_is_measured_is_no_part_of_a_case(lem, stored):
    """Rounds and time limits do not make another case; tokens do."""
    lem(
        """
        def test_it(inference):
            inference()
            inference(measure={"rounds": 3, "timeout_s": 30})
            inference(workload={"output_tokens": 9})
        """
    )
    first, second, third = (record.case.digest for record in stored().records)
    assert first == second != third


def test_off_runs_once_and_writes_nothing(suite, monkeypatch):
    """With `--lem=off` the test gets its result, and no directory and no file is left."""
    suite.makepyfile(
        test_it="""
        def test_it(inference):
            found = inference(batch_size=2)
            assert found.text
            assert (found.requests, len(found.record.rounds)) == (2, 1)
            assert found.energy_per_output_token_j is None
        """
    )
    monkeypatch.setattr(tempfile, "tempdir", str(suite.mkdir("scratch")))
    result = suite.runpytest_inprocess("--lem=off")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*J/token*")
    assert list(suite.path.joinpath("scratch").iterdir()) == []
    assert not (suite.path / ".lem").exists()
    assert not (suite.path / "run.json").exists()


def test_off_shows_what_the_backend_printed_on_failure(suite):
    """The log of the backend is at hand without a directory of the run."""
    suite.makepyfile(
        test_it="""
        def test_it(inference):
            inference(options={"faults": "print@load sigkill@prepare"})
        """
    )
    result = suite.runpytest_inprocess("--lem=off")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*was killed by SIGKILL*", "loading: c library"])


def test_tests_that_share_a_load_load_once(lem, stored):
    """The second case of a load starts and loads nothing; another load ends the first."""
    lem(
        """
        def test_a(inference):
            inference()

        def test_b(inference):
            inference(batch_size=4)

        def test_c(inference):
            inference(options={"order": 2})

        def test_d(inference):
            inference()
        """
    )
    records = stored().records
    phases = [[phase.name for phase in record.phases] for record in records]
    whole = ["start", "import", "load", "load/read", "load/train", "prepare", "warmup"]
    assert phases == [whole, ["prepare", "warmup"], whole, whole]
    assert [record.rounds[0].load_id for record in records] == [
        "load-1", "load-1", "load-2", "load-3"
    ]  # fmt: skip


def test_only_one_host_is_there_at_a_time(lem, survivors):
    """Moving on to another load closes the host before, and the session closes the last."""
    result = lem(
        """
        import os
        import psutil

        def hosts():
            return [p.pid for p in psutil.Process().children() if "child.py" in str(p.cmdline())]

        def test_a(inference):
            inference()
            assert len(hosts()) == 1

        def test_b(inference):
            before = hosts()
            inference(precision="float32")
            assert len(hosts()) == 1
            assert hosts() != before
        """
    )
    result.assert_outcomes(passed=2)
    assert survivors() == []


def test_tests_of_one_load_follow_each_other(lem, stored):
    """Cases are grouped by backend, model and precision, each group in the order of the file."""
    lem(
        """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 2])
        @pytest.mark.parametrize("precision", ["float64", "float32"])
        def test_a(inference, batch_size, precision):
            inference()

        def test_plain():
            pass

        @pytest.mark.parametrize("precision", ["float32"])
        def test_b(inference, precision):
            inference(workload={"output_tokens": 3})
        """
    )
    order = [
        (record.nodeid.partition("::")[2], any(p.name == "load" for p in record.phases))
        for record in stored().records
    ]
    assert order == [
        ("test_a[float64-1]", True),
        ("test_a[float64-2]", False),
        ("test_a[float32-1]", True),
        ("test_a[float32-2]", False),
        ("test_b[float32]", False),
    ]


def test_a_second_measurement_of_a_case_is_flagged(lem, stored):
    """Two records of one key in a run: the later says so, and the table explains it."""
    result = lem(
        """
        def test_a(inference):
            inference()

        def test_b(inference):
            inference()
        """
    )
    flags = [record.flags for record in stored().records]
    assert ["duplicate_key" in found for found in flags] == [False, True]
    result.stdout.fnmatch_lines("*duplicate_key: another test of this run measured the same*")


def test_each_case_has_a_line_of_progress(lem):
    """Key, energy and rate are shown as soon as the case is done, and not with -q."""
    source = """
        def test_one(inference):
            inference(options={"cpu_s": 0.05})
        """
    line = (
        r"  infer/ngram/model/float64/b1/default-[0-9a-f]{8}: ~\S+ mJ/token ±\d+ %, \S+ token/s .*"
    )
    lem(source).stdout.re_match_lines([line])
    lem(source, "-q").stdout.no_re_match_line(line)


def test_verbose_shows_text_and_rounds(lem):
    """With -v the generated text and each window follow the table, otherwise not."""
    source = """
        def test_one(inference):
            inference(workload={"prompts": ["A vaccine sho"], "output_tokens": 7})
        """
    verbose = lem(source, "-v").stdout
    verbose.fnmatch_lines(["*'A vaccine sho' -> 'ws the '*", "*step*time*energy*of*tokens*"])
    verbose.re_match_lines(r"\s+round 1\s+\S+ (s|ms|µs)\s.*process-tree\s+7")
    quiet = lem(source).stdout
    quiet.no_fnmatch_line("*vaccine*")
    quiet.no_fnmatch_line("*process-tree*")


NOISY = """
def test_quiet(inference):
    inference()

def test_noisy(inference):
    inference(options={"faults": "print@load"})
    assert %s

def test_on_the_same_host(inference):
    inference(options={"faults": "print@load"}, batch_size=2)
    assert %s
"""


def test_noise_of_a_backend_is_not_shown(lem, suite, stored):
    """What a backend prints is in the log of its load, and nowhere else."""
    result = lem(NOISY % (True, True))
    result.assert_outcomes(passed=3)
    assert "loading:" not in result.stdout.str() + result.stderr.str()
    (log,) = suite.path.glob(".lem/runs/*/logs/load-2.log")
    assert b"loading: descriptor \xff\n" in log.read_bytes()


def test_noise_of_a_backend_is_shown_on_failure(lem):
    """A failed test shows what its own backend printed."""
    result = lem(NOISY % (False, True))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*Captured backend log*", "loading: c library"])


def test_noise_belongs_to_the_test_in_which_it_was_printed(lem):
    """A host that printed for an earlier test shows nothing of it in a later one."""
    result = lem(NOISY % (True, False))
    result.assert_outcomes(passed=2, failed=1)
    assert "loading:" not in result.stdout.str()


def test_noise_of_a_backend_is_shown_when_verbose(lem):
    """With -v the log stands below the figures of its case, without a failure."""
    result = lem(NOISY % (True, True), "-v")
    result.stdout.fnmatch_lines(["*token/s", "  | loading: c library"])


def test_warnings_of_a_backend_are_recorded(lem, only):
    """They stand in the record, once each, and fail nothing even where warnings are errors."""
    result = lem(
        """
        def test_it(inference):
            inference(options={"faults": "warn@load warn@run:1"})
        """,
        "-Werror",
    )
    result.assert_outcomes(passed=1)
    assert [(w.category, w.message) for w in only().warnings] == [
        ("DeprecationWarning", "this chain is deprecated")
    ]


def test_what_a_test_asserts_decides_about_its_record(lem, only):
    """A measured case whose test fails is stored as failed, with its figures."""
    lem(
        """
        def test_it(inference):
            found = inference()
            assert found.output_tokens == 0, "too many"
        """
    )
    record = only()
    assert (record.status, record.failure_kind) == ("failed", "test")
    assert "too many" in record.message
    assert len(record.rounds) == 2


def test_the_budget_of_a_language_model_is_per_token(lem, only):
    """`max_joules_per_unit` is joules per output token, and breaking it fails the test."""
    result = lem(
        """
        import pytest

        @pytest.mark.energy(max_joules_per_unit=1e-9)
        def test_it(inference):
            inference(options={"cpu_s": 0.05})
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*over the energy budget: * J/token (an estimate) is more than*")
    assert only().failure_kind == "gate"


def test_every_attempt_of_a_rerun_is_stored(lem, stored):
    """A test that is run again keeps the record of each attempt, under its number."""
    lem(
        """
        import pytest

        @pytest.mark.flaky(reruns=1)
        def test_it(inference, request):
            inference()
            assert request.node.execution_count == 2
        """
    )
    found = [(r.attempt, r.status, "duplicate_key" in r.flags) for r in stored().records]
    assert found == [(1, "failed", False), (2, "ok", False)]


def test_the_requests_of_a_workload_come_in_batches(lem, only):
    """Five requests in batches of two are three batches, the last one half full."""
    lem(
        """
        def test_it(inference):
            inference(batch_size=2, workload={"requests": 5})
        """
    )
    record = only()
    assert len(record.rounds[0].requests) == 5
    assert record.metrics["batch_occupancy"].value == pytest.approx(5 / 6)


def test_defaults_of_a_workload_object_do_not_hide_settings(lem, only):
    """Only what a Workload says differently is taken over what was configured."""
    assert Workload().output_tokens == 64
    lem(
        """
        from pytest_lem import Workload

        def test_it(inference):
            inference(workload=Workload(temperature=0.5))
        """
    )
    assert only().requested["workload"]["output_tokens"] == 8
