"""What the backend `openai` can be told: where the server is, or how to start it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.option import BackendOptions, option

#: What a command may contain.
PORT, MODEL, GGUF = "{port}", "{model}", "{gguf}"


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
        "is stored nowhere.",
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
        "Path of the server's Prometheus metrics, read twice a second under traffic; null: none.",
        ["/metrics"],
        is_read_back=False,
        pattern=r"^/\S*$",
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
