"""Paths as a page shows them."""

import pytest

from pytest_lem.reports.html.places import without_folders


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--lem-config=/srv/ann/secret project/lem.yaml", "--lem-config=lem.yaml"),
        ("/srv/ann/runs/lem.yaml:12", "lem.yaml:12"),
        ("~/models/small/", "small"),
        ("~ann/models/small", "small"),
        ("../../other/grid.yaml", "grid.yaml"),
        ("--lem-report=html:/srv/www/out.html", "--lem-report=html:out.html"),
        ("/opt/a/bin,/opt/b/bin", "bin,bin"),
        ("/", "/"),
        ("mlflow.uri=sqlite:////srv/ann/mlflow.db", "mlflow.uri=sqlite:mlflow.db"),
        ("mlflow.uri=http://host:5000/path", "mlflow.uri=http://host:5000/path"),
        ("--lem-model=org/small", "--lem-model=org/small"),
        ("--lem-config=configs/lem.yaml", "--lem-config=configs/lem.yaml"),
        ("--lem-baseline=main", "--lem-baseline=main"),
        ("energy_per_call_j:2+0.5", "energy_per_call_j:2+0.5"),
    ],
)  # fmt: skip
def test_folders_elsewhere_are_left_out(text, shown):
    """The last name is enough for a reader; what is no such path stays as it is."""
    assert without_folders(text) == shown
