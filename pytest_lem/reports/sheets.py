"""The sheet that was asked for: of cases, of rounds, or of samples."""

from __future__ import annotations

from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.material import Material
from pytest_lem.reports.rounds import round_sheet
from pytest_lem.reports.samples import sample_sheet
from pytest_lem.reports.sheet import Sheet, below

_ORIGIN = "--columns"


def sheet_of(material: Material) -> Sheet:
    """Return the rows of all runs with the columns that were asked for.

    Raises LemError for a column that there is not, and for samples that cannot be read.
    """
    return _whole(material).only(material.columns, _ORIGIN)


def _whole(material: Material) -> Sheet:
    if material.rows == "rounds":
        return below([round_sheet(run.passing[1]) for run in material.runs])
    if material.rows == "samples":
        passing = (run.passing for run in material.runs)
        return below([sample_sheet(run_file, folder) for folder, run_file in passing])
    return case_sheet(material.summary)
