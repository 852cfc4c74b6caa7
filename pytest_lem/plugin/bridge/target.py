"""What a test gave to pytest-benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Arguments = tuple[Sequence[Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A function with its arguments, and what has to be done before and after each call."""

    function: Callable[..., Any]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    setup: Callable[[], Any] | None = None
    teardown: Callable[..., Any] | None = None

    @property
    def is_repeatable(self) -> bool:
        """Tell whether calls may follow each other with nothing in between."""
        return self.setup is None and self.teardown is None

    def call(self) -> Any:
        """Call it with the arguments that the test gave."""
        return self.function(*self.args, **self.kwargs)

    def prepare(self) -> Arguments:
        """Set up one call and return its arguments: those of the setup, if it returns any."""
        found = self.setup() if self.setup else None
        args, kwargs = found or (self.args, self.kwargs)
        return args, kwargs
