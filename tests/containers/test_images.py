"""The Dockerfiles: what they copy, install and run exists, and whoever runs them is not root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults import of_image
from images import FILES, ROOT, context, image, read

NAMES = ["tensorrt-llm", "transformers", "vllm"]
#: One change for each check: what is replaced, by what, and what has to be said about it.
MUTATIONS = [
    (":13.0.2-devel-ubuntu24.04", ":latest", "has no version"),
    ("COPY --from=build /opt/lem /opt/lem", "RUN true", "not copied out of a stage of its own"),
    ("USER ${PUID}", "RUN pip install '/opt/src[vllm]'\nUSER ${PUID}", "stage that runs installs"),
    ("COPY configs", "COPY no-configs", "there is no no-configs to copy"),
    ("COPY configs", "COPY tox.ini", ".dockerignore leaves out tox.ini"),
    ("[vllm,openai]", "[vllm,opanai]", "there is no extra opanai"),
    ("'/opt/src[vllm,openai]'", "/opt/src", "no extra is installed"),
    ("[vllm,openai]", "[vllm,tensorrt-llm]", "tensorrt-llm and vllm exclude each other"),
    ("pip install ", "pip install --constraint /opt/src/constraints.txt ", "is not in the stage"),
    ("pip install ", "pip install numpy==2 ", "pip installs numpy==2"),
    ("USER ${PUID}:${PGID}", "", "it runs as root"),
    ("USER ${PUID}:${PGID}", "USER 0:0", "it runs as 0:0"),
    ("ARG PUID=1000", "ARG PUID=0", "PUID is root's by default"),
    ('test "$PUID" -gt 0', "true", "it can be built for root"),
    ("LEM_LOCK_DIR", "LEM_LOCKS", "nothing reads LEM_LOCKS"),
    ("HF_HOME=/srv/cache/huggingface", "HF_HOME=/models", "HF_HOME is no folder that is made"),
    (' -o "$PUID"', " -o root", "HOME is no folder that is made"),
    ("/srv/suite/.lem", "/srv/suite/lem", "no folder for results"),
    ("=/srv/cache/engine/triton", "=/opt/triton", "TRITON_CACHE_DIR is not in a volume"),
    ("--lem-backend=vllm", "--lem-backand=vllm", "pytest would not take"),
    ("--lem-backend=vllm", "--lem-backend=vlm", "vlm"),
    ('"benchmarks/"', '"examples/"', "examples/ is not in the image"),
    ('"pytest"', '"python"', "it runs python"),
]


def test_there_is_an_image_for_each_engine() -> None:
    """What follows would pass for none as well."""
    assert [path.parent.name for path in FILES] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_an_image(name: str, parse: Callable[..., Any]) -> None:
    """All that a Dockerfile names is there, and what runs is not root."""
    assert of_image(image(name), parse) == []


@pytest.mark.parametrize(("old", "new", "said"), MUTATIONS, ids=[said for *_, said in MUTATIONS])
def test_a_mistake_in_an_image_is_found(
    old: str, new: str, said: str, parse: Callable[..., Any]
) -> None:
    """Each check can fail."""
    text = (ROOT / "docker/vllm/Dockerfile").read_text()
    assert old in text
    found = of_image(read(text.replace(old, new), "vllm"), parse)
    assert any(said in fault for fault in found), found


def test_a_build_gets_what_it_copies_and_nothing_else() -> None:
    """No result, cache, environment or secret of the checkout reaches an image."""
    copied = {source for path in FILES for x, _ in image(path.parent.name).copies for source in x}
    # Docker's own client sends the rules as well.
    assert {name.split("/")[0] for name in context()} - {".dockerignore"} == copied
    assert not [name for name in context() if "__pycache__" in name or name.endswith(".pyc")]


def test_what_is_ignored_is_found_missing(parse: Callable[..., Any]) -> None:
    """The rules of .dockerignore are really applied."""
    rules = (ROOT / ".dockerignore").read_text().replace("!README.md\n", "")
    assert of_image(image("vllm"), parse, rules) == [".dockerignore leaves out README.md"]


@pytest.mark.parametrize("name", NAMES)
def test_the_backend_belongs_to_the_engine(name: str) -> None:
    """An image has the extra of the engine that it is named after, and runs its backend."""
    assert name in image(name).extras
    assert image(name).command[-1] == f"--lem-backend={name.replace('-', '_')}"


def test_images_agree_about_the_user_and_the_folders() -> None:
    """They share volumes, so the lines that make them are the same."""
    runs = {image(name).run.values("RUN")[-1] for name in NAMES}
    assert len(runs) == 1
