"""What the backend `openai` can be told: where the server is, or how to start it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from pytest_lem.backends.openai.key import hidden, key_in
from pytest_lem.backends.option import BackendOptions, option

#: What a command may contain.
PORT, MODEL, GGUF = "{port}", "{model}", "{gguf}"
_VARIABLE = r"[A-Za-z_]\w*"
#: Where a server is that is started, under any of its names.
_HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiOptions(BackendOptions):
    """Settings of a server and of the connection to it. One of `url` and `command` is needed."""

    url: str | None = option(
        None,
        "Where a server runs already, such as http://127.0.0.1:8000. On another machine its energy "
        "cannot be read, and time and tokens alone are measured.",
        ["http://127.0.0.1:8000"],
        is_tried=False,
        is_read_back=False,
        pattern=r"^https?://[^/\s]+(/\S*)?$",
    )
    command: str | None = option(
        None,
        "Command that starts a server, in words as in a shell but without one. `{port}` becomes a "
        "free port of 127.0.0.1, `{model}` the model, `{gguf}` the file of the demo model for "
        "llama.cpp. It ends with the last case on it, its children as well.",
        ["vllm serve {model} --port {port} --no-enable-prefix-caching"],
        is_tried=False,
        is_read_back=False,
    )
    health: str = option(
        "/health",
        "Path that answers 200 once the server can work.",
        ["/v1/models"],
        is_read_back=False,
        pattern=r"^/\S*$",
    )
    start_timeout_s: float = option(
        600.0, "Longest wait for the server to start.", [900.0], is_read_back=False, gt=0, le=86400
    )
    request_timeout_s: float = option(
        600.0,
        "Longest time for one request, after which it has failed.",
        [300.0],
        is_read_back=False,
        gt=0,
        le=86400,
    )
    api_key_env: str = option(
        "OPENAI_API_KEY",
        "Variable of the environment that holds the key, if the server wants one; the key itself "
        "is stored nowhere, and refused in any other option.",
        ["LLM_KEY"],
        is_read_back=False,
        min_length=1,
    )
    served_model: str | None = option(
        None,
        "Name under which the server offers the model; null: that of the model, or the only one "
        "there is where the harness has started the server.",
        ["my-model"],
        is_tried=False,
        is_read_back=False,
    )
    tokenizer: str | None = option(
        None,
        "Directory or Hugging Face id of the model's tokenizer (needs transformers): for prompts "
        "of exact length, and to check the server's token counts against its texts.",
        ["HuggingFaceTB/SmolLM2-135M-Instruct"],
        is_tried=False,
        is_read_back=False,
    )
    metrics: str | None = option(
        "/metrics",
        "Path of the server's Prometheus metrics, or a URL on the same host where they have a port "
        "of their own; read twice a second under traffic; null: none.",
        ["/metrics"],
        is_read_back=False,
        pattern=r"^(https?://[^/\s]+)?/\S*$",
    )
    extra_body: dict[str, Any] | None = option(
        None,
        "Further fields of each request, in the server's own names.",
        [{"repetition_penalty": 1.0}],
        is_read_back=False,
    )

    def __post_init__(self) -> None:
        """Refuse what excludes each other; pydantic makes a sentence of it."""
        if self.url is not None and self.command is not None:
            raise ValueError("url names a server that runs, command starts one: give one of them")
        if self.command is not None and PORT not in self.command:
            raise ValueError("command has to say `{port}` where the server takes its port")
        if self.metrics is not None and not self.metrics.startswith("/"):
            own = _HERE[0] if self.url is None else _host(self.url)
            if _host(self.metrics) != own:
                raise ValueError(
                    f"metrics names another host than that of the server, {own}, and would be sent "
                    "its key; name the server's own"
                )
        self._refuse_key()

    def _refuse_key(self) -> None:
        """Refuse a key in the place of its name, or in an option, without a word of it."""
        variable = self.api_key_env
        if not re.fullmatch(_VARIABLE, variable):
            raise ValueError(
                "api_key_env takes the name of a variable of the environment, and was given "
                "something else (not repeated here, since it may be the key)"
            )
        key = key_in(variable)
        for field in fields(self):
            text = str(getattr(self, field.name))
            if hidden(text, key) != text:
                raise ValueError(
                    f"{field.name} has the key of {variable} in it, and options are stored; take "
                    "it out: requests carry the key anyway, and a server that is started finds it "
                    "in a variable of its environment (vLLM in VLLM_API_KEY)"
                )


def _host(url: str) -> str | None:
    """Return the host of a URL; this machine has one name of several."""
    host = urlsplit(url).hostname
    return _HERE[0] if host in _HERE else host
