"""As much of PyTorch as tells which boards there are: those in the variable TRTLLM_BOARDS."""

import os
from types import SimpleNamespace

_BOARDS = os.environ.get("TRTLLM_BOARDS", "").split()

cuda = SimpleNamespace(
    is_available=lambda: True,
    is_initialized=lambda: True,
    device_count=lambda: len(_BOARDS),
    get_device_properties=lambda index: SimpleNamespace(uuid=_BOARDS[index]),
    max_memory_allocated=lambda _: 0,
    reset_peak_memory_stats=lambda _: None,
)
