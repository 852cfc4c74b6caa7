"""What a reader must know about a figure: one name and one text for each thing."""

from __future__ import annotations

from enum import StrEnum


class Flag(StrEnum):
    """A circumstance of a whole case. It does not make the figures wrong, but limits their use."""

    BASELINE_ABOVE_LOAD = "baseline_above_load"
    BRIEF_WINDOW = "brief_window"
    CONTENDED = "contended"
    DUPLICATE_KEY = "duplicate_key"
    ESTIMATED = "estimated"
    FAILED_OUTSIDE = "failed_outside"
    GRAPHICS_PROCESS = "graphics_process"
    IDLE_DRIFT = "idle_drift"
    MEMORY_LEFT = "memory_left"
    NO_ENERGY = "no_energy"
    NOT_AS_ASKED = "not_as_asked"
    MISSED_SCHEDULE = "missed_schedule"
    NOT_COOLED = "not_cooled"
    OTHER_SIDE_BUSY = "other_side_busy"
    OVERLOADED = "overloaded"
    POLLING_SENSITIVE = "polling_sensitive"
    PREFLIGHT = "preflight"
    REMOTE_SERVER = "remote_server"
    SERIES_GAPS = "series_gaps"
    SERVER_NOT_SEEN = "server_not_seen"
    SHARED_HOST = "shared_host"
    SHORTENED = "shortened"
    SHORT_WINDOW = "short_window"
    SIMULATED = "simulated"
    SINGLE_ROUND = "single_round"
    SOME_FAILED = "some_failed"
    TEMPERATURE_SPREAD = "temperature_spread"
    TOKENS_TOGETHER = "tokens_together"
    UNSTEADY = "unsteady"
    USER_SCOPE = "user_scope"
    WHOLE_BOARD = "whole_board"
    WINDOW_BELOW_LATENCY = "window_below_latency"


class Reason(StrEnum):
    """Why a figure is unknown, or a round, and with it its case, not to be trusted."""

    BOARD_LIMIT = "board_limit"
    BUSY_AT_REST = "busy_at_rest"
    COUNTER_DISAGREES = "counter_disagrees"
    COUNTER_RESET = "counter_reset"
    COUNTER_STILL = "counter_still"
    FOREIGN_PROCESS = "foreign_process"
    GPU_LOST = "gpu_lost"
    HARDWARE_SLOWDOWN = "hardware_slowdown"
    METER_SILENT = "meter_silent"
    MIG = "mig"
    NO_COUNTER = "no_counter"
    NO_DRIVER = "no_driver"
    NO_PERMISSION = "no_permission"
    NO_REQUESTS = "no_requests"
    NO_TICK = "no_tick"
    POWER_BRAKE = "power_brake"
    POWER_TOO_HIGH = "power_too_high"
    POWER_TOO_LOW = "power_too_low"
    RELIABILITY = "reliability"
    REQUESTS_FAILED = "requests_failed"
    THERMAL_SLOWDOWN = "thermal_slowdown"
    TOKEN_COUNT = "token_count"  # noqa: S105 - a count of tokens
    UNKNOWN_GPU = "unknown_gpu"
    VGPU = "vgpu"
    WRAPPED = "wrapped"


_TEXTS: dict[str, str] = {
    Flag.BASELINE_ABOVE_LOAD: "the idle power was above that of the work, so net energy is "
    "negative; let the device come to rest before the case (--lem-gap)",
    Flag.BRIEF_WINDOW: "a window was shorter than 5 s or 50 ticks of the counter, too short to "
    "fail or pass a gate; raise min_window",
    Flag.CONTENDED: "other tests may have run at the same time and be in the figures; run energy "
    "tests with -n 0, or without the outer test that holds the lock",
    Flag.DUPLICATE_KEY: "another test of this run measured the same case; change one of them or "
    "give its workload another name",
    Flag.ESTIMATED: "energy is an estimate from CPU time, not a measurement",
    Flag.FAILED_OUTSIDE: "requests failed that were due before a window opened or after it closed; "
    "they count in no figure, but the server was in trouble (its log may say why)",
    Flag.GRAPHICS_PROCESS: "a desktop or another graphics process was on the GPU before the work "
    "began; it was idle, but a headless machine measures better",
    Flag.IDLE_DRIFT: "idle power differed by more than 2 W and 3 % before and after the rounds, so "
    "net energy is doubtful; keep the machine to yourself",
    Flag.MEMORY_LEFT: "memory of a GPU did not come back after a host had ended; the warnings of "
    "the record say which case left it",
    Flag.NO_ENERGY: "energy is unknown here; time and tokens are measured",
    Flag.NOT_AS_ASKED: "the engine runs with other settings than were asked for; the warnings of "
    "the record say which (`strict: true` makes it an error)",
    Flag.MISSED_SCHEDULE: "more than one request in a hundred was sent over 10 ms after it was "
    "due, so the traffic was not quite as asked for (latencies count from when it was due); give "
    "the load generator a CPU to itself, or raise traffic.max_concurrency where it is set",
    Flag.NOT_COOLED: "the device did not cool down to measure.cooldown_c in time, or does not tell "
    "its temperature; raise measure.cooldown_max_s or the temperature, or take --lem-gap",
    Flag.OTHER_SIDE_BUSY: "the host of the other side was at work meanwhile, and is in "
    "its figures; load one side at a time (pair.together: false)",
    Flag.OVERLOADED: "requests came faster than they were answered, so the backlog grew and the "
    "latencies depend on how long was measured; lower traffic.rate",
    Flag.POLLING_SENSITIVE: "reading this GPU's counter changes what it shows, or whether it does "
    "was not tested (energy.observer_s), so its ticks are not searched for and the uncertainty is "
    "wider",
    Flag.PREFLIGHT: "there was a doubt before the model was loaded (memory, /dev/shm, another "
    "process on the GPU); the warnings of the record say which",
    Flag.REMOTE_SERVER: "the server is on another machine, whose energy cannot be read from here; "
    "time and tokens are measured",
    Flag.SERIES_GAPS: "the sampling process was late now and then; the series has gaps",
    Flag.SERVER_NOT_SEEN: "the processes of the server are not seen here (another user's, or in a "
    "container), so its energy is unknown; let the harness start it (backends.openai.command)",
    Flag.SHARED_HOST: "the GPUs were the test's alone, but figures of CPU and memory beside them "
    "may contain other tests; run with -n 0 for those",
    Flag.SHORTENED: "a preset below `standard` shortens the method; good for a look, not for gates",
    Flag.SHORT_WINDOW: "a window was shorter than 1 s or 10 ticks of the counter, too short for "
    "the sensors; raise min_window",
    Flag.SIMULATED: "energy comes from the simulated meter and stands for nothing real",
    Flag.SINGLE_ROUND: "one round says nothing about scatter; raise the number of rounds",
    Flag.SOME_FAILED: "some requests failed; their tokens do not count, and their energy does",
    Flag.TEMPERATURE_SPREAD: "rounds began at temperatures more than 3 °C apart; let the warm-up "
    "last longer",
    Flag.TOKENS_TOGETHER: "the server sent several tokens in one piece, so ITL is between pieces",
    Flag.UNSTEADY: "the warm-up ended before the figures were steady; raise measure.warmup_max_s",
    Flag.USER_SCOPE: "the machine-wide lock belongs to another user, so only this user's tests "
    "were kept apart; let LEM_LOCK_DIR name a folder that both can write",
    Flag.WHOLE_BOARD: "the GPU is split (MIG) and the figure is that of the whole board, which you "
    "asserted to be yours alone (energy.own_board)",
    Flag.WINDOW_BELOW_LATENCY: "a window was shorter than half of its requests took, so chance "
    "decides how many end in it; raise min_window",
    Reason.BOARD_LIMIT: "the GPU was slowed down by a limit of its board",
    Reason.BUSY_AT_REST: "the GPU was in use while nothing was asked of it, so somebody else's "
    "work is in its energy, whether the driver shows the process or not; run when it is free",
    Reason.COUNTER_DISAGREES: "the energy counter and the integral of the sampled power differ by "
    "more than 5 %; one of the two is wrong on this board",
    Reason.COUNTER_RESET: "the energy counter went backwards; the driver was loaded anew in the "
    "middle (switch the persistence mode on)",
    Reason.COUNTER_STILL: "the energy counter stood still while work was done; update the driver, "
    "or measure on another board",
    Reason.FOREIGN_PROCESS: "another process was on the GPU and is in its energy; run when the "
    "board is free",
    Reason.GPU_LOST: "the GPU fell off the bus or must be reset; look into the kernel's log",
    Reason.HARDWARE_SLOWDOWN: "the hardware slowed the GPU down (temperature, power supply or "
    "brake); check cooling and cables",
    Reason.METER_SILENT: "a meter gave no value although work was done",
    Reason.MIG: "the GPU is split (MIG) and has one counter for the whole board; set "
    "energy.own_board to true if nobody else is on it",
    Reason.NO_COUNTER: "this GPU has no energy counter; boards from Volta on have one",
    Reason.NO_DRIVER: "there is no NVIDIA driver; install it, or hand the GPU through to the "
    "container",
    Reason.NO_PERMISSION: "this user may not read the counter; `lem doctor` says how to allow it",
    Reason.NO_REQUESTS: "no request was due in a window; raise traffic.rate or min_window",
    Reason.NO_TICK: "the energy counter did not advance while its next tick was waited for",
    Reason.POWER_BRAKE: "an external power brake slowed the GPU down; check the power supply",
    Reason.POWER_TOO_HIGH: "the energy would mean more power than the limit of the device allows; "
    "the counter is wrong, or its reading is disturbed",
    Reason.POWER_TOO_LOW: "the energy would mean less than half of the idle power; the counter "
    "missed a part",
    Reason.RELIABILITY: "the GPU was slowed down to keep its voltage reliable",
    Reason.REQUESTS_FAILED: "more requests failed than traffic.most_failed allows",
    Reason.THERMAL_SLOWDOWN: "the GPU was slowed down because it was hot; improve its cooling, or "
    "let it cool down before (--lem-gap, measure.cooldown_c)",
    Reason.TOKEN_COUNT: "the tokens that the backend reports, returns and was asked for differ",
    Reason.UNKNOWN_GPU: "the driver knows no GPU of that name; is it handed through to this "
    "container?",
    Reason.VGPU: "this is a virtual GPU, and its host does not let it read energy; measure on the "
    "host or on a passed-through board",
    Reason.WRAPPED: "the counter may have gone round more than once in the window, or its range is "
    "unknown; shorten the window",
}


def text_of(word: str) -> str:
    """Return the text of a flag or reason; one of a later release stands by itself."""
    return _TEXTS.get(word, word)


def explained(word: str) -> str:
    """Return a flag or reason with its text; one of a later release stands by itself."""
    return f"{word}: {_TEXTS[word]}" if word in _TEXTS else word
