"""`lem doctor --init`: what it writes runs."""

from __future__ import annotations

from pathlib import Path

from standin import Board

from pytest_lem.cli.doctor.init import suite
from pytest_lem.config.resolve import resolve
from pytest_lem.config.source import read_file
from pytest_lem.energy.meter import Availability
from pytest_lem.energy.reading import Tier
from pytest_lem.registry import BACKENDS, load

SUITE, SETTINGS = "benchmarks/test_generate.py", "energy.yaml"
COUNTER = Availability(tier=Tier.COUNTER, sentence="NVML counter of " + "Board, " * 40)
NOTHING = Availability(tier=Tier.NONE, sentence="nothing")
ESTIMATE = Availability(tier=Tier.ESTIMATED, sentence="a guess")


def backend(name, *precisions, installed=True):
    return {
        "name": name,
        "installed": installed,
        "precisions": list(precisions),
        "install": f"pip install {name}",
        "fault": None,
    }


TRANSFORMERS = backend("transformers", "float32", "bfloat16")


def settings_in(text: str, folder: Path):
    """Return the settings as a run would take them."""
    (folder / SETTINGS).write_text(text)
    return resolve(
        read_file(folder / SETTINGS),
        default_preset="smoke",
        options_of=lambda name: load(BACKENDS, name).Options,
    )


def test_a_gpu_gets_its_precisions_and_has_to_be_measured(tmp_path):
    """Each backend has the first of them that it knows, or one of its own."""
    found = {"nvml": COUNTER, "rapl": NOTHING, "estimated": ESTIMATE}
    texts = suite(found, [TRANSFORMERS, backend("ngram", "float64")])
    assert '    ("transformers", "bfloat16"),\n    ("ngram", "float64"),\n' in texts[SUITE]
    assert '"batch_size", [1, 8, 32]' in texts[SUITE]
    resolved = settings_in(texts[SETTINGS], tmp_path)
    assert resolved.settings.preset == "standard"
    assert resolved.settings.energy.require_tier == "counter"
    assert resolved.notes == ()
    assert max(map(len, texts[SETTINGS].splitlines())) <= 100


def test_without_a_sensor_the_estimate_is_explained(tmp_path):
    """Nothing is required that this machine does not have."""
    texts = suite({"nvml": NOTHING, "rapl": NOTHING, "estimated": ESTIMATE}, [TRANSFORMERS])
    assert '("transformers", "float32")' in texts[SUITE]
    resolved = settings_in(texts[SETTINGS], tmp_path)
    assert resolved.settings.preset == "quick"
    assert resolved.settings.energy.require_tier is None
    assert "stated as -70 % to +70 %" in texts[SETTINGS]


def test_a_cpu_with_a_counter_needs_nothing_of_gpus(tmp_path):
    """What concerns slices of a GPU is left out."""
    texts = suite({"nvml": NOTHING, "rapl": COUNTER, "estimated": ESTIMATE}, [TRANSFORMERS])
    assert "MIG" not in texts[SETTINGS]
    assert settings_in(texts[SETTINGS], tmp_path).settings.energy.require_tier == "counter"
    assert "[1, 8]" in texts[SUITE]


def test_without_a_backend_the_suite_says_what_to_install():
    """The row stands there, and is skipped until then."""
    missing = backend("transformers", "float32", installed=False)
    text = suite({"estimated": ESTIMATE}, [backend("other", "x", installed=False), missing])[SUITE]
    assert (
        '    # not installed yet: pip install transformers\n    ("transformers", "float32"),\n'
    ) in text
    assert "other" not in text


def test_a_broken_backend_alone_still_makes_a_suite():
    """Its precisions are unknown, so the row has one that suits the device."""
    unknown = {"precisions": None, "install": None, "fault": "it fails"}
    broken = {**backend("transformers", installed=None), **unknown}
    text = suite({"estimated": ESTIMATE}, [broken])[SUITE]
    assert (
        '    # broken here, and `lem doctor` says why\n    ("transformers", "float32"),\n' in text
    )


def test_a_backend_that_is_missing_or_broken_is_left_out():
    """A row that can only fail or be skipped helps nobody who has another one."""
    facts = [TRANSFORMERS, backend("gone", "x", installed=False), backend("wreck", installed=None)]
    text = suite({"estimated": ESTIMATE}, facts)[SUITE]
    assert "gone" not in text
    assert "wreck" not in text


def test_what_is_written_is_collected_and_runs(lem, run, ngram, tmp_path):
    """As the printed commands say, with a backend that is registered here."""
    folder = tmp_path / "my project"
    done = lem("doctor", "--init", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    wrote, wrote_too, _, change, *commands = done.stdout.splitlines()
    assert (wrote, wrote_too) == (f"wrote {SUITE}", f"wrote {SETTINGS}")
    assert change == f"  cd '{folder}'"
    collect, smoke, _ = (command.partition("#")[0].split() for command in commands)

    listed = run("pytest", *collect[1:], "-q", "-p", "no:cacheprovider", folder=folder)
    assert listed.returncode == 0, listed.stdout
    assert f"{SUITE}::test_generate[ngram-float" in listed.stdout
    ran = run("pytest", *smoke[1:], "-k", "ngram", f"--lem-model={ngram}", folder=folder)
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_a_board_that_was_found_is_required(lem, standin, tmp_path):
    """On a machine with a counter, a case without one fails."""
    standin(Board(name="Board A"))
    assert lem("doctor", "--init", str(tmp_path)).returncode == 0
    text = (tmp_path / SETTINGS).read_text()
    assert "NVML counter of Board A" in text
    assert "\n  require_tier: counter\n" in text


def test_a_file_that_is_there_is_left(lem, tmp_path):
    """The work of its owner is never written over, and the rest is written."""
    (tmp_path / SETTINGS).write_text("preset: smoke\n")
    done = lem("doctor", "--init", folder=tmp_path)
    assert done.returncode == 0
    assert f"{SETTINGS} is there: left as is" in done.stdout
    assert (tmp_path / SETTINGS).read_text() == "preset: smoke\n"
    assert (tmp_path / SUITE).is_file()
    assert "  cd " not in done.stdout


def test_a_folder_that_cannot_be_written_is_status_1(lem, tmp_path):
    """A sentence says which, why, and what to do."""
    (tmp_path / "file").touch()
    done = lem("doctor", "--init", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"{tmp_path / 'file'}")
    assert "name another folder" in done.stderr
    assert "Traceback" not in done.stderr
