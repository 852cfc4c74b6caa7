"""The complete examples of how-to-backend.md and how-to-meter.md work as they stand there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pageblocks import ROOT, blocks_of

from pytest_lem import read_run
from pytest_lem.flags import Reason

Install = Callable[[Path], None]

BACKEND = ROOT / "docs/how-to-backend.md"
METER = ROOT / "docs/how-to-meter.md"


def test_the_backend_of_the_page_measures(folder: pytest.Pytester, install: Install) -> None:
    """Batches, exact lengths and options; what it reads back is what was asked for."""
    install(BACKEND)
    folder.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 3])
        def test_batches(inference, batch_size):
            result = inference(backend="parrot", model="polly", options={"effort": 50})
            assert result.output_tokens == 2 * batch_size * 8
            assert result.record.applied["options"] == {"effort": 50}

        def test_says_it_again(inference):
            workload = {"prompts": ["Polly wants"], "input_tokens": 5, "output_tokens": 8}
            assert inference(backend="parrot", model="polly", workload=workload).text == "PollyPol"

        def test_too_long(inference):
            with pytest.raises(Exception, match="longer than the context of 4096; shorten"):
                inference(backend="parrot", model="polly", workload={"output_tokens": 5000})
        """
    )
    result = folder.runpytest_subprocess("--lem-json=run.json")
    result.assert_outcomes(passed=4)
    records = read_run(folder.path / "run.json").records
    assert [record.validity for record in records if record.status == "ok"] == ["valid"] * 3
    assert {record.applied.get("precision") for record in records} <= {"int8", None}


def test_the_commands_of_the_page_work(
    folder: pytest.Pytester, install: Install, reader: pytest.MonkeyPatch
) -> None:
    """The suite of this checkout measures it, and each example of each option is in force."""
    install(BACKEND)
    reader.setenv("LEM_STORE", str(folder.path / "store"))
    (commands,) = (block.text for block in blocks_of(BACKEND) if "pytest benchmarks" in block.text)
    done = subprocess.run(
        ["bash", "-e"], input=commands, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "How often it thinks" in done.stdout
    assert re.search(r"skipped|failed", done.stdout) is None
    runs = [read_run(path) for path in folder.path.glob("store/runs/*/run.json")]
    records = [record for run in runs for record in run.records]
    assert len(runs) == 2
    assert {record.validity for record in records} == {"valid"}
    assert {record.applied["options"]["effort"] for record in records} == {1, 100, 1000}


@pytest.fixture
def plug(folder: pytest.Pytester, reader: pytest.MonkeyPatch) -> Path:
    """Return the file that the service of a plug would keep: 40 W."""
    path = folder.path / "watts"
    path.write_text("40\n")
    reader.setenv("WALL_WATTS", str(path))
    return path


def test_the_meter_of_the_page_passes_the_suite_of_meters(
    folder: pytest.Pytester, install: Install, plug: Path
) -> None:
    """Where there is a source, and where there is none."""
    install(METER)
    suite = [ROOT / "tests/contract/test_meters.py", "-k", "wall", f"--rootdir={ROOT}"]
    own = ["-c", ROOT / "pyproject.toml"]
    here = folder.runpytest_subprocess(*own, *suite)
    plug.unlink()
    gone = folder.runpytest_subprocess(*own, *suite)
    assert [here.ret, gone.ret] == [0, 0]
    assert here.parseoutcomes()["passed"] == gone.parseoutcomes()["passed"] > 5


def test_the_meter_of_the_page_measures(
    folder: pytest.Pytester, install: Install, plug: Path, reader: pytest.MonkeyPatch
) -> None:
    """Watts times seconds, of the tier `power`; a source that is gone is unknown, and never 0."""
    install(METER)
    reader.setenv("LEM_METER", "wall")
    folder.makepyfile(
        test_it=f"""
        import time
        from pathlib import Path

        def burn():
            end_s = time.monotonic() + 0.2
            while time.monotonic() < end_s:
                pass

        def test_known(energy):
            energy(burn)

        def test_unknown(energy):
            Path({str(plug)!r}).unlink()
            energy(burn)
        """
    )
    folder.runpytest_subprocess("--lem-json=run.json").assert_outcomes(passed=2)
    known, unknown = read_run(folder.path / "run.json").records
    for window in known.rounds:
        (energy,) = window.energies
        assert energy.value == pytest.approx(40 * (window.t1 - window.t0))
        assert (energy.tier, energy.u_random) == ("power", 0)
    assert known.metrics["energy_per_call_j"].value > 0
    assert unknown.metrics["energy_per_call_j"].value is None
    assert unknown.reasons == [Reason.METER_SILENT]
