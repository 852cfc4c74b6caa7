"""What a source of energy refused."""

from __future__ import annotations

from pytest_lem.flags import Reason, text_of


class Fault(Exception):  # noqa: N818 - no error of the program
    """A source could not be read: why, as a reason and as a sentence with the source's words."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{text_of(reason)} ({detail})" if detail else text_of(reason))
        self.reason = reason
