/* The file that NVML_STANDIN names, and what its boards show at a time.

   standin.py writes the file and has the same layout. Times are nanoseconds of CLOCK_MONOTONIC. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { BOARDS = 8, CHANGES = 4096, SLICES = 7, PROCESSES = 32, UNSUPPORTED = 16, FAULTS = 64 };
enum { TEXT = 96, WHOLE = -1, LIBRARY = -1 };

static const int64_t SECOND_NS = 1000000000;
/* How often a board makes a new figure of its power, and over how long (SC'24, GH100). */
static const int64_t POWER_REFRESH_NS = 100000000, AVERAGE_NS = 1000000000, INSTANT_NS = 25000000;

typedef struct {
    int64_t from_ns;
    uint64_t value;
} Change;

/* A value over time: that of a change holds until the next one, that of the first also before. */
typedef struct {
    _Atomic uint64_t count;
    Change changes[CHANGES];
} Series;

/* Readings of the counter: all; and, with the number of the tick that is shown in the upper half,
   those before that tick. */
typedef struct {
    _Atomic uint64_t all, shown;
} Readings;

typedef struct {
    uint64_t memory_bytes;
    uint32_t pid, kind; /* pid 0: a free place */
    int64_t slice;      /* WHOLE: not in a slice */
} Process;

typedef struct {
    int64_t board, code, from_ns; /* board LIBRARY: of a function that takes no board */
    char function[TEXT];
} Fault;

typedef struct {
    char uuid[TEXT], name[TEXT], vbios[TEXT], slices[SLICES][TEXT];
    /* The numbers of standin.Board, in its order. */
    double tick_s, phase_s, gain, share, disturbance_mj, offset_mj;
    double power_limit_w, temperature_c, sm_mhz, memory_mhz, max_sm_mhz, max_memory_mhz;
    double busy_percent, memory_busy_percent, memory_total_bytes, memory_used_bytes;
    double persistence_mode, ecc_mode, mig_mode, virtualization_mode, architecture;
    double supported_reasons, capability_major, capability_minor;
    int64_t reset_ns;
    uint64_t unsupported[UNSUPPORTED];
    Series power_mw, reasons;
    Readings readings[2]; /* before the reset of the counter, and after it */
    Process processes[PROCESSES];
} Board;

typedef struct {
    int64_t start_ns, frozen_ns; /* frozen_ns 0: the clock runs */
    uint64_t boards, cuda;
    char driver[TEXT];
    _Atomic uint64_t faults;
    Fault fault[FAULTS];
    Board board[BOARDS];
} State;

static State *state;

static int64_t now_ns(void)
{
    if (state->frozen_ns)
        return state->frozen_ns;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int64_t in_ns(double time_s) { return (int64_t)(time_s * 1e9 + (time_s < 0 ? -0.5 : 0.5)); }

/* The last of the times phase + k * period that has been reached. */
static int64_t boundary(const Board *board, int64_t time_ns, int64_t period_ns)
{
    int64_t passed_ns = (time_ns - in_ns(board->phase_s)) % period_ns;
    return time_ns - passed_ns - (passed_ns < 0 ? period_ns : 0);
}

static uint64_t reasons_now(const Board *board)
{
    const Series *reasons = &board->reasons;
    uint64_t last = reasons->count - 1;
    while (last > 0 && reasons->changes[last].from_ns > now_ns())
        last--;
    return reasons->changes[last].value;
}

/* Narrow a time down to the part in which change number i holds; false when nothing is left. */
static bool narrow(const Series *series, uint64_t i, int64_t *from_ns, int64_t *to_ns)
{
    if (i > 0 && series->changes[i].from_ns > *from_ns)
        *from_ns = series->changes[i].from_ns;
    if (i + 1 < series->count && series->changes[i + 1].from_ns < *to_ns)
        *to_ns = series->changes[i + 1].from_ns;
    return *from_ns < *to_ns;
}

/* The time since the start as a sensor counts it that sees only the first `share` of each tick,
   and lets it stand for the whole tick. */
static double seen_ns(const Board *board, int64_t time_ns, double share)
{
    int64_t tick_ns = in_ns(board->tick_s), from_ns = boundary(board, time_ns, tick_ns);
    double within_ns = (double)(time_ns - from_ns) / share;
    return (double)(from_ns - state->start_ns)
           + (within_ns < (double)tick_ns ? within_ns : (double)tick_ns);
}

static double energy_mj(const Board *board, int64_t from_ns, int64_t to_ns, double share)
{
    const Series *power = &board->power_mw;
    double sum = 0;
    for (uint64_t i = 0; i < power->count; i++) {
        int64_t start_ns = from_ns, end_ns = to_ns;
        if (narrow(power, i, &start_ns, &end_ns))
            sum += (double)power->changes[i].value
                   * (seen_ns(board, end_ns, share) - seen_ns(board, start_ns, share));
    }
    return sum / 1e9;
}

static double mean_power_mw(const Board *board, int64_t window_ns)
{
    int64_t to_ns = boundary(board, now_ns(), POWER_REFRESH_NS);
    return energy_mj(board, to_ns - window_ns, to_ns, 1.0) * 1e9 / (double)window_ns;
}

/* Count a reading; return how many earlier ones disturb what is shown. Those since the last tick
   show with the next one, as all energy does. */
static uint64_t count_reading(Readings *readings, uint64_t tick_number)
{
    uint64_t earlier = atomic_fetch_add(&readings->all, 1);
    uint64_t shown = readings->shown, fresh = tick_number << 32 | (uint32_t)earlier;
    while (shown >> 32 < tick_number)
        if (atomic_compare_exchange_weak(&readings->shown, &shown, fresh))
            shown = fresh;
    return (uint32_t)shown;
}

static uint64_t counter_mj(Board *board)
{
    int64_t time_ns = now_ns(), tick_ns = in_ns(board->tick_s);
    int64_t shown_ns = boundary(board, time_ns, tick_ns);
    bool is_reset = time_ns >= board->reset_ns;
    int64_t origin_ns = is_reset ? board->reset_ns : state->start_ns;
    int64_t tick_number = shown_ns > state->start_ns ? (shown_ns - state->start_ns) / tick_ns : 0;
    uint64_t readings = count_reading(&board->readings[is_reset], (uint64_t)tick_number);
    return (uint64_t)((is_reset ? 0 : board->offset_mj)
                      + board->gain * energy_mj(board, origin_ns, shown_ns, board->share)
                      + board->disturbance_mj * (double)readings);
}

/* For how long, since the start, at least one of the bits was set. */
static uint64_t throttled_ns(const Board *board, uint64_t bits)
{
    const Series *reasons = &board->reasons;
    int64_t sum_ns = 0, time_ns = now_ns();
    for (uint64_t i = 0; i < reasons->count; i++) {
        int64_t start_ns = state->start_ns, end_ns = time_ns;
        if (reasons->changes[i].value & bits && narrow(reasons, i, &start_ns, &end_ns))
            sum_ns += end_ns - start_ns;
    }
    return (uint64_t)sum_ns;
}
