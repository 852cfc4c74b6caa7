/* A stand-in for the NVIDIA driver's libnvidia-ml.so.1, for tests through the real bindings.

   Every process that loads it maps the same file, so all see the same boards; the library itself
   remembers only its sessions. Functions bear the names that nvidia-ml-py calls. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board.h"
#include "nvml.h"

static atomic_int sessions;

size_t standin_size(void) { return sizeof(State); }

/* ---- What each function does first: look for its board, and for a fault. ---- */

/* A fault is for a function, whatever its version, or for all functions of a board. */
static bool is_meant(const char *name, const char *symbol)
{
    size_t length = strlen(name);
    if (strcmp(name, "*") == 0)
        return true;
    return strncmp(name, symbol, length) == 0
           && (symbol[length] == '\0' || strncmp(symbol + length, "_v", 2) == 0);
}

/* The newest fault that applies decides; one with code 0 ends those before it. */
static int fault_of(int board, const char *symbol)
{
    for (uint64_t i = state->faults; i-- > 0;) {
        const Fault *fault = &state->fault[i];
        if (fault->board == board && fault->from_ns <= now_ns()
            && is_meant(fault->function, symbol))
            return (int)fault->code;
    }
    return SUCCESS;
}

/* To callers a handle is opaque. It is 1 + board * 8 + slice + 1, and so never null. */
typedef void *Device;

typedef struct {
    Board *board;
    int index, slice; /* slice WHOLE: the board itself */
} Place;

static Device handle_of(int index, int slice)
{
    return (Device)(uintptr_t)(1 + index * (SLICES + 1) + slice + 1);
}

static int find_library(const char *symbol)
{
    return sessions < 1 ? UNINITIALIZED : fault_of(LIBRARY, symbol);
}

static int find_device(Device device, const char *symbol, Place *place)
{
    if (sessions < 1)
        return UNINITIALIZED;
    uintptr_t number = (uintptr_t)device - 1;
    if (!device || number >= state->boards * (SLICES + 1))
        return INVALID_ARGUMENT;
    place->index = (int)(number / (SLICES + 1));
    place->slice = (int)(number % (SLICES + 1)) - 1;
    place->board = &state->board[place->index];
    return fault_of(place->index, symbol);
}

static int find_board(Device device, const char *symbol, Place *place)
{
    int code = find_device(device, symbol, place);
    return code == SUCCESS && place->slice != WHOLE ? NOT_SUPPORTED : code;
}

/* The beginning of a function: the place of its handle, or why there is none. */
#define ENTER(find)                               \
    Place place;                                  \
    {                                             \
        int code = find(device, __func__, &place); \
        if (code != SUCCESS)                      \
            return code;                          \
    }                                             \
    Board *board = place.board;                   \
    (void)board
#define ENTER_LIBRARY                             \
    {                                             \
        int code = find_library(__func__);        \
        if (code != SUCCESS)                      \
            return code;                          \
    }

static int give_text(char *out, unsigned size, const char *text)
{
    if (strlen(text) >= size)
        return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

/* ---- The library. ---- */

static int map_state(void)
{
    const char *path = getenv("NVML_STANDIN");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return DRIVER_NOT_LOADED;
    struct stat facts;
    bool fits = fstat(file, &facts) == 0 && facts.st_size == (off_t)sizeof(State);
    void *memory = MAP_FAILED;
    if (fits)
        memory = mmap(NULL, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return LIBRARY_MISMATCH;
    state = memory;
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    int code = sessions > 0 ? SUCCESS : map_state();
    if (code == SUCCESS)
        code = fault_of(LIBRARY, __func__);
    if (code == SUCCESS)
        sessions++;
    return code;
}

int nvmlShutdown(void)
{
    ENTER_LIBRARY
    sessions--; /* the file stays mapped for threads that have not heard of it */
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    (void)code;
    return "an error of the stand-in";
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    ENTER_LIBRARY
    return give_text(out, size, state->driver);
}

int nvmlSystemGetCudaDriverVersion_v2(int *out)
{
    ENTER_LIBRARY
    *out = (int)state->cuda;
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion(int *out) { return nvmlSystemGetCudaDriverVersion_v2(out); }

int nvmlDeviceGetCount_v2(unsigned *out)
{
    ENTER_LIBRARY
    *out = (unsigned)state->boards;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *out)
{
    ENTER_LIBRARY
    if (index >= state->boards)
        return INVALID_ARGUMENT;
    *out = handle_of((int)index, WHOLE);
    return fault_of((int)index, __func__);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device *out)
{
    ENTER_LIBRARY
    for (int index = 0; index < (int)state->boards; index++) {
        const Board *board = &state->board[index];
        for (int slice = WHOLE; slice < (board->mig_mode ? SLICES : 0); slice++) {
            const char *own = slice == WHOLE ? board->uuid : board->slices[slice];
            if (*own && strcmp(uuid, own) == 0) {
                *out = handle_of(index, slice);
                return fault_of(index, __func__);
            }
        }
    }
    return NOT_FOUND;
}

/* ---- What boards and their MIG slices have in common. ---- */

int nvmlDeviceGetUUID(Device device, char *out, unsigned size)
{
    ENTER(find_device);
    return give_text(out, size, place.slice == WHOLE ? board->uuid : board->slices[place.slice]);
}

int nvmlDeviceGetName(Device device, char *out, unsigned size)
{
    ENTER(find_device);
    return give_text(out, size, board->name);
}

static int give_processes(const Board *board, int slice, unsigned kind, unsigned *count,
                          struct ProcessInfo *out)
{
    unsigned room = *count;
    *count = 0;
    for (int i = 0; i < PROCESSES; i++) {
        const Process *one = &board->processes[i];
        if (!one->pid || one->kind != kind || (slice != WHOLE && one->slice != slice))
            continue;
        uint32_t compute_instance = one->slice == WHOLE ? (uint32_t)WHOLE : 0;
        if (*count < room)
            out[*count] = (struct ProcessInfo){one->pid, one->memory_bytes, (uint32_t)one->slice,
                                        compute_instance};
        ++*count;
    }
    return *count <= room ? SUCCESS : INSUFFICIENT_SIZE;
}

/* A kind of process is its number in NVML_PROCESS_MODE. */
#define GIVES_PROCESSES(symbol, kind)                                    \
    int symbol(Device device, unsigned *count, struct ProcessInfo *out)         \
    {                                                                    \
        ENTER(find_device);                                                       \
        return give_processes(board, place.slice, kind, count, out);     \
    }

GIVES_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, 0)
GIVES_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, 1)
GIVES_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, 2)

int nvmlDeviceGetMigDeviceHandleByIndex(Device device, unsigned index, Device *out)
{
    ENTER(find_board);
    if (!board->mig_mode)
        return NOT_SUPPORTED;
    if (index >= SLICES || !*board->slices[index])
        return NOT_FOUND;
    *out = handle_of(place.index, (int)index);
    return SUCCESS;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Device device, Device *out)
{
    ENTER(find_device);
    *out = handle_of(place.index, WHOLE);
    return place.slice == WHOLE ? INVALID_ARGUMENT : SUCCESS;
}

/* ---- Values. ---- */

#define GIVES(symbol, type, value, find)   \
    int symbol(Device device, type *out)   \
    {                                      \
        ENTER(find);                       \
        *out = (type)(value);              \
        return SUCCESS;                    \
    }
/* A mode, and the mode after the next start: the same. */
#define GIVES_MODE(symbol, value)                                    \
    int symbol(Device device, unsigned *current, unsigned *pending)  \
    {                                                                \
        ENTER(find_board);                                           \
        *current = *pending = (unsigned)(value);                     \
        return SUCCESS;                                              \
    }

GIVES(nvmlDeviceGetIndex, unsigned, place.slice == WHOLE ? place.index : place.slice, find_device)
GIVES(nvmlDeviceIsMigDeviceHandle, unsigned, place.slice != WHOLE, find_device)
GIVES(nvmlDeviceGetTotalEnergyConsumption, uint64_t, counter_mj(board), find_board)
GIVES(nvmlDeviceGetPowerUsage, unsigned, mean_power_mw(board, AVERAGE_NS) + 0.5, find_board)
GIVES(nvmlDeviceGetEnforcedPowerLimit, unsigned, board->power_limit_w * 1000, find_board)
GIVES(nvmlDeviceGetPowerManagementLimit, unsigned, board->power_limit_w * 1000, find_board)
GIVES(nvmlDeviceGetPersistenceMode, unsigned, board->persistence_mode, find_board)
GIVES(nvmlDeviceGetVirtualizationMode, unsigned, board->virtualization_mode, find_board)
GIVES(nvmlDeviceGetArchitecture, unsigned, board->architecture, find_board)
GIVES(nvmlDeviceGetMaxMigDeviceCount, unsigned, board->mig_mode ? SLICES : 0, find_board)
GIVES(nvmlDeviceGetSupportedClocksEventReasons, uint64_t, board->supported_reasons, find_board)
GIVES(nvmlDeviceGetCurrentClocksEventReasons, uint64_t, reasons_now(board), find_board)
GIVES(nvmlDeviceGetCurrentClocksThrottleReasons, uint64_t, reasons_now(board), find_board)
GIVES_MODE(nvmlDeviceGetEccMode, board->ecc_mode)
GIVES_MODE(nvmlDeviceGetMigMode, board->mig_mode)

int nvmlDeviceGetVbiosVersion(Device device, char *out, unsigned size)
{
    ENTER(find_board);
    return give_text(out, size, board->vbios);
}

int nvmlDeviceGetUtilizationRates(Device device, struct Utilization *out)
{
    ENTER(find_board);
    out->gpu = (unsigned)board->busy_percent;
    out->memory = (unsigned)board->memory_busy_percent;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(Device device, struct Memory *out)
{
    ENTER(find_board);
    out->total = (uint64_t)board->memory_total_bytes;
    out->used = (uint64_t)board->memory_used_bytes;
    out->free = out->total - out->used;
    return SUCCESS;
}

/* The version of a structure is its size, with a number in the upper byte. */
int nvmlDeviceGetMemoryInfo_v2(Device device, struct Memory2 *out)
{
    ENTER(find_board);
    if (out->version != (sizeof *out | 2u << 24))
        return VERSION_MISMATCH;
    out->total = (uint64_t)board->memory_total_bytes;
    out->reserved = 0;
    out->used = (uint64_t)board->memory_used_bytes;
    out->free = out->total - out->used;
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(Device device, int *major, int *minor)
{
    ENTER(find_device);
    *major = (int)board->capability_major;
    *minor = (int)board->capability_minor;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device device, unsigned sensor, unsigned *out)
{
    ENTER(find_board);
    *out = (unsigned)board->temperature_c;
    return sensor == 0 ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlDeviceGetTemperatureV(Device device, struct Temperature *out)
{
    ENTER(find_board);
    if (out->version != (sizeof *out | 1u << 24))
        return VERSION_MISMATCH;
    out->temperature_c = (int)board->temperature_c;
    return out->sensor == 0 ? SUCCESS : INVALID_ARGUMENT;
}

/* Types of clocks: 0 graphics, 1 SM (on a board the same), 2 memory. */
static int give_clock(unsigned type, double sm_mhz, double memory_mhz, unsigned *out)
{
    *out = (unsigned)(type == 2 ? memory_mhz : sm_mhz);
    return type <= 2 ? SUCCESS : NOT_SUPPORTED;
}

int nvmlDeviceGetClockInfo(Device device, unsigned type, unsigned *out)
{
    ENTER(find_board);
    return give_clock(type, board->sm_mhz, board->memory_mhz, out);
}

int nvmlDeviceGetMaxClockInfo(Device device, unsigned type, unsigned *out)
{
    ENTER(find_board);
    return give_clock(type, board->max_sm_mhz, board->max_memory_mhz, out);
}

/* ---- Fields. ---- */

/* The event reasons whose time a field adds up. */
static const struct {
    uint32_t field, bits;
} THROTTLING[] = {
    {74, 0x4},  {75, 0x60},  {76, 0x10},  {77, 0x200}, {78, 0x1},
    {79, 0x400}, {269, 0x20}, {270, 0x40}, {271, 0x80},
};

static void give_number(struct FieldValue *out, double value)
{
    out->type = 1;
    out->value.number = (uint32_t)(value + 0.5);
    out->code = SUCCESS;
}

static void give_field(const Board *board, struct FieldValue *out)
{
    out->code = NOT_SUPPORTED;
    for (int i = 0; i < UNSUPPORTED; i++)
        if (board->unsupported[i] == out->field)
            return;
    if (out->field == 185)
        give_number(out, mean_power_mw(board, AVERAGE_NS));
    if (out->field == 186)
        give_number(out, mean_power_mw(board, INSTANT_NS));
    for (size_t i = 0; i < sizeof THROTTLING / sizeof *THROTTLING; i++)
        if (THROTTLING[i].field == out->field) {
            out->type = 3;
            out->value.wide = throttled_ns(board, THROTTLING[i].bits);
            out->code = SUCCESS;
        }
}

int nvmlDeviceGetFieldValues(Device device, int count, struct FieldValue *out)
{
    ENTER(find_board);
    for (int i = 0; i < count; i++)
        give_field(board, &out[i]);
    return SUCCESS;
}
