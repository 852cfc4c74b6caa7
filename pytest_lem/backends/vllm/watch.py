"""The end of vLLM's core, told to whoever waits for its answer."""

from __future__ import annotations

import threading
from multiprocessing import connection
from typing import Any


def watch(client: Any) -> None:
    """Let calls of a `SyncMPClient` raise `EngineDeadError` once a process of the core has ended.

    vLLM 0.32 ends the thread that listens to a killed core without a word to the caller, who then
    waits for ever.
    """
    from vllm.v1.engine.exceptions import EngineDeadError

    sentinels = client.resources.engine_manager.sentinels()
    # Not the client itself: vLLM closes it when the last reference to it is gone.
    resources, outputs, calls = client.resources, client.outputs_queue, client.utility_results

    def wait() -> None:
        connection.wait(sentinels)
        resources.engine_dead = True  # refuses calls from now on
        outputs.put(EngineDeadError())
        for future in list(calls.values()):
            if not future.done():
                future.set_exception(EngineDeadError())

    threading.Thread(target=wait, name="lem-core-watch", daemon=True).start()
