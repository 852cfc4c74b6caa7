"""The loops that the harness is held against: the bare library, and nothing of pytest-lem.

`python bare.py SETTINGS` with JSON `{backend, model, precision, threads, prompts, batch_size,
output_tokens}`. Every line on standard input is answered with one window: every prompt once, in
batches, `{seconds, token_ids}`. A module `bare_BACKEND` has two functions: `prepare`
returns a callable that runs all batches, `token_ids` takes what it returned.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time


def main() -> None:
    """Answer every line with a window."""
    settings = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print does not mix with the answers
    loop = importlib.import_module(f"bare_{settings['backend']}")
    generate = loop.prepare(settings)
    for _ in sys.stdin:
        gc.collect()
        gc.disable()  # as the host does, so that the difference is none of the collector's
        start_s = time.monotonic()
        outcome = generate()
        seconds = time.monotonic() - start_s
        gc.enable()
        ids = loop.token_ids(outcome)
        print(json.dumps({"seconds": seconds, "token_ids": ids}), file=answers, flush=True)


if __name__ == "__main__":
    main()
