/*
 * cores: the parts of px_cpu_count, each over a root folder so that tests can show them any
 * machine: root is "" on the real one.
 */
#ifndef PX_BASE_CORES_H
#define PX_BASE_CORES_H

#include <stdbool.h>
#include <stddef.h>

/* A set of processors by their numbers. */
enum { PX_CORES_MAX = 8192 };
typedef struct px_cores_set {
    unsigned char bits[PX_CORES_MAX / 8];
} px_cores_set;

static inline bool px_cores_has(const px_cores_set *set, int cpu)
{
    return set->bits[cpu / 8] >> cpu % 8 & 1;
}

static inline void px_cores_add(px_cores_set *set, int cpu)
{
    set->bits[cpu / 8] = (unsigned char)(set->bits[cpu / 8] | 1 << cpu % 8);
}

/* How many of these processors are threads of different cores, by
 * ROOT/sys/devices/system/cpu/cpuN/topology/thread_siblings_list; on hybrid x86 those of the fast
 * cores only (ROOT/sys/devices/cpu_core/cpus), if any is among them. One whose file cannot be read
 * counts as a core of its own. */
int px_cores_physical(const char *root, const px_cores_set *allowed);

/* The processors that the cgroup of this process may use, rounded up; 0 when there is no quota. It
 * is found in ROOT/proc/self/cgroup; version 2 (cpu.max) and version 1 (cpu.cfs_quota_us), of the
 * group itself and of all above it. */
int px_cores_quota(const char *root);

#endif
