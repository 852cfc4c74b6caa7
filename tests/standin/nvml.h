/* The codes and structures of NVML that the stand-in needs, as nvidia-ml-py lays them out. */

#include <stdint.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    LIBRARY_MISMATCH = 18,
    VERSION_MISMATCH = 25,
};

struct ProcessInfo {
    uint32_t pid;
    uint64_t memory_bytes;
    uint32_t gpu_instance, compute_instance; /* all bits set: the board is not split */
};

struct Utilization {
    uint32_t gpu, memory;
};

struct Memory {
    uint64_t total, free, used;
};

struct Memory2 {
    uint32_t version;
    uint64_t total, reserved, free, used;
};

struct Temperature {
    uint32_t version, sensor;
    int32_t temperature_c;
};

struct FieldValue {
    uint32_t field, scope;
    int64_t timestamp_us, latency_us;
    uint32_t type, code; /* type 1: number, 3: wide */
    union {
        uint32_t number;
        uint64_t wide;
    } value;
};
