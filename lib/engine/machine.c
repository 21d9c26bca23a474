/*
 * machine: what this computer has, and the kernel table as a list. Reads files of /proc and /sys.
 * Threads: every function touches only its arguments.
 */
#include "engine/engine.h"
#include "engine/options.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, TEXT_BYTES = 16384 };

/* The beginning of a small file of the system, zero-terminated; empty when it cannot be read. */
static void read_small(const char *root, const char *path, char text[TEXT_BYTES])
{
    char full[PATH_BYTES];
    text[0] = '\0';
    int n = snprintf(full, sizeof full, "%s%s", root, path);
    int fd = n < 0 || n >= PATH_BYTES ? -1 : open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    size_t at = 0;
    while (at < TEXT_BYTES - 1) {
        ssize_t got = read(fd, text + at, TEXT_BYTES - 1 - at);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    text[at] = '\0';
    close(fd);
}

/* The number behind a name in "name   number kB" lines, in bytes; 0 when absent. */
static uint64_t meminfo(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    uint64_t kib = 0;
    if (at)
        sscanf(at + strlen(name), "%" SCNu64, &kib);
    return kib <= UINT64_MAX / 1024 ? kib * 1024 : 0;
}

/* The number that a file holds; false for "max" and for a file that is not there. */
static bool number_in(const char *root, const char *folder, const char *name, uint64_t *out)
{
    char path[PATH_BYTES], text[TEXT_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || n >= PATH_BYTES)
        return false;
    read_small(root, path, text);
    return sscanf(text, "%" SCNu64, out) == 1;
}

typedef struct group_files {
    const char *mount, *limit, *used, *stat, *reclaimable;
} group_files;

static const group_files version_2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                                      "memory.stat", "inactive_file "};
static const group_files version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                      "memory.usage_in_bytes", "memory.stat",
                                      "total_inactive_file "};

/* Bytes of the page cache that a group would give up first: they are not really used. */
static uint64_t reclaimable(const char *root, const char *folder, const group_files *files)
{
    char path[PATH_BYTES], text[TEXT_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", folder, files->stat);
    if (n < 0 || n >= PATH_BYTES)
        return 0;
    read_small(root, path, text);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        uint64_t bytes;
        if (strncmp(line, files->reclaimable, strlen(files->reclaimable)) == 0 &&
            sscanf(line + strlen(files->reclaimable), "%" SCNu64, &bytes) == 1)
            return bytes;
    }
    return 0;
}

/* Lowers the numbers to what the group at mount/path and those above it allow. */
static void apply_group(const char *root, const group_files *files, const char *path,
                        uint64_t *total, uint64_t *available)
{
    char folder[PATH_BYTES];
    int n = snprintf(folder, sizeof folder, "%s%s", files->mount, strcmp(path, "/") ? path : "");
    if (n < 0 || n >= PATH_BYTES)
        return;
    size_t least = strlen(files->mount);
    for (;;) {
        uint64_t limit, used;
        if (number_in(root, folder, files->limit, &limit) && (*total == 0 || limit < *total))
            *total = limit;
        if (number_in(root, folder, files->limit, &limit) &&
            number_in(root, folder, files->used, &used)) {
            uint64_t cache = reclaimable(root, folder, files);
            used -= cache < used ? cache : used;
            uint64_t left = used < limit ? limit - used : 0;
            if (left < *available)
                *available = left;
        }
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < least)
            return;
        *slash = '\0';
    }
}

void px_machine_memory(const char *root, uint64_t *total, uint64_t *available)
{
    char text[TEXT_BYTES];
    read_small(root, "/proc/meminfo", text);
    *total = meminfo(text, "MemTotal:");
    *available = meminfo(text, "MemAvailable:");
    read_small(root, "/proc/self/cgroup", text);
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        char *path = strrchr(line, ':');
        if (path && path[1] == '/') {
            if (strncmp(line, "0::", 3) == 0)
                apply_group(root, &version_2, path + 1, total, available);
            else if (strstr(line, ":memory:") || strstr(line, ",memory:"))
                apply_group(root, &version_1, path + 1, total, available);
        }
        line = end ? end + 1 : line + strlen(line);
    }
}

pith_status pith_machine_get(pith_machine *out, pith_error *err)
{
    px_error_clear(err);
    if (!out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_machine_get: out is NULL");
    pith_machine machine = {.level = px_cpu_name(px_cpu_detect())};
    px_cpu_model(machine.cpu, sizeof machine.cpu);
    px_cpu_cores cores = px_cpu_count();
    machine.physical_cores = cores.physical;
    machine.logical_cores = cores.logical;
    px_machine_memory("", &machine.memory_bytes, &machine.memory_free);
    return px_options_write(out, "pith_machine", &machine, sizeof machine, err);
}

pith_status pith_kernel_get(const char *cpu, int32_t i, pith_kernel *out, pith_error *err)
{
    px_error_clear(err);
    if (!out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_kernel_get: out is NULL");
    px_cpu_level level;
    px_kern kern;
    px_kern_row row;
    pith_status st = px_engine_level(cpu, &level, err);
    if (st == PITH_OK)
        st = px_kern_fill(&kern, level, err);
    if (st != PITH_OK)
        return st;
    if (i < 0 || !px_kern_row_at(&kern, i, &row))
        return px_fail(err, PITH_E_NOT_FOUND, "the kernel table has no row %d", i);
    *out = (pith_kernel){.op = row.op, .detail = row.detail, .level = px_cpu_name(row.level)};
    return PITH_OK;
}

const char *pith_cpu_level(int32_t i, bool *runs)
{
    if (i < 0 || i >= PX_CPU_N)
        return NULL;
    if (runs)
        *runs = px_cpu_runs((px_cpu_level)i, px_cpu_detect());
    return px_cpu_name((px_cpu_level)i);
}
