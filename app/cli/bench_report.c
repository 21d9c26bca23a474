/* bench_report: see bench.h. */
#include "cli/bench.h"
#include "cli/term.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const TESTS[] = {"prefill", "decode", "open"};
static const char *const BOUNDS[] = {"read", "int8", "bf16", "f32"};

static void print_limit(const char *name, double x, const char *unit, const char *end)
{
    printf("%s %.*f %s%s", name, x < 99.95 ? 1 : 0, x, unit, end);
}

void bench_print_head(const bench_report *r)
{
    const pith_limits *l = &r->limits->first;
    char a[32], b[32];
    printf("%-9s %s, level %s, %d threads, %s free\n", "machine", r->machine.cpu, l->cpu,
           r->engine.n_threads, cli_size(r->machine.memory_free, a));
    printf("%-9s ", "limits");
    print_limit("read", l->read_gbps, "GB/s", ", ");
    print_limit("int8", l->int8_gops, "GOP/s", ", ");
    print_limit("bf16", l->bf16_gflops, "GFLOP/s", ", ");
    print_limit("f32", l->f32_gflops, "GFLOP/s\n", "");
    printf("%-9s %s: %s, %" PRIu64 " weights, keys %s, values %s\n", "model", r->model,
           r->info->family, r->info->n_parameters, r->k_type, r->v_type);
    printf("%-9s a step reads %s of weights (%s of them the head), and for each token %s of the "
           "embedding and %s of keys and values of each token before it\n",
           "counted", cli_size(r->token.weight_bytes, a), cli_size(r->head_bytes, b),
           cli_size(r->token.embed_bytes, (char[32]){0}),
           cli_size(r->kv_token_bytes, (char[32]){0}));
    printf("%-9s a token takes", "");
    const uint64_t ops[] = {0, r->token.int8_ops, r->token.bf16_ops, r->token.f32_ops};
    const char *join = "";
    for (int i = BENCH_INT8; i <= BENCH_F32; i++) {
        if (ops[i] == 0)
            continue;
        printf("%s %.3f 10^9 operations against the %s limit", join, (double)ops[i] / 1e9,
               BOUNDS[i]);
        join = " and";
    }
    printf(
        ", two for each weight (the head counts once a prompt);\n%-9s those of attention come on "
        "top, are not in the limit, and stand apart as a part of them\n\n",
        "");
    printf("%-8s %6s %6s %6s %10s %7s %10s %9s %6s %10s\n", "test", "n", "depth", "batch",
           "tokens/s", "spread", "limit", "of limit", "by", "attention");
    (void)fflush(stdout);
}

void bench_print_row(const bench_row *row)
{
    if (row->skip[0]) {
        printf("%-8s %6" PRId64 " %6" PRId64 " %6" PRId64 "   skipped: %s\n", TESTS[row->test],
               row->n, row->depth, row->batch, row->skip);
    } else if (row->test == BENCH_OPEN) {
        printf("%-8s %6" PRId64 " %6s %6s %7.0f ms %6.0f%% %7.0f ms %8.1f%% %6s   %s\n", "open",
               row->n, "", "", 1000 / row->tok_s, row->spread * 100, 1000 / row->limit_tok_s,
               row->of_limit * 100, BOUNDS[row->bound],
               row->cold ? "cold: the file on the disk" : "warm: the file in the page cache");
    } else {
        printf("%-8s %6" PRId64 " %6" PRId64 " %6" PRId64 " %10.*f %6.0f%% %10.*f %8.1f%% %6s "
               "%9.1f%%\n",
               TESTS[row->test], row->n, row->depth, row->batch, row->tok_s < 100 ? 2 : 1,
               row->tok_s, row->spread * 100, row->limit_tok_s < 100 ? 2 : 1, row->limit_tok_s,
               row->of_limit * 100, BOUNDS[row->bound], row->attention * 100);
    }
    (void)fflush(stdout);
}

void bench_print_foot(const bench_report *r)
{
    static const char *const UNITS[] = {"GB/s", "GOP/s", "GFLOP/s", "GFLOP/s"};
    char a[32], b[32], c[32], d[32];
    printf("\n%-9s", "drift");
    for (int i = 0; i < 4; i++) {
        double median, least, most;
        bench_limits_range(r->limits, (bench_bound)i, &median, &least, &most);
        printf("%s %s %.0f to %.0f %s", i > 0 ? "," : "", BOUNDS[i], least, most, UNITS[i]);
    }
    printf("\n%-9s each row is compared with limits measured right before and after its parts, all "
           "threads at once\n",
           "");
    if (r->has_memory)
        printf("%-9s %s at most for a prompt of %" PRId64 " and %" PRId64
               " tokens more: %s pages of the file, %s keys and values, %s beyond\n",
               "memory", cli_size(r->memory.peak_bytes, a), r->memory_prompt, r->memory_decode,
               cli_size(r->memory.file_bytes, b), cli_size(r->memory.kv_bytes, c),
               cli_size(r->memory.beyond_bytes, d));
}

/* ---- JSON */

static json_t *machine_json(const bench_report *r)
{
    double median[4], least[4], most[4];
    for (int i = 0; i < 4; i++)
        bench_limits_range(r->limits, (bench_bound)i, &median[i], &least[i], &most[i]);
    json_t *o = json_pack(
        "{s:s, s:s, s:i, s:i, s:I, s:I, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "cpu",
        r->machine.cpu, "level", r->limits->first.cpu, "threads", r->engine.n_threads, "cores",
        r->machine.physical_cores, "memory_bytes", (json_int_t)r->machine.memory_bytes,
        "memory_free", (json_int_t)r->machine.memory_free, "model", r->model, "k_type", r->k_type,
        "v_type", r->v_type, "read_gbps", median[BENCH_READ], "read_gbps_least", least[BENCH_READ],
        "read_gbps_most", most[BENCH_READ], "int8_gops", median[BENCH_INT8], "bf16_gflops",
        median[BENCH_BF16], "f32_gflops", median[BENCH_F32]);
    if (!o)
        return NULL;
    json_t *counted = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "weight_bytes", (json_int_t)r->token.weight_bytes,
        "head_bytes", (json_int_t)r->head_bytes, "embed_bytes", (json_int_t)r->token.embed_bytes,
        "kv_token_bytes", (json_int_t)r->kv_token_bytes, "int8_ops", (json_int_t)r->token.int8_ops,
        "bf16_ops", (json_int_t)r->token.bf16_ops, "f32_ops", (json_int_t)r->token.f32_ops);
    json_object_set_new(o, "counted", counted);
    if (r->has_memory)
        json_object_set_new(o, "memory",
                            json_pack("{s:I, s:I, s:I, s:I}", "peak_bytes",
                                      (json_int_t)r->memory.peak_bytes, "file_bytes",
                                      (json_int_t)r->memory.file_bytes, "kv_bytes",
                                      (json_int_t)r->memory.kv_bytes, "beyond_bytes",
                                      (json_int_t)r->memory.beyond_bytes));
    return o;
}

static json_t *row_json(const bench_row *row)
{
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "test", TESTS[row->test], "n",
                          (json_int_t)row->n, "depth", (json_int_t)row->depth, "batch",
                          (json_int_t)row->batch, "tok_s", row->tok_s, "spread", row->spread,
                          "limit_tok_s", row->limit_tok_s, "of_limit", row->of_limit);
    if (o && row->test == BENCH_OPEN) {
        json_object_set_new(o, "cache", json_string(row->cold ? "cold" : "warm"));
        json_object_set_new(o, "ms", json_real(1000 / row->tok_s));
    }
    return o;
}

json_t *bench_json(const bench_report *r)
{
    json_t *rows = json_array(), *machine = machine_json(r);
    for (int i = 0; rows && i < r->n_rows; i++)
        if (r->rows[i].done)
            json_array_append_new(rows, row_json(&r->rows[i]));
    return json_pack("{s:o, s:o, s:I}", "machine", machine, "rows", rows, "peak_bytes",
                     (json_int_t)r->memory.peak_bytes);
}
