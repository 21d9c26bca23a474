/* cpu: names and order of levels, and that what is detected is what the kernel reports. */
#include "support/support.h"

#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void levels_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < PX_CPU_N; i++) {
        px_cpu_level level = PX_CPU_N;
        assert_true(px_cpu_find(px_cpu_name((px_cpu_level)i), &level));
        assert_int_equal(level, i);
        assert_true(strlen(px_cpu_text(level)) > 0);
    }
    px_cpu_level level = PX_CPU_VNNI;
    assert_false(px_cpu_find("AVX2", &level));
    assert_false(px_cpu_find("", &level));
    assert_int_equal(level, PX_CPU_VNNI);
}

static void a_level_runs_at_and_above_itself(void **state)
{
    (void)state;
    for (int top = 0; top < PX_CPU_N; top++) {
        assert_true(px_cpu_runs(PX_CPU_REF, (px_cpu_level)top));
        assert_true(px_cpu_runs((px_cpu_level)top, (px_cpu_level)top));
        assert_int_equal(px_cpu_runs(PX_CPU_AVX2, (px_cpu_level)top),
                         top >= PX_CPU_AVX2 && top <= PX_CPU_BF16);
        assert_int_equal(px_cpu_runs(PX_CPU_NEON, (px_cpu_level)top), top >= PX_CPU_NEON);
        assert_int_equal(px_cpu_runs(PX_CPU_I8MM, (px_cpu_level)top), top == PX_CPU_I8MM);
    }
}

/* Whether the first flags line of /proc/cpuinfo has all of these words. */
static bool kernel_reports(const char *words)
{
    static char line[8192];
    FILE *f = fopen("/proc/cpuinfo", "r");
    assert_non_null(f);
    bool found = false;
    while (!found && fgets(line, sizeof line, f))
        found = strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0;
    fclose(f);
    assert_true(found);
    line[strcspn(line, "\n")] = ' ';
    char word[64];
    for (int n; sscanf(words, "%60s%n", word, &n) == 1; words += n)
        if (!strstr(line, test_format(" %s ", word)))
            return false;
    return true;
}

static void agrees_with_the_kernel(void **state)
{
    (void)state;
    static const struct {
        px_cpu_level level;
        const char *words;
    } rows[] = {
#if defined(__x86_64__)
        {PX_CPU_AVX2, "avx avx2 fma f16c bmi1 bmi2"},
        {PX_CPU_AVX512, "avx512f avx512bw avx512dq avx512vl avx512cd"},
        {PX_CPU_VNNI, "avx512_vnni avx512vbmi"},
        {PX_CPU_BF16, "avx512_bf16"},
#elif defined(__aarch64__)
        {PX_CPU_NEON, "asimd"},
        {PX_CPU_DOTPROD, "asimddp fphp asimdhp"},
        {PX_CPU_I8MM, "i8mm bf16"},
#endif
        {PX_CPU_N, ""}
    };
    px_cpu_level want = PX_CPU_REF;
    for (int i = 0; rows[i].level != PX_CPU_N && kernel_reports(rows[i].words); i++)
        want = rows[i].level;
    assert_string_equal(px_cpu_name(px_cpu_detect()), px_cpu_name(want));
}

static void the_model_is_printable(void **state)
{
    (void)state;
    char text[64];
    px_cpu_model(text, sizeof text);
    assert_in_range(strlen(text), 1, 63);
    for (const char *p = text; *p; p++)
        assert_true(*p >= ' ' && *p <= '~');
    assert_true(text[0] != ' ' && text[strlen(text) - 1] != ' ');
    char tiny[4] = "###";
    px_cpu_model(tiny, 3);
    assert_true(strlen(tiny) <= 2);
    char none[1] = "#";
    px_cpu_model(none, 1);
    assert_int_equal(none[0], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(a_level_runs_at_and_above_itself),
        cmocka_unit_test(agrees_with_the_kernel),
        cmocka_unit_test(the_model_is_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
