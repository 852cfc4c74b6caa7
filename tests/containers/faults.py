"""What is wrong with an image or a service, each in a sentence; nothing, if all is well."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from images import CONFLICTS, EXTRAS, ROOT, Image, context, filled

from pytest_lem.energy.exclusive import FOLDER_VARIABLE
from pytest_lem.plugin.options import OPTIONS
from pytest_lem.plugin.settings import check_settings
from pytest_lem.registry import BACKENDS, entries

Parse = Callable[..., Any]

_VARIABLES = {FOLDER_VARIABLE, *(option.variable for option in OPTIONS)}
#: Variables of an image that name folders which are kept.
KEPT = ("HF_HOME", "XDG_CACHE_HOME", FOLDER_VARIABLE)
_USER = ("PUID", "PGID")
_FORBIDDEN = ("privileged", "cap_add", "devices", "network_mode", "userns_mode")


def of_image(image: Image, parse: Parse, ignored: str = "") -> list[str]:
    """Return what is wrong with an image."""
    return [
        *_of_stages(image),
        *_of_copies(image, context(ignored)),
        *_of_installs(image),
        *_of_user(image),
        *_of_folders(image),
        *of_command(image.command, image, parse),
    ]


def _of_stages(image: Image) -> Iterator[str]:
    own = [stage.name for stage in image.stages]
    for stage in image.stages:
        tag = stage.base.partition("@")[0].partition(":")[2]
        if stage.base not in own and not re.search(r"\d+\.\d+", tag):
            yield f"the base {stage.base} has no version"
    if len(image.stages) < 2 or not any("--from=build" in x for x in image.run.values("COPY")):
        yield "what is built is not copied out of a stage of its own"
    if any("pip" in value or "apt" in value for value in image.run.values("RUN")):
        yield "the stage that runs installs something"


def _of_copies(image: Image, files: frozenset[str]) -> Iterator[str]:
    for sources, _ in image.copies:
        for source in sources:
            if not (ROOT / source).exists():
                yield f"there is no {source} to copy"
            elif source not in files:
                yield f".dockerignore leaves out {source}"


def _of_installs(image: Image) -> Iterator[str]:
    if not image.extras:
        yield "no extra is installed"
    if unknown := image.extras - EXTRAS:
        yield f"there is no extra {', '.join(sorted(unknown))}"
    for pair in CONFLICTS:
        if pair <= image.extras:
            yield f"the extras {' and '.join(sorted(pair))} exclude each other"
    copied = {f"{target}{source}" for sources, target in image.copies for source in sources}
    for command in image.installs:
        for word, follows in zip(shlex.split(command)[2:], shlex.split(command)[3:], strict=False):
            if word in {"-c", "--constraint"} and follows not in copied:
                yield f"{follows} is not in the stage"
        words = [word for word in shlex.split(command)[2:] if not word.startswith("-")]
        if strange := [word for word in words if not word.startswith("/opt/src")]:
            yield f"pip installs {', '.join(strange)}, which is not an extra"


def _of_user(image: Image) -> Iterator[str]:
    users, arguments = image.run.values("USER"), image.run.pairs("ARG")
    if users[-1:] != ["${PUID}:${PGID}"]:
        yield f"it runs as {(users or ['root'])[-1]}"
    for name in _USER:
        if not arguments.get(name, "0").isdecimal() or int(arguments.get(name, "0")) == 0:
            yield f"{name} is root's by default"
    if not any('test "$PUID" -gt 0' in value for value in image.run.values("RUN")):
        yield "it can be built for root"


def _of_folders(image: Image) -> Iterator[str]:
    """Whoever runs it can write where the code writes; a volume takes its owner from there."""
    env, made = image.run.pairs("ENV"), _made(image)
    for name in [name for name in env if name.startswith("LEM_")]:
        if name not in _VARIABLES:
            yield f"nothing reads {name}"
    for name in (*KEPT, "HOME"):
        if env.get(name) not in made:
            yield f"{name} is no folder that is made: {env.get(name)}"
    if f"{image.workdir}/.lem" not in made:
        yield "there is no folder for results"
    for name, value in env.items():
        is_cache = name.endswith(("_DIR", "_BASE", "CACHE_PATH")) and name not in KEPT
        if is_cache and not PurePosixPath(value).is_relative_to(env.get("XDG_CACHE_HOME", "/")):
            yield f"{name} is not in a volume: {value}"


def _made(image: Image) -> set[str]:
    """Return the folders that `install -d` makes for the user, or for all."""
    commands = [part for value in image.run.values("RUN") for part in value.split("&&")]
    words = [shlex.split(part) for part in commands if "install -d" in part]
    mine = [x for x in words if {"$PUID", "$PGID"} <= set(x) or "0777" in x]
    return {word for found in mine for word in found if word.startswith("/")}


def of_command(command: list[str], image: Image, parse: Parse) -> Iterator[str]:
    """Say what pytest would not understand, and what would not be there."""
    program, *arguments = command
    if program != "pytest":
        yield f"it runs {program}"
        return
    try:
        config = parse(*arguments)
        check_settings(config)
    except (SystemExit, Exception) as error:  # noqa: BLE001 - whatever a parser thinks of it
        yield f"pytest would not take {' '.join(arguments)} ({error})"
        return
    if config.option.lem_backend not in entries(BACKENDS):
        yield f"there is no backend {config.option.lem_backend}"
    folders = {f"{target.rstrip('/')}/" for _, target in image.copies}
    for path in config.option.file_or_dir:
        if f"{image.workdir}/{path.rstrip('/')}/" not in folders:
            yield f"{path} is not in the image"


def of_service(name: str, service: Mapping[str, Any], image: Image, parse: Parse) -> list[str]:
    """Return what is wrong with a service that runs an image."""
    return [
        *_of_build(name, service, image),
        *_of_rights(service),
        *_of_gpu(service),
        *_of_volumes(service, image),
        *_of_environment(service),
        *of_command(service["command"], image, parse),
    ]


def _of_build(name: str, service: Mapping[str, Any], image: Image) -> Iterator[str]:
    build = service["build"]
    root = (ROOT / "docker" / build["context"]).resolve()
    if not (root / build["dockerfile"]).is_file():
        yield f"there is no {build['dockerfile']}"
    if root != ROOT or build["dockerfile"] != f"docker/{name}/Dockerfile":
        yield "it builds something else"
    if service["command"] != image.command:
        yield "the image by itself runs something else"


def _of_rights(service: Mapping[str, Any]) -> Iterator[str]:
    for key in _FORBIDDEN:
        if service.get(key):
            yield f"{key} is not wanted"
    if service.get("cap_drop") != ["ALL"]:
        yield "it keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "it can gain rights"
    chosen = {"PUID": "1234", "PGID": "4321"}
    if filled(service.get("user", ""), **chosen) != "1234:4321":
        yield "PUID and PGID do not reach the user"
    if re.match(r"0|root|$", filled(service.get("user", ""))):
        yield "it is root by default"
    arguments = service["build"].get("args", {})
    if {k: filled(str(v), **chosen) for k, v in arguments.items()} != chosen:
        yield "PUID and PGID do not reach the image"


def _of_gpu(service: Mapping[str, Any]) -> Iterator[str]:
    reservations = service.get("deploy", {}).get("resources", {}).get("reservations", {})
    wanted = {"gpu", "compute", "utility"}
    found = [x for x in reservations.get("devices", ()) if x.get("driver") == "nvidia"]
    if not any(wanted <= set(device.get("capabilities", ())) for device in found):
        yield "it has no GPU, or none whose energy can be read"
    if service.get("ipc") != "host":
        yield "its shared memory is not the machine's"
    size = re.fullmatch(r"(\d+)g(?:i?b)?", str(service.get("shm_size", "")))
    if not size or int(size[1]) < 8:
        yield "its shared memory is less than 8 GB"


def _of_volumes(service: Mapping[str, Any], image: Image) -> Iterator[str]:
    env = image.run.pairs("ENV")
    wanted = {env[name] for name in KEPT if name in env} | {f"{image.workdir}/.lem"}
    targets = {filled(volume).split(":")[1] for volume in service.get("volumes", ())}
    for target in sorted(wanted - targets):
        yield f"what is written to {target} is lost"
    for target in sorted(targets - wanted):
        yield f"nothing writes to {target}"


def _of_environment(service: Mapping[str, Any]) -> Iterator[str]:
    for name in service.get("environment", {}):
        if name.startswith("LEM_") and name not in _VARIABLES:
            yield f"nothing reads {name}"
