/* machine: memory as /proc and control groups say, over folders made up; the kernel table. */
#include "support/support.h"

#include "engine/engine.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static const char *const meminfo = "MemTotal:        8388608 kB\nMemFree:          100 kB\n"
                                   "MemAvailable:    4194304 kB\nBuffers: 3 kB\n";

/* Writes a file of a made-up system, with the folders above it. */
static void put(const char *root, const char *path, const char *text)
{
    char full[1000];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *c = full + strlen(root) + 1; *c; c++)
        if (*c == '/') {
            *c = '\0';
            mkdir(full, 0700);
            *c = '/';
        }
    test_write(full, text, strlen(text));
}

static const char *new_root(const char *name)
{
    const char *root = test_temp(name);
    assert_int_equal(mkdir(root, 0700), 0);
    return root;
}

static void assert_memory(const char *root, uint64_t total, uint64_t available)
{
    uint64_t t, a;
    px_machine_memory(root, &t, &a);
    if (t != total || a != available)
        fail_msg("%s: %llu of %llu, expected %llu of %llu", root, (unsigned long long)a,
                 (unsigned long long)t, (unsigned long long)available, (unsigned long long)total);
}

static void a_machine_without_groups(void **state)
{
    (void)state;
    const char *root = new_root("plain");
    put(root, "/proc/meminfo", meminfo);
    assert_memory(root, 8192 * MIB, 4096 * MIB);
    assert_memory(test_temp("nowhere"), 0, 0);
}

static void groups_of_version_2(void **state)
{
    (void)state;
    const char *root = new_root("v2");
    put(root, "/proc/meminfo", meminfo);
    put(root, "/proc/self/cgroup", "0::/user/work\n");
    put(root, "/sys/fs/cgroup/user/work/memory.max", "max\n");
    assert_memory(root, 8192 * MIB, 4096 * MIB);
    put(root, "/sys/fs/cgroup/user/work/memory.max", "1073741824\n");
    put(root, "/sys/fs/cgroup/user/work/memory.current", "1048576000\n");
    assert_memory(root, 1024 * MIB, 24 * MIB);
    /* Pages of files that would be given up first are free. */
    put(root, "/sys/fs/cgroup/user/work/memory.stat",
        "anon 5\nfile 900000000\nactive_file 4\ninactive_file 1048576000\n");
    assert_memory(root, 1024 * MIB, 1024 * MIB);
    /* What stands above counts too. */
    put(root, "/sys/fs/cgroup/user/memory.max", "536870912\n");
    put(root, "/sys/fs/cgroup/user/memory.current", "600000000\n");
    assert_memory(root, 512 * MIB, 0);
}

static void groups_of_version_1(void **state)
{
    (void)state;
    const char *root = new_root("v1");
    put(root, "/proc/meminfo", meminfo);
    put(root, "/proc/self/cgroup", "5:cpu:/a\n4:blkio,memory:/docker/x\n1:name=systemd:/\n");
    put(root, "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "2147483648\n");
    put(root, "/sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "1073741824\n");
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_memory(root, 2048 * MIB, 1024 * MIB);
}

static void this_machine(void **state)
{
    (void)state;
    pith_machine m = PITH_INIT(pith_machine);
    pith_error err = {0};
    assert_int_equal(pith_machine_get(&m, &err), PITH_OK);
    assert_true(m.memory_bytes > 64 * MIB && m.memory_free <= m.memory_bytes);
    assert_true(m.physical_cores >= 1 && m.logical_cores >= m.physical_cores);
    assert_true(strlen(m.cpu) > 0);
    bool runs, found = false;
    for (int32_t i = 0; pith_cpu_level(i, &runs); i++)
        found |= runs && strcmp(pith_cpu_level(i, NULL), m.level) == 0;
    assert_true(found);
    assert_null(pith_cpu_level(-1, &runs));
    m.size = 0;
    assert_int_equal(pith_machine_get(&m, &err), PITH_E_ARGUMENT);
}

static void kernels_by_row(void **state)
{
    (void)state;
    pith_kernel k;
    pith_error err = {0};
    int32_t n = 0;
    bool mul_q4_k = false;
    while (pith_kernel_get("ref", n, &k, &err) == PITH_OK) {
        assert_string_equal(k.level, "ref");
        mul_q4_k |= strcmp(k.op, "mul") == 0 && strcmp(k.detail, "q4_k") == 0;
        n++;
    }
    assert_int_equal(err.status, PITH_E_NOT_FOUND);
    assert_true(n > 20 && mul_q4_k);
    int32_t best = 0;
    while (pith_kernel_get(NULL, best, &k, NULL) == PITH_OK)
        best++;
    assert_true(best >= n); // kernels for many columns come with higher levels
    assert_int_equal(pith_kernel_get("z80", 0, &k, &err), PITH_E_ARGUMENT);
    assert_int_equal(pith_kernel_get(NULL, -1, &k, &err), PITH_E_NOT_FOUND);
    bool runs;
    for (int32_t i = 0; pith_cpu_level(i, &runs); i++)
        if (!runs)
            assert_int_equal(pith_kernel_get(pith_cpu_level(i, NULL), 0, &k, NULL),
                             PITH_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_without_groups), cmocka_unit_test(groups_of_version_2),
        cmocka_unit_test(groups_of_version_1),      cmocka_unit_test(this_machine),
        cmocka_unit_test(kernels_by_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
