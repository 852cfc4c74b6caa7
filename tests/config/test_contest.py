"""Two values of one setting, as people write them."""

from __future__ import annotations

import pytest

from pytest_lem.config.contest import contest
from pytest_lem.config.layers import Layers
from pytest_lem.errors import LemError

BACKENDS = {"transformers", "vllm", "llama_cpp"}


@pytest.mark.parametrize(
    ("text", "path", "values", "name"),
    [
        ("backend:transformers,vllm", ("backend",), ("transformers", "vllm"),
         "transformers-vs-vllm"),
        (" precision : bfloat16 , int8 ", ("precision",), ("bfloat16", "int8"), "bfloat16-vs-int8"),
        ("batch_size:1,8", ("batch_size",), (1, 8), "1-vs-8"),
        ("llama_cpp.n_threads:1,2", ("backends", "llama_cpp", "n_threads"), (1, 2), "1-vs-2"),
        ("backends.vllm.enforce_eager:true,false", ("backends", "vllm", "enforce_eager"),
         (True, False), "true-vs-false"),
        ("workload.output_tokens:32,64", ("workload", "output_tokens"), (32, 64), "32-vs-64"),
        ("vllm.seed:null,1", ("backends", "vllm", "seed"), (None, 1), "null-vs-1"),
    ],
)  # fmt: skip
def test_both_sides_are_read(
    text: str, path: tuple[str, ...], values: tuple[object, object], name: str
) -> None:
    """Options begin with their backend; values are those that YAML would make of them."""
    found = contest(text, "--lem-ab", BACKENDS)
    assert (*found.values.values(),)[0].value == values[0]
    assert (*found.b.values.values(),)[0].value == values[1]
    assert list(found.values) == list(found.b.values) == [path]
    assert found.id == name


def test_a_side_lies_over_the_settings() -> None:
    """With where it comes from."""
    found = contest("backend:a,b", "--lem-ab", BACKENDS)
    layers = Layers()
    found.b.lay_over(layers)
    assert (layers.leaves["backend",].value, layers.leaves["backend",].origin) == ("b", "--lem-ab")
    assert found.sets("backend")
    assert found.value("backend") == "a"
    assert (found.change, found.title_of_a) == ("backend: a -> b", "backend:a")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not name two sides; write FIELD:A,B"),
        ("backend", "does not name two sides"),
        ("backend:", "does not name two sides"),
        ("backend:a", "does not name two sides"),
        ("backend:a,b,c", "does not name two sides"),
        ("backend:a,", "does not name two sides"),
        (":a,b", "does not name two sides"),
        ("vllm.:1,2", "does not name two sides"),
        ("backend:a,a", "both sides are a; name two values"),
        ("batch_size:8,8.0", "both sides are 8"),
        ("bakend:a,b", "`bakend` is no setting of a case; did you mean `backend`?"),
        ("gate.alpha:0.1,0.2", "`gate.alpha` is no setting of a case"),
        ("energy.meters:a,b", "or an option of a backend (llama_cpp.n_threads)"),
        ("precision:{,b", "'{' is not a value in YAML"),
    ],
)
def test_what_names_no_two_sides_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    """With what to write instead."""
    with pytest.raises(LemError) as caught:
        contest(text, "--lem-ab", BACKENDS)
    assert caught.value.kind == "config"
    assert str(caught.value).startswith("--lem-ab: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
