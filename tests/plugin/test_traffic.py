"""Whole runs on a server without a model: traffic, limits on latency, and what goes wrong."""

import json
import shlex
import socket
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import pytest_lem.backends.openai
import pytest_lem.measure.online
import pytest_lem.measure.server
import pytest_lem.workloads.traffic  # noqa: F401

STUB = Path(__file__).parents[1] / "stub_server" / "stub_server.py"
ONE = """
def test_one(inference):
    inference()
"""
CLOSED = "traffic: {arrivals: closed, concurrency: 3, ramp_s: 0.05, drain_s: 10}"
POISSON = "traffic: {arrivals: poisson, rate: 100, ramp_s: 0.05, drain_s: 10}"


@pytest.fixture
def serving(suite, configure, monkeypatch):
    """Return a function that lets the suite measure the stub; it takes settings and arguments."""
    monkeypatch.setattr("pytest_lem.measure.online.SHORTEST_S", 0.2)
    monkeypatch.setattr("pytest_lem.measure.online.BIN_S", 0.1)
    configure("lem_preset = smoke\nlem_meter = simulated\nlem_config = lem.yaml\n")

    def serve(settings, *arguments, streaming=True):
        arguments = ("--ttft", "0.005", "--itl", "0.001", *arguments)
        command = shlex.join([sys.executable, str(STUB), "--port", "{port}", *arguments])
        suite.path.joinpath("lem.yaml").write_text(
            "backend: openai\nmodel: stub\nenergy: {sample_s: 0}\n"
            f"workload: {{output_tokens: 4, streaming: {str(streaming).lower()}}}\n"
            f"backends: {{openai: {{command: {json.dumps(command)}}}}}\n{settings}\n"
        )

    return serve


@pytest.fixture
def only(stored, survivors):
    """Return a function that gives the only record of the last run, of which nothing is left."""

    def only():
        (record,) = stored().records
        assert survivors() == []
        return record

    return only


@pytest.mark.parametrize(
    ("traffic", "label"), [(CLOSED, "closed-3"), (POISSON, "poisson-100")], ids=["closed", "open"]
)
def test_traffic_is_measured_and_kept(lem, serving, only, traffic, label):
    """Rounds with their requests and counts, the metrics, and nothing that stays behind."""
    serving(f"{traffic}\nslo: {{e2e_s: 30}}")
    result = lem(ONE)
    result.assert_outcomes(passed=1)
    record = only()
    assert (record.case.kind, record.status, record.validity) == ("serve", "ok", "valid")
    assert record.case.key.startswith(f"serve/openai/stub/auto/{label}/")
    slo = record.case.settings.model_dump()["slo"]
    assert slo == {"ttft_s": None, "tpot_s": None, "e2e_s": 30.0}
    assert len(record.rounds) == 2
    for one in record.rounds:
        check_round(one, is_open=label.startswith("poisson"))
    check_metrics(record, anchor="scheduled" if label.startswith("poisson") else "dispatched")
    result.stdout.fnmatch_lines(["*traffic*J/token*J/good request*good/s*", f"*{label}*"])


def check_round(one, *, is_open):
    """Look whether work and requests of a round agree with each other."""
    work, length_s = one.work, one.t1 - one.t0
    assert work.due_requests == len(one.requests) > 0
    assert (work.failed_requests, work.good_requests) == (0, work.due_requests)
    assert work.failed_outside == 0
    assert work.requests > 0
    assert abs(work.output_tokens - 4 * work.requests) <= 4 * 50
    assert work.input_tokens % 7 == 0
    for request in one.requests:
        assert (request.input_tokens, request.output_tokens, request.error) == (7, 4, None)
        assert len(request.token_times) == 4
        assert (request.scheduled is not None) is is_open
        due = request.scheduled if is_open else request.sent
        assert -1e-6 <= due <= length_s + 1e-6
        assert request.sent - 0.002 <= request.token_times[0] <= request.done


def check_metrics(record, *, anchor):
    """Look whether the metrics of traffic are those of the rounds."""
    metrics, rounds = record.metrics, record.rounds
    windows_s = sum(one.t1 - one.t0 for one in rounds)
    due = sum(one.work.due_requests for one in rounds)
    joules = sum(e.value for one in rounds for e in one.energies)
    assert metrics["goodput_req_s"].value == pytest.approx(due / windows_s, rel=1e-4)
    assert metrics["arrival_rate_req_s"].value == pytest.approx(due / windows_s, rel=1e-4)
    assert metrics["energy_per_good_request_j"].value == pytest.approx(joules / due, rel=1e-4)
    assert (metrics["request_failure_rate"].value, metrics["request_failure_rate"].n) == (0, due)
    assert (metrics["ttft_s"].anchor, metrics["e2e_latency_s"].anchor) == (anchor, anchor)
    assert metrics["ttft_s"].n == due
    assert metrics["ttft_s"].value >= 0.004
    assert (metrics["dispatch_lateness_s"].n > 0) is (anchor == "scheduled")
    assert metrics["prefill_energy_j"].value is None


@pytest.mark.parametrize(
    "asked",
    [
        ("concurrency", "arrivals: closed, concurrency: 2", "closed"),
        ("rate", "arrivals: poisson, rate: 2", "poisson"),
        ("burstiness", "arrivals: gamma, rate: 50, burstiness: 2", "gamma-50"),
        ("max_concurrency", "arrivals: poisson, rate: 50", "poisson-50"),
    ],
)
def test_a_test_sweeps_what_arrives(lem, serving, stored, asked):
    """A parameter of that name replaces the setting; all cases are on one server."""
    name, settings, label = asked
    serving(f"traffic: {{{settings}, ramp_s: 0.05}}\nmeasure: {{rounds: 1}}")
    result = lem(
        f"""
        import pytest

        @pytest.mark.parametrize("{name}", [1, 4])
        def test_it(inference, {name}):
            inference()
        """
    )
    result.assert_outcomes(passed=2)
    limit = "max" if name == "max_concurrency" else ""
    records, labels = stored().records, [f"{label}-{limit}{count}" for count in (1, 4)]
    assert [record.case.key.split("/")[4] for record in records] == labels
    assert [r.case.settings.model_dump()["traffic"][name] for r in records] == [1, 4]
    assert {one.load_id for record in records for one in record.rounds} == {"load-1"}
    for label in labels:
        result.stdout.fnmatch_lines([f"*{label}*"])


def test_whole_sets_of_settings_are_parameters_too(lem, serving, stored):
    """So that each process has its own."""
    serving("measure: {rounds: 1}")
    result = lem(
        """
        import pytest

        @pytest.mark.parametrize("traffic", [
            {"arrivals": "closed", "concurrency": 2, "ramp_s": 0.0},
            {"arrivals": "constant", "rate": 50.0, "ramp_s": 0.0},
        ])
        @pytest.mark.parametrize("slo", [{"e2e_s": 30.0}])
        def test_it(inference, traffic, slo):
            inference()
        """
    )
    result.assert_outcomes(passed=2)
    labels = {record.case.key.split("/")[4] for record in stored().records}
    assert labels == {"closed-2", "constant-50"}
    assert all(record.metrics["goodput_req_s"].value for record in stored().records)


def test_a_test_asks_for_traffic_itself(lem, serving):
    """By arguments of the fixture, over the settings; the result has the figures."""
    serving("measure: {rounds: 1}")
    result = lem(
        """
        def test_it(inference):
            found = inference(
                traffic={"arrivals": "closed", "concurrency": 2, "ramp_s": 0.0},
                slo={"ttft_s": 30.0, "tpot_s": 30.0},
            )
            assert found.record.case.kind == "serve"
            assert found.metric("goodput_req_s").value > 0
            assert found.text == "a " * 4
        """
    )
    result.assert_outcomes(passed=1)


def test_limits_that_nobody_keeps_leave_no_good_request(lem, serving, only):
    """None is a figure, and joules for each of none are not."""
    serving(f"{CLOSED}\nslo: {{ttft_s: 0.000001}}")
    lem(ONE).assert_outcomes(passed=1)
    metrics = only().metrics
    assert metrics["goodput_req_s"].value == 0
    assert metrics["energy_per_good_request_j"].value is None
    assert metrics["energy_per_good_request_j"].reason == "no request kept the limits"
    assert metrics["energy_per_request_j"].value > 0


def test_what_a_server_tells_of_itself_is_kept(lem, serving, only):
    """By rounds, and as metrics."""
    serving(f"{CLOSED}\nmeasure: {{rounds: 1, min_window_s: 1.1}}")
    lem(ONE).assert_outcomes(passed=1)
    record = only()
    engine = record.rounds[0].engine
    assert engine["kv_cache_share"] == 0.25
    assert 0 <= engine["running"] <= 3
    assert record.metrics["requests_running"].value == pytest.approx(engine["running"])
    assert record.metrics["requests_waiting"].value == 0
    assert record.metrics["kv_cache_utilisation"].value == 0.25
    assert record.metrics["prefix_cache_hit_rate"].value == 0.25
    assert record.applied["backend_version"] == "stub-1"


def test_a_server_that_dies_leaves_its_finished_rounds(lem, serving, only):
    """The record has failed with the sentence, and the log is kept."""
    serving(
        "traffic: {arrivals: constant, rate: 100, ramp_s: 0.05}\nmeasure: {rounds: 8}",
        "--faults",
        "die@110",
    )
    result = lem(ONE)
    result.assert_outcomes(failed=1)
    record = only()
    assert (record.status, record.failure_kind) == ("failed", "engine")
    assert 1 <= len(record.rounds) < 8
    given_up = record.phases[-1]
    assert given_up.name == "given up"
    assert given_up.work.requests == sum(r.error is None for r in given_up.requests) >= 1
    assert given_up.work.failed_requests == sum(r.error is not None for r in given_up.requests)
    assert record.metrics["request_failure_rate"].n == sum(
        one.work.due_requests for one in record.rounds
    )
    sentence = "the server was killed by SIGKILL while requests were under way*"
    result.stdout.fnmatch_lines([f"*{sentence}"])


def test_a_server_that_refuses_everything_is_given_up(lem, serving, only):
    """With its own reason, long before anything times out."""
    serving(POISSON, "--faults", "429@*")
    result = lem(ONE)
    result.assert_outcomes(failed=1)
    record = only()
    assert (record.status, record.failure_kind, record.rounds) == ("failed", "engine", [])
    (given_up,) = [phase for phase in record.phases if phase.name == "given up"]
    assert len(given_up.requests) == given_up.work.failed_requests >= 20
    assert {r.error for r in given_up.requests} >= {"HTTP 429 Too Many Requests: slow down"}
    assert all(0 <= r.sent <= given_up.t1 - given_up.t0 for r in given_up.requests)
    result.stdout.fnmatch_lines(
        ["*requests in a row failed, the last with: HTTP 429 Too Many Requests: slow down; *"]
    )


@pytest.mark.parametrize(("most", "reasons"), [(0.01, ["requests_failed"]), (0.9, [])])
def test_some_failures_are_counted(lem, serving, only, most, reasons):
    """They are flagged, and invalidate where they are more than was allowed for."""
    traffic = POISSON.replace("ramp_s", f"most_failed: {most}, ramp_s")
    serving(traffic, "--faults", " ".join(f"500@{number}" for number in range(0, 3000, 3)))
    lem(ONE).assert_outcomes(passed=1)
    record = only()
    assert (record.validity, record.reasons) == ("invalid" if reasons else "valid", reasons)
    assert "some_failed" in record.flags
    failed = [r for one in record.rounds for r in one.requests if r.error]
    assert {r.error for r in failed} == {"HTTP 500 Internal Server Error: something broke"}
    assert {r.output_tokens for r in failed} == {None}
    share = len(failed) / sum(one.work.due_requests for one in record.rounds)
    assert record.metrics["request_failure_rate"].value == pytest.approx(share)


def test_failures_before_the_window_leave_a_trace(lem, serving, only):
    """Every other of the twenty requests of the ramp: counted in each round, and flagged."""
    serving(
        "traffic: {arrivals: constant, rate: 100, ramp_s: 0.2, drain_s: 10, most_failed: 1}",
        "--faults",
        " ".join(f"500@{number}" for number in range(0, 3000, 2)),
    )
    result = lem(ONE)
    result.assert_outcomes(passed=1)
    record = only()
    assert all(one.work.failed_outside >= 5 for one in record.rounds)
    assert {"failed_outside", "some_failed"} <= set(record.flags)
    result.stdout.fnmatch_lines(["*failed_outside: requests failed that were due before*"])


def test_a_lying_server_is_not_believed(lem, serving, only):
    """It tells of fewer tokens than it sends pieces."""
    serving(CLOSED, "--faults", "liar@*")
    lem(ONE)
    assert (only().validity, only().reasons) == ("invalid", ["token_count"])


@pytest.mark.parametrize(
    ("arguments", "sentence", "status"),
    [
        (["traffic.arrivals=poisson"], "traffic.arrivals: poisson needs traffic.rate", 1),
        (["traffic.rate=3"], "traffic.rate means nothing with traffic.arrivals: null; *", 1),
        (["traffic.arrivals=closed", "traffic.concurrency=0"], "*greater than or equal to 1*", 4),
    ],
)
def test_traffic_that_cannot_be_is_one_sentence(lem, serving, arguments, sentence, status):
    """Before anything is started; what is lacking, once the test's own parameters are known."""
    serving("")
    result = lem(ONE, *(f"--lem-set={argument}" for argument in arguments))
    assert result.ret == status
    told = result.stderr if status == pytest.ExitCode.USAGE_ERROR else result.stdout
    told.fnmatch_lines([f"*{sentence}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize("traffic", ["", CLOSED], ids=["batches", "traffic"])
@pytest.mark.parametrize("limit", ["ttft_s", "tpot_s"])
def test_limits_on_tokens_need_their_times(lem, serving, only, traffic, limit):
    """Without streaming nobody could keep them, so that is said before anything is started."""
    serving(f"{traffic}\nslo: {{{limit}: 30, e2e_s: 30}}", streaming=False)
    result = lem(ONE)
    result.assert_outcomes(failed=1)
    assert (only().failure_kind, only().rounds, only().phases) == ("config", [], [])
    result.stdout.fnmatch_lines(
        [f"*slo.{limit} is a limit on the times of tokens, which are taken with workload.stream*"]
    )


def test_a_limit_on_the_whole_answer_needs_no_times(lem, serving, only):
    """It is known without streaming too."""
    serving(f"{CLOSED}\nslo: {{e2e_s: 30}}", streaming=False)
    lem(ONE).assert_outcomes(passed=1)
    assert only().metrics["goodput_req_s"].value > 0


def test_each_rate_that_cannot_be_has_a_record_of_its_own(lem, serving, stored):
    """Of traffic, and named by the rate, so that none is taken for the same case again."""
    serving("traffic: {arrivals: poisson, ramp_s: 0.05}")
    result = lem(
        """
        import pytest

        @pytest.mark.parametrize("rate", [0, -2.0, float("nan"), "x"])
        def test_it(inference, rate):
            inference()

        @pytest.mark.parametrize("traffic", [{"arrivals": "closed"}, {"arrivals": "gamma"}])
        def test_whole(inference, traffic):
            inference()

        @pytest.mark.parametrize("slo", [{"ttft_s": 0}, {"ttft_s": -1}])
        def test_limits(inference, slo):
            inference()
        """
    )
    result.assert_outcomes(failed=8)
    records = stored().records
    assert [(r.status, r.failure_kind) for r in records] == [("failed", "config")] * 8
    assert all("duplicate_key" not in r.flags for r in records)
    assert [r.case.kind for r in records] == ["serve"] * 6 + ["infer"] * 2
    assert len({r.case.key for r in records}) == 8
    labels = [r.case.key.rpartition("-")[0] for r in records[:4]]
    assert labels == [f"serve/rate={rate}" for rate in ("0", "-2.0", "nan", "x")]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("0\n0.2\n", "the timestamps in times.txt last 0.2 s, and ramp and window need 5.05 s*"),
        ("0\nsoon\n", "times.txt: time 2 is `soon`, which is no number*"),
        (None, "cannot read the timestamps times.txt: No such file or directory*"),
    ],
)
def test_a_replay_that_cannot_be_is_one_sentence(lem, serving, only, lines, sentence):
    """The test fails with it, as of data that is not right."""
    serving("traffic: {arrivals: replay, timestamps: times.txt, ramp_s: 0.05}")
    if lines is not None:
        Path("times.txt").write_text(lines)
    result = lem(ONE, "--lem-set=measure.min_window_s=5")
    result.assert_outcomes(failed=1)
    assert only().failure_kind == "data"
    result.stdout.fnmatch_lines([f"*{sentence}"])


def test_a_replay_is_measured(lem, serving, suite, only):
    """Its times are part of the case, and each round has them from the first on."""
    serving("traffic: {arrivals: replay, timestamps: times.txt, ramp_s: 0.0}")
    times = [100 + n / 20 for n in range(200)]
    suite.path.joinpath("times.txt").write_text("\n".join(map(str, times)))
    lem(ONE).assert_outcomes(passed=1)
    record = only()
    assert record.case.key.split("/")[4] == "replay"
    assert len(record.case.settings.model_dump()["traffic"]["times_s"]) == 200
    for one in record.rounds:
        due_s = [request.scheduled for request in one.requests]
        gaps_s = [b - a for a, b in pairwise(due_s)]
        assert gaps_s == pytest.approx([0.05] * len(gaps_s), abs=1e-5)


@pytest.mark.parametrize("streaming", [True, False])
def test_batches_are_measured_on_a_server_as_well(lem, serving, only, streaming):
    """All requests of a batch at once, in the host that started the server."""
    serving("batch_size: 2", streaming=streaming)
    lem(ONE).assert_outcomes(passed=1)
    record = only()
    assert (record.case.kind, record.validity) == ("infer", "valid")
    for one in record.rounds:
        assert (one.work.requests, one.work.output_tokens, one.work.input_tokens) == (2, 8, 14)
        assert [len(r.token_times) for r in one.requests] == [4 * streaming] * 2
    assert (record.metrics["ttft_s"].value is None) is not streaming
    assert record.metrics["peak_host_memory_bytes"].value is None
    assert record.applied["device"] == "cpu"


@pytest.fixture
def running(serving, suite):
    """Start a server by itself, let the suite measure it at its URL, and return its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(STUB), "--port", str(port)])
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        threading.Event().wait(0.02)
    serving(CLOSED)
    path = suite.path / "lem.yaml"
    content = yaml.safe_load(path.read_text())
    content["backends"] = {"openai": {"url": f"http://127.0.0.1:{port}"}}
    path.write_text(yaml.safe_dump(content))
    yield process
    process.terminate()
    process.wait()


def test_a_server_that_runs_here_is_measured_and_left(lem, running, stored):
    """Its processes are found by its port, and their energy counts."""
    lem(ONE).assert_outcomes(passed=1)
    (record,) = stored().records
    assert "remote_server" not in record.flags
    assert record.metrics["energy_per_request_j"].value > 0
    assert (record.applied["server_pid"], record.applied["device"]) == (None, "cpu")
    assert running.poll() is None


def test_a_server_elsewhere_has_throughput_and_no_energy(lem, running, stored, monkeypatch):
    """The flag says why."""
    monkeypatch.setattr("pytest_lem.measure.server._is_here", lambda _: False)
    result = lem(ONE)
    result.assert_outcomes(passed=1)
    (record,) = stored().records
    assert {"remote_server", "no_energy"} <= set(record.flags)
    assert record.metrics["output_throughput_tok_s"].value > 0
    assert record.metrics["ttft_s"].value > 0
    for name, metric in record.metrics.items():
        assert metric.value is None or "energy" not in name
    assert [one.energies for one in record.rounds] == [[], []]
    result.stdout.fnmatch_lines(["*remote_server: the server is on another machine, whose*"])


def test_a_key_stands_in_no_file(lem, serving, suite, only, monkeypatch):
    """Neither in results nor in logs, though the server asks for it."""
    monkeypatch.setenv("STUB_KEY", "hush-5711")
    monkeypatch.setenv("LLM_KEY", "hush-5711")
    serving(CLOSED)
    result = lem(
        """
        def test_one(inference):
            inference(options={"api_key_env": "LLM_KEY"})
        """
    )
    result.assert_outcomes(passed=1)
    assert only().case.settings.model_dump()["options"]["api_key_env"] == "LLM_KEY"
    files = [path for path in suite.path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    assert [path for path in files if b"hush" in path.read_bytes()] == []
    assert "hush" not in result.stdout.str()


@pytest.fixture
def unseen(suite, monkeypatch):
    """Give server and client a key; return a function that looks for it in all that is left."""
    for name in ("STUB_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "hush-5711")

    def look(result):
        files = [path for path in suite.path.rglob("*") if path.is_file()]
        assert any(path.suffix == ".json" for path in files)
        assert [path for path in files if b"hush" in path.read_bytes()] == []
        assert "hush" not in result.stdout.str() + result.stderr.str()

    return look


@pytest.mark.parametrize("fault", ["401@*", "telling@*", "401@6"])
def test_a_key_that_the_server_tells_stands_nowhere(lem, serving, only, unseen, fault):
    """Neither in the terminal, nor in the record of the case or a request, nor in the log."""
    serving(CLOSED.replace("ramp_s", "most_failed: 1, ramp_s"), "--log", "--faults", fault)
    result = lem(ONE, "-v", "--junitxml=report.xml")
    is_given_up = fault.endswith("*")
    result.assert_outcomes(failed=int(is_given_up), passed=int(not is_given_up))
    record = only()
    if is_given_up:
        assert "***" in record.message
        result.stdout.fnmatch_lines(["*requests in a row failed, the last with: *[*][*][*]*"])
    (log,) = Path(".lem").rglob("load-1.log")
    assert "Authorization: Bearer ***" in log.read_text()
    unseen(result)


REFUSED = (
    "*`backends.openai`: {} has the key of OPENAI_API_KEY in it, and options are stored; take*"
)


@pytest.mark.parametrize(
    "option",
    [
        "'command': f'serve {{port}} --api-key {KEY}'",
        "'extra_body': {'headers': {'X-Key': KEY}}",
    ],
)
def test_a_key_in_an_option_is_refused_and_not_kept(lem, serving, stored, unseen, option):
    """The record of the failed test has no option of it; two of them are two cases."""
    serving(CLOSED)
    result = lem(
        f"""
        import os

        KEY = os.environ["OPENAI_API_KEY"]

        def test_one(inference):
            inference(options={{{option}}})

        def test_two(inference):
            inference(options={{"extra_body": {{"key": KEY}}}})
        """,
        "-v",
        "--junitxml=report.xml",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([REFUSED.format(option.split("'")[1])])
    first, second = stored().records
    assert [(r.status, r.failure_kind) for r in (first, second)] == [("failed", "config")] * 2
    assert first.case.digest != second.case.digest
    unseen(result)


def test_a_key_in_a_file_is_refused_at_once(lem, suite, serving, monkeypatch):
    """Nothing is made, since nothing can be measured."""
    monkeypatch.setenv("OPENAI_API_KEY", "hush-5711")
    serving(CLOSED)
    path = suite.path / "lem.yaml"
    path.write_text(path.read_text().replace("{port}", "{port} --key hush-5711"))
    result = lem(ONE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([REFUSED.format("command")])
    assert "hush" not in result.stdout.str() + result.stderr.str()
    assert not suite.path.joinpath(".lem").exists()


def test_a_proxy_is_passed_by(lem, suite, serving, only, monkeypatch):
    """A server in here is found where the environment sends all others through a proxy."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    serving("batch_size: 1")
    path = suite.path / "lem.yaml"
    path.write_text(path.read_text().replace("{command:", "{start_timeout_s: 30, command:"))
    lem(ONE).assert_outcomes(passed=1)
    assert only().applied["backend_version"] == "stub-1"


def test_a_server_that_cannot_be_is_one_sentence(lem, serving, only):
    """Whatever is wrong with what was asked for."""
    serving(CLOSED)
    result = lem(ONE, "--lem-set=model=stup")
    result.assert_outcomes(failed=1)
    assert (only().failure_kind, only().rounds) == ("config", [])
    result.stdout.fnmatch_lines(["*offers no model `stup`: did you mean `stub`?*"])


def test_a_server_that_stalls_ends_with_a_sentence_of_its_own(lem, serving, only):
    """Within the time for one step, and without waiting for what will not come."""
    serving(f"{CLOSED}\nmeasure: {{timeout_s: 3}}", "--faults", "never@*")
    result = lem(ONE)
    result.assert_outcomes(failed=1)
    assert only().failure_kind == "timeout"
    result.stdout.fnmatch_lines(["*no request was answered within 3 s; the server is too slow*"])


def test_what_a_file_leaves_open_comes_from_a_parameter(lem, serving, stored):
    """The process stands in the settings, and each test brings its own rate."""
    serving("traffic: {arrivals: poisson, ramp_s: 0.05}")
    source = """
    import pytest

    @pytest.mark.parametrize("rate", [20.0, 40.0])
    def test_one(inference, rate):
        inference()
    """
    lem(source).assert_outcomes(passed=2)
    assert [r.case.key.split("/")[4] for r in stored().records] == ["poisson-20", "poisson-40"]


def test_a_marker_brings_limits_of_its_own(lem, serving, only):
    """They go over the configured ones, and stand in the case."""
    serving(f"{CLOSED}\nslo: {{e2e_s: 30, ttft_s: 0.000001}}")
    lem(
        """
        import pytest

        @pytest.mark.energy(slo={"ttft_s": 20})
        def test_one(inference):
            inference()
        """
    ).assert_outcomes(passed=1)
    record = only()
    slo = record.case.settings.model_dump()["slo"]
    assert slo == {"ttft_s": 20.0, "tpot_s": None, "e2e_s": 30.0}
    assert record.metrics["goodput_req_s"].value > 0


def test_a_backend_without_traffic_says_which_one_has_it(engine, lem):
    """Before anything is loaded."""
    result = lem(ONE, "--lem-set=traffic.arrivals=closed", "--lem-set=traffic.concurrency=2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["the backend `ngram` runs offline batches only; measure traffic with `openai`, which*"]
    )
