/* info: this machine, and which kernel serves each operation. */
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>

/* All rows of the kernel table as an array, or NULL with err set. */
static json_t *kernels_json(const char *cpu, pith_error *err)
{
    json_t *list = json_array();
    for (int32_t i = 0; list; i++) {
        pith_kernel k;
        pith_status status = pith_kernel_get(cpu, i, &k, err);
        if (status == PITH_E_NOT_FOUND)
            break;
        if (status != PITH_OK ||
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "op", k.op, "detail", k.detail,
                                                  "level", k.level)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    px_error_clear(err);
    return list;
}

static json_t *levels_json(void)
{
    json_t *list = json_array();
    bool runs;
    const char *name;
    for (int32_t i = 0; list && (name = pith_cpu_level(i, &runs)) != NULL; i++)
        json_array_append_new(list, json_pack("{s:s, s:b}", "level", name, "runs", (int)runs));
    return list;
}

static int print_json(const pith_machine *m, const char *cpu)
{
    pith_error err = {0};
    json_t *kernels = kernels_json(cpu, &err);
    if (!kernels) {
        if (err.status == PITH_OK)
            px_fail_memory(&err, "the JSON report");
        return cli_fail(&err);
    }
    json_t *report =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:o, s:o}", "version", pith_version(), "cpu",
                  m->cpu, "level", m->level, "physical_cores", m->physical_cores, "logical_cores",
                  m->logical_cores, "memory_bytes", (json_int_t)m->memory_bytes, "memory_free",
                  (json_int_t)m->memory_free, "levels", levels_json(), "kernels", kernels);
    return cli_print_json(report, &err) == PITH_OK ? 0 : cli_fail(&err);
}

static int print_text(const pith_machine *m, const char *cpu)
{
    char a[32], b[32];
    printf("pith %s\n\n", pith_version());
    printf("%-10s %s\n", "cpu", m->cpu);
    printf("%-10s %d physical that this process may use (%d logical); %d threads by default\n",
           "cores", m->physical_cores, m->logical_cores, m->physical_cores);
    printf("%-10s %s, %s free\n", "memory", cli_size(m->memory_bytes, a),
           cli_size(m->memory_free, b));
    printf("%-10s", "levels");
    bool runs;
    const char *name;
    for (int32_t i = 0; (name = pith_cpu_level(i, &runs)) != NULL; i++)
        if (runs)
            printf(" %s", name);
    printf("\n\n%-16s %-10s %s\n", "operation", "type", "kernel");
    pith_error err = {0};
    for (int32_t i = 0;; i++) {
        pith_kernel k;
        pith_status status = pith_kernel_get(cpu, i, &k, &err);
        if (status == PITH_E_NOT_FOUND)
            break;
        if (status != PITH_OK)
            return cli_fail(&err);
        printf("%-16s %-10s %s\n", k.op, k.detail, k.level);
    }
    px_error_clear(&err);
    return cli_flush(&err) == PITH_OK ? 0 : cli_fail(&err);
}

int cli_cmd_info(int argc, char **argv)
{
    bool json = false;
    const char *cpu = NULL;
    const cli_option options[] = {
        {CLI_TEXT, "cpu", 0, &cpu, "LEVEL", "show the kernels chosen under this cap", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith info [--cpu=LEVEL] [--json]",
        .summary = "Shows this machine as pith sees it and the kernel that serves each operation.",
        .options = options,
        .n_options = 2,
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    pith_machine m = PITH_INIT(pith_machine);
    pith_kernel first; // an unknown level is refused before anything is printed
    if (pith_machine_get(&m, &err) != PITH_OK || pith_kernel_get(cpu, 0, &first, &err) != PITH_OK)
        return cli_fail(&err);
    return json ? print_json(&m, cpu) : print_text(&m, cpu);
}
