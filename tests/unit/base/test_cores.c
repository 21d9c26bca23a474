/* cores: siblings and quotas of machines that tests draw as folders, and of this one. */
#include "support/support.h"

#include "base/cores.h"
#include "base/cpu.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Writes ROOT/path, making the folders on the way. */
static void draw(const char *root, const char *path, const char *text)
{
    char full[1024];
    size_t n = strlen(root);
    memcpy(full, test_format("%s/%s", root, path), n + strlen(path) + 2);
    for (char *slash = strchr(full + n, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0777);
        *slash = '/';
    }
    test_write(full, text, strlen(text));
}

static void siblings_share_a_core(void **state)
{
    (void)state;
    const char *root = test_temp("siblings");
    static const char *const lists[] = {"0,4\n", "1,5\n", "2-3\n", "2-3\n",
                                        "0,4\n", "1,5\n", "junk\n"};
    for (int cpu = 0; cpu < 7; cpu++)
        draw(root, test_format("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu),
             lists[cpu]);
    static const struct {
        unsigned cpus; // bits
        int cores;
    } rows[] = {{0x01, 1}, {0x3f, 3}, {0x11, 1}, {0x10, 1}, {0x0f, 3},
                {0x0c, 1}, {0x7f, 4}, {0xff, 5}, {0x00, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        px_cores_set set = {0};
        for (int cpu = 0; cpu < 8; cpu++)
            if (rows[i].cpus >> cpu & 1)
                px_cores_add(&set, cpu);
        assert_int_equal(px_cores_physical(root, &set), rows[i].cores);
    }
}

/* Four fast cores of two threads each, 0 to 7, and four slow ones, 8 to 11. */
static void fast_cores_count(void **state)
{
    (void)state;
    const char *root = test_temp("hybrid");
    for (int cpu = 0; cpu < 12; cpu++)
        draw(root, test_format("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu),
             cpu < 8 ? test_format("%d-%d\n", cpu / 2 * 2, cpu / 2 * 2 + 1)
                     : test_format("%d\n", cpu));
    static const struct {
        const char *list; // NULL: no such file
        unsigned cpus;
        int cores;
    } rows[] = {
        {NULL, 0xfff, 8},           {"0-7\n", 0xfff, 4}, {"0-7\n", 0xf0c, 1},  {"0-7\n", 0xf00, 4},
        {"0,2,4-7\n", 0xfff, 4},    {"6-7", 0xfff, 1},   {"junk\n", 0xfff, 8}, {"", 0x3, 1},
        {"9-100000000\n", 0xfff, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        px_cores_set set = {0};
        for (int cpu = 0; cpu < 12; cpu++)
            if (rows[i].cpus >> cpu & 1)
                px_cores_add(&set, cpu);
        if (rows[i].list)
            draw(root, "sys/devices/cpu_core/cpus", rows[i].list);
        assert_int_equal(px_cores_physical(root, &set), rows[i].cores);
    }
}

static void version_2_quotas(void **state)
{
    (void)state;
    const char *root = test_temp("v2");
    assert_int_equal(px_cores_quota(root), 0); // nothing is there at all
    draw(root, "proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(px_cores_quota(root), 0);
    draw(root, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(px_cores_quota(root), 0);
    draw(root, "sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    assert_int_equal(px_cores_quota(root), 4);
    draw(root, "sys/fs/cgroup/a/cpu.max", "250000 100000\n"); // the parent's is lower: 2.5
    assert_int_equal(px_cores_quota(root), 3);
    draw(root, "sys/fs/cgroup/a/cpu.max", "1000 100000\n");
    assert_int_equal(px_cores_quota(root), 1);
    draw(root, "sys/fs/cgroup/a/cpu.max", "9223372036854775807 1\n");
    assert_int_equal(px_cores_quota(root), 4);
    draw(root, "sys/fs/cgroup/a/b/cpu.max", "-5 100000\n");
    draw(root, "sys/fs/cgroup/a/cpu.max", "100000 0\n");
    assert_int_equal(px_cores_quota(root), 0);
}

/* A container that sees the host's name of its group, mounted as the root. */
static void container_quotas(void **state)
{
    (void)state;
    const char *root = test_temp("container");
    draw(root, "proc/self/cgroup", "0::/docker/0123\n");
    draw(root, "sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(px_cores_quota(root), 2);
}

static void version_1_quotas(void **state)
{
    (void)state;
    const char *root = test_temp("v1");
    draw(root, "proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/job\n1:name=systemd:/y\n0::/\n");
    draw(root, "sys/fs/cgroup/cpuset/x/cpu.cfs_quota_us", "100000\n"); // not the cpu controller
    draw(root, "sys/fs/cgroup/cpuset/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(px_cores_quota(root), 0);
    draw(root, "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    draw(root, "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    assert_int_equal(px_cores_quota(root), 0);
    draw(root, "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
    assert_int_equal(px_cores_quota(root), 2);
    draw(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"); // the same mount by its other name
    draw(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
    assert_int_equal(px_cores_quota(root), 1);
}

static void odd_group_files(void **state)
{
    (void)state;
    const char *root = test_temp("odd");
    draw(root, "sys/fs/cgroup/cpu.max", "100000 100000\n");
    static const char *const texts[] = {"", "\n\n", "junk", "1:cpu", "::", ":cpuacct:/\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        draw(root, "proc/self/cgroup", texts[i]);
        assert_int_equal(px_cores_quota(root), strcmp(texts[i], "::") == 0 ? 1 : 0);
    }
}

static void this_machine_follows_affinity(void **state)
{
    (void)state;
    px_cpu_cores cores = px_cpu_count();
    assert_true(cores.physical >= 1 && cores.physical <= cores.logical);
    assert_true(cores.logical <= sysconf(_SC_NPROCESSORS_CONF));
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    px_cpu_cores few = px_cpu_count();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(few.logical, 1);
    assert_int_equal(few.physical, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_share_a_core),
        cmocka_unit_test(fast_cores_count),
        cmocka_unit_test(version_2_quotas),
        cmocka_unit_test(container_quotas),
        cmocka_unit_test(version_1_quotas),
        cmocka_unit_test(odd_group_files),
        cmocka_unit_test(this_machine_follows_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
