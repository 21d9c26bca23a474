/*
 * cores: see cores.h, and px_cpu_count of cpu.h. How many processors this process may use: what its
 * affinity allows, which of those share a core, and how much time its control group grants.
 * Sources: Linux kernel documentation, cgroup-v2 (cpu.max), sched-bwc (cfs_quota_us), cputopology.
 */
#include "base/cores.h"

#include "base/cpu.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#endif

/* Reads a small file as text into out[n], whole or cut. False when it cannot be read. */
static bool read_text(const char *path, char *out, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t got = 0;
    ssize_t more = 1;
    while (more > 0 && got < n - 1) {
        more = read(fd, out + got, n - 1 - got);
        if (more > 0)
            got += (size_t)more;
    }
    close(fd);
    out[got] = '\0';
    return more >= 0;
}

/* ---- cores */

/* The lowest processor that shares a core with this one. */
static int first_sibling(const char *root, int cpu)
{
    char path[PATH_MAX], text[256];
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             root, cpu);
    if (!read_text(path, text, sizeof text))
        return cpu;
    char *end;
    long first = strtol(text, &end, 10);
    return end != text && first >= 0 && first < PX_CORES_MAX ? (int)first : cpu;
}

/* Adds the processors of a list such as "0-7,16" to the set, as far as it can be read. */
static void add_list(const char *list, px_cores_set *set)
{
    char *end;
    for (;; list = end + 1) {
        long first = strtol(list, &end, 10), last = first;
        if (end == list || first < 0)
            return;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        for (long cpu = first; cpu <= last && cpu < PX_CORES_MAX; cpu++)
            px_cores_add(set, (int)cpu);
        if (*end != ',')
            return;
    }
}

/* Where the machine has fast and slow cores (Linux names the fast ones of x86), the fast ones of
 * those that are allowed: a step ends when its slowest thread does. All, when none is allowed. */
static px_cores_set fast_cores(const char *root, const px_cores_set *allowed)
{
    char path[PATH_MAX], text[1024];
    px_cores_set fast = {0}, both = {0};
    bool any = false;
    snprintf(path, sizeof path, "%s/sys/devices/cpu_core/cpus", root);
    if (!read_text(path, text, sizeof text))
        return *allowed;
    add_list(text, &fast);
    for (size_t i = 0; i < sizeof both.bits; i++) {
        both.bits[i] = fast.bits[i] & allowed->bits[i];
        any = any || both.bits[i];
    }
    return any ? both : *allowed;
}

int px_cores_physical(const char *root, const px_cores_set *allowed)
{
    px_cores_set seen = {0}, fast = fast_cores(root, allowed);
    int n = 0;
    for (int cpu = 0; cpu < PX_CORES_MAX; cpu++) {
        if (!px_cores_has(&fast, cpu))
            continue;
        int first = first_sibling(root, cpu);
        if (!px_cores_has(&seen, first))
            n++;
        px_cores_add(&seen, first);
    }
    return n;
}

/* ---- quota */

/* quota / period rounded up, as far as it fits an int; 0 for none. */
static int quota_cores(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long n = quota / period + (quota % period != 0);
    return n < INT_MAX ? (int)n : INT_MAX;
}

static int lower(int a, int b) // of two quotas, where 0 is none
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static int quota_v2(const char *folder)
{
    char path[PATH_MAX + 16], text[64];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    long long quota, period;
    if (!read_text(path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
        return 0; // "max 100000"
    return quota_cores(quota, period);
}

static int quota_v1(const char *folder)
{
    char path[PATH_MAX + 32], text[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_text(path, text, sizeof text))
        return 0;
    long long quota = strtoll(text, NULL, 10); // -1: none
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_text(path, text, sizeof text))
        return 0;
    return quota_cores(quota, strtoll(text, NULL, 10));
}

/* The lowest quota of MOUNT/GROUP and of every folder above it down to MOUNT. Inside a container
 * the group may be named as the host sees it and not exist below the mount: then only the mount
 * itself answers, which is the container's own group. */
static int quota_upward(const char *mount, const char *group, int (*quota)(const char *folder))
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof folder)
        return quota(mount);
    int least = 0;
    size_t root = strlen(mount);
    for (;;) {
        least = lower(least, quota(folder));
        char *slash = strrchr(folder + root, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Whether a version 1 controller list ("cpu,cpuacct") has the name "cpu". */
static bool lists_cpu(const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == 3 && memcmp(list, "cpu", 3) == 0)
            return true;
        list += list[n] ? n + 1 : n;
    }
    return false;
}

/* The quota of one line "ID:CONTROLLERS:GROUP"; version 2 has no controllers there. */
static int quota_of_line(const char *root, const char *controllers, const char *group)
{
    char mount[PATH_MAX], other[PATH_MAX];
    if (!*controllers) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        snprintf(other, sizeof other, "%s/sys/fs/cgroup/unified", root); // beside version 1
        return lower(quota_upward(mount, group, quota_v2), quota_upward(other, group, quota_v2));
    }
    if (!lists_cpu(controllers))
        return 0;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controllers);
    snprintf(other, sizeof other, "%s/sys/fs/cgroup/cpu", root);
    return lower(quota_upward(mount, group, quota_v1), quota_upward(other, group, quota_v1));
}

int px_cores_quota(const char *root)
{
    char path[PATH_MAX], text[8192];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_text(path, text, sizeof text))
        return 0;
    int least = 0;
    char *next;
    for (char *line = text; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        least = lower(least, quota_of_line(root, controllers + 1, group));
    }
    return least;
}

/* ---- both */

#if defined(__linux__)

/* Processors that the affinity of the calling thread allows; false when they cannot be had. */
static bool allowed_cpus(px_cores_set *set)
{
    /* The kernel's mask is as long as the kernel was built for; it fills the first bytes. */
    *set = (px_cores_set){0};
    union {
        cpu_set_t sets[sizeof(px_cores_set) / sizeof(cpu_set_t)];
        px_cores_set set;
    } mask = {0};
    if (sched_getaffinity(0, sizeof mask, mask.sets) != 0)
        return false;
    for (int cpu = 0; cpu < PX_CORES_MAX; cpu++)
        if (CPU_ISSET_S((size_t)cpu, sizeof mask, mask.sets))
            px_cores_add(set, cpu);
    return true;
}

#else

static bool allowed_cpus(px_cores_set *set)
{
    (void)set;
    return false;
}

#endif

px_cpu_cores px_cpu_count(void)
{
    px_cores_set allowed;
    int logical = 0, physical = 0;
    if (allowed_cpus(&allowed)) {
        for (int cpu = 0; cpu < PX_CORES_MAX; cpu++)
            logical += px_cores_has(&allowed, cpu);
        physical = px_cores_physical("", &allowed);
    } else {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        logical = online > 0 && online < PX_CORES_MAX ? (int)online : 1;
        physical = logical;
    }
    int quota = px_cores_quota("");
    logical = lower(logical, quota);
    physical = lower(physical, quota);
    return (px_cpu_cores){.physical = physical > 0 ? physical : 1,
                          .logical = logical > 0 ? logical : 1};
}
