/* adapter: looks at adapters, compares two, and writes one in the other form. */
#include "base/file.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct ask {
    const char *model, *to, *type;
    bool all, force, json;
} ask;

/* ---- inspect */

static json_t *matrix_json(const pith_adapter_matrix *m)
{
    return json_pack("{s:s, s:i, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:b, s:b}", "name", m->name,
                     "rank", (int)m->rank, "alpha", (double)m->alpha, "scale", (double)m->scale,
                     "rows", (json_int_t)m->rows, "columns", (json_int_t)m->cols, "norm_a",
                     m->norm_a, "norm_b", m->norm_b, "norm", m->norm, "magnitude", m->magnitude,
                     "zero", m->zero);
}

static pith_status inspect_json(const pith_adapter_file *f, const pith_adapter_file_info *i,
                                pith_error *err)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:b, s:b, s:i, s:i, s:I, s:f}",
                          "path", i->path, "form", i->form, "name", i->name, "base", i->base,
                          "architecture", i->architecture, "dtype", i->dtype, "rank", (int)i->rank,
                          "alpha", (double)i->alpha, "rslora", i->rslora, "dora", i->dora,
                          "matrices", (int)i->n_matrices, "zero", (int)i->n_zero, "values",
                          (json_int_t)i->n_values, "norm", i->norm);
    json_t *list = json_array();
    for (int32_t k = 0; k < i->n_matrices; k++) {
        pith_adapter_matrix m = PITH_INIT(pith_adapter_matrix);
        if (pith_adapter_file_get_matrix(f, k, &m, err) == PITH_OK)
            json_array_append_new(list, matrix_json(&m));
    }
    json_object_set_new(o, "tensors", list);
    return cli_print_json(o, err);
}

/* "attn_q", "output": the last part of a tensor's name but ".weight". */
static void kind_of(const char *name, char out[64])
{
    snprintf(out, 64, "%s", name);
    size_t n = strlen(out);
    if (n > 7 && strcmp(out + n - 7, ".weight") == 0)
        out[n - 7] = '\0';
    const char *dot = strrchr(out, '.');
    if (dot)
        memmove(out, dot + 1, strlen(dot + 1) + 1);
}

/* What all matrices of a kind have in common. */
typedef struct kind {
    char name[64];
    int32_t n, zero, rank[2];
    double scale[2], norm[2], square;
} kind;

enum { MOST_KINDS = 16 };

static void count(kind *kinds, int *n, const pith_adapter_matrix *m)
{
    char name[64];
    kind_of(m->name, name);
    int i = 0;
    while (i < *n && strcmp(kinds[i].name, name) != 0)
        i++;
    if (i == MOST_KINDS)
        return;
    kind *k = &kinds[i];
    if (i == *n) {
        *k = (kind){.rank = {m->rank, m->rank},
                    .scale = {(double)m->scale, (double)m->scale},
                    .norm = {m->norm, m->norm}};
        snprintf(k->name, sizeof k->name, "%s", name);
        ++*n;
    }
    k->n++;
    k->zero += m->zero;
    k->rank[0] = m->rank < k->rank[0] ? m->rank : k->rank[0];
    k->rank[1] = m->rank > k->rank[1] ? m->rank : k->rank[1];
    k->scale[0] = fmin(k->scale[0], (double)m->scale);
    k->scale[1] = fmax(k->scale[1], (double)m->scale);
    k->norm[0] = fmin(k->norm[0], m->norm);
    k->norm[1] = fmax(k->norm[1], m->norm);
    k->square += m->norm * m->norm;
}

static void span_text(double low, double high, char out[48])
{
    if (low == high)
        snprintf(out, 48, "%.4g", low);
    else
        snprintf(out, 48, "%.4g..%.4g", low, high);
}

static void print_kinds(const pith_adapter_file *f, int32_t n_matrices)
{
    kind kinds[MOST_KINDS];
    int n = 0;
    pith_adapter_matrix m = PITH_INIT(pith_adapter_matrix);
    for (int32_t i = 0; i < n_matrices; i++)
        if (pith_adapter_file_get_matrix(f, i, &m, NULL) == PITH_OK)
            count(kinds, &n, &m);
    printf("\n%-14s %6s %10s %14s %24s\n", "target", "number", "rank", "scale",
           "norm of its change");
    for (int i = 0; i < n; i++) {
        char rank[48], scale[48], norm[48];
        span_text(kinds[i].rank[0], kinds[i].rank[1], rank);
        span_text(kinds[i].scale[0], kinds[i].scale[1], scale);
        span_text(kinds[i].norm[0], kinds[i].norm[1], norm);
        printf("%-14s %6d %10s %14s %24s", kinds[i].name, (int)kinds[i].n, rank, scale, norm);
        if (kinds[i].zero > 0)
            printf("  (%d zero)", (int)kinds[i].zero);
        printf("\n");
    }
}

static void print_matrices(const pith_adapter_file *f, int32_t n, bool zero_only)
{
    pith_adapter_matrix m = PITH_INIT(pith_adapter_matrix);
    printf("\n%-32s %5s %9s %10s %10s %10s\n", zero_only ? "change nothing" : "tensor", "rank",
           "scale", "|A|", "|B|", "|scale BA|");
    for (int32_t i = 0; i < n; i++)
        if (pith_adapter_file_get_matrix(f, i, &m, NULL) == PITH_OK && (m.zero || !zero_only))
            printf("%-32s %5d %9.4g %10.4g %10.4g %10.4g%s\n", m.name, (int)m.rank, (double)m.scale,
                   m.norm_a, m.norm_b, m.norm,
                   m.zero        ? "  zero"
                   : m.magnitude ? "  magnitude"
                                 : "");
}

static void print_info(const pith_adapter_file_info *i)
{
    printf("%s\n", i->path);
    printf("%-12s %s of %s, %d matrices, %.2f M values (%s)\n", "form",
           strcmp(i->form, "peft") == 0 ? "PEFT folder" : "GGUF file", i->dora ? "DoRA" : "LoRA",
           (int)i->n_matrices, (double)i->n_values / 1e6, i->dtype);
    if (i->name[0])
        printf("%-12s %s\n", "name", i->name);
    if (i->architecture[0])
        printf("%-12s %s\n", "architecture", i->architecture);
    if (i->base[0])
        printf("%-12s %s\n", "base model", i->base);
    printf("%-12s %d\n", "rank", (int)i->rank);
    printf("%-12s %g%s\n", "alpha", (double)i->alpha,
           i->rslora ? ", divided by the root of the rank (rsLoRA)" : "");
    printf("%-12s %.6g\n", "norm", i->norm);
}

static pith_status inspect(const ask *a, const char *path, pith_error *err)
{
    pith_adapter_file *f = NULL;
    pith_adapter_file_info info = PITH_INIT(pith_adapter_file_info);
    pith_status st = pith_adapter_file_open(path, &f, err);
    if (st == PITH_OK)
        st = pith_adapter_file_get_info(f, &info, err);
    if (st == PITH_OK && a->json) {
        st = inspect_json(f, &info, err);
    } else if (st == PITH_OK) {
        print_info(&info);
        print_kinds(f, info.n_matrices);
        if (a->all || info.n_zero > 0)
            print_matrices(f, info.n_matrices, !a->all);
        st = cli_flush(err);
    }
    if (st == PITH_OK && info.n_zero > 0)
        cli_warn("%d of %d matrices change nothing%s", (int)info.n_zero, (int)info.n_matrices,
                 info.n_zero == info.n_matrices
                     ? ": the adapter is empty; was it saved before it was trained?"
                     : "");
    pith_adapter_file_close(f);
    return st;
}

/* ---- diff */

typedef struct telling {
    bool text;
    json_t *list;
    int n, differ;
    double square, square_a, square_b;
} telling;

static void on_difference(void *user, const pith_adapter_difference *d)
{
    telling *t = user;
    bool same = d->norm == 0 && !d->magnitudes && d->rank_a == d->rank_b;
    t->n++;
    t->differ += !same;
    t->square += d->norm * d->norm;
    t->square_a += d->norm_a * d->norm_a;
    t->square_b += d->norm_b * d->norm_b;
    if (t->list)
        json_array_append_new(
            t->list, json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:b, s:b}", "name", d->name,
                               "rank_a", (int)d->rank_a, "rank_b", (int)d->rank_b, "norm_a",
                               d->norm_a, "norm_b", d->norm_b, "norm", d->norm, "cosine", d->cosine,
                               "magnitudes", d->magnitudes, "same", same));
    if (!t->text || same)
        return;
    if (t->differ == 1)
        printf("%-32s %9s %10s %10s %12s %8s\n", "tensor", "rank", "|a|", "|b|", "|a - b|",
               "cosine");
    char rank[32];
    snprintf(rank, sizeof rank, "%d, %d", (int)d->rank_a, (int)d->rank_b);
    printf("%-32s %9s %10.4g %10.4g %12.4g %8.4f%s\n", d->name, rank, d->norm_a, d->norm_b, d->norm,
           d->cosine, d->magnitudes ? "  magnitudes" : "");
}

static pith_status open_model(const char *word, pith_model **out, pith_error *err)
{
    return word ? cli_model_open(word, NULL, out, err) : PITH_OK;
}

static pith_status diff(const ask *a, const char *path_a, const char *path_b, pith_error *err)
{
    pith_adapter_file *x = NULL, *y = NULL;
    pith_model *model = NULL;
    telling t = {.text = !a->json, .list = a->json ? json_array() : NULL};
    pith_status st = pith_adapter_file_open(path_a, &x, err);
    if (st == PITH_OK)
        st = pith_adapter_file_open(path_b, &y, err);
    if (st == PITH_OK)
        st = open_model(a->model, &model, err);
    if (st == PITH_OK)
        st = pith_adapter_file_compare(x, y, model, on_difference, &t, err);
    double norm = sqrt(t.square), of = sqrt(fmax(t.square_a, t.square_b));
    if (st == PITH_OK && a->json) {
        st = cli_print_json(json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:O}", "a", path_a, "b",
                                      path_b, "matrices", t.n, "different", t.differ, "norm", norm,
                                      "relative", of > 0 ? norm / of : 0.0, "tensors", t.list),
                            err);
    } else if (st == PITH_OK) {
        if (t.differ == 0)
            printf("the same changes in all %d matrices\n", t.n);
        else
            printf("%d of %d matrices differ; the difference is %.3g of the larger one's norm\n",
                   t.differ, t.n, of > 0 ? norm / of : 0.0);
        st = cli_flush(err);
    }
    json_decref(t.list);
    pith_model_close(model);
    pith_adapter_file_close(x);
    pith_adapter_file_close(y);
    return st;
}

/* ---- convert */

static bool ends_in_gguf(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".gguf") == 0;
}

/* What stands at `out` must not be lost by mistake; a folder may be there when it is empty of
 * adapters. */
static pith_status check_out(const ask *a, const char *out, bool peft, pith_error *err)
{
    px_file_kind there = px_file_kind_of(out);
    px_buf path = {0};
    bool taken = there != PX_FILE_NONE && !(peft && there == PX_FILE_FOLDER);
    if (peft && there == PX_FILE_FOLDER && px_path_join(&path, out, "adapter_config.json"))
        taken = px_file_kind_of(path.data) != PX_FILE_NONE;
    px_buf_clear(&path);
    if (taken && !a->force)
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s' exists; give another name, or --force to replace it", out);
    return PITH_OK;
}

static pith_status convert(const ask *a, const char *path, const char *out, pith_error *err)
{
    pith_adapter_file *f = NULL;
    pith_adapter_file_info info = PITH_INIT(pith_adapter_file_info);
    pith_model *model = NULL;
    if (!a->model)
        return px_fail(err, PITH_E_ARGUMENT,
                       "converting needs the model that the adapter belongs to, which tells its "
                       "architecture and the order of rows; give it with --model");
    pith_status st = pith_adapter_file_open(path, &f, err);
    if (st == PITH_OK)
        st = pith_adapter_file_get_info(f, &info, err);
    const char *form = a->to                                             ? a->to
                       : ends_in_gguf(out)                               ? "gguf"
                       : st == PITH_OK && strcmp(info.form, "gguf") == 0 ? "peft"
                                                                         : "gguf";
    bool peft = strcmp(form, "peft") == 0;
    if (st == PITH_OK)
        st = check_out(a, out, peft, err);
    if (st == PITH_OK)
        st = open_model(a->model, &model, err);
    if (st == PITH_OK)
        st = pith_adapter_file_save(f, model, out, form, a->type, err);
    if (st == PITH_OK && info.dora && !peft)
        cli_warn("'%s' has magnitudes (DoRA), for which GGUF has no form that others know: pith "
                 "alone reads this file, llama.cpp refuses it; 'pith merge' makes a model that "
                 "all can read",
                 out);
    if (st == PITH_OK && a->json) {
        st = cli_print_json(json_pack("{s:s, s:s, s:i, s:b}", "path", out, "form", form, "matrices",
                                      (int)info.n_matrices, "dora", info.dora),
                            err);
    } else if (st == PITH_OK) {
        printf("%s: %s, %d matrices\n", out, peft ? "PEFT folder" : "GGUF file",
               (int)info.n_matrices);
        st = cli_flush(err);
    }
    pith_model_close(model);
    pith_adapter_file_close(f);
    return st;
}

int cli_cmd_adapter(int argc, char **argv)
{
    ask a = {0};
    const cli_option options[] = {
        {CLI_FLAG, "all", 'a', &a.all, NULL, "inspect: a line for each matrix", 0, 0, NULL},
        {CLI_TEXT, "model", 'm', &a.model, "MODEL",
         "the model that the adapter belongs to: convert needs it, diff only\nbetween the two "
         "forms "
         "of a LLaMA-like model",
         0, 0, NULL},
        {CLI_TEXT, "to", 0, &a.to, "FORM",
         "convert: gguf or peft (default: by OUT's name, else the other form)", 0, 0, NULL},
        {CLI_TEXT, "type", 0, &a.type, "TYPE", "convert: f32 or f16, of a GGUF file (f32)", 0, 0,
         NULL},
        {CLI_FLAG, "force", 'f', &a.force, NULL, "convert: replace OUT if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith adapter inspect ADAPTER\n"
                 "       pith adapter diff ADAPTER ADAPTER\n"
                 "       pith adapter convert ADAPTER OUT --model MODEL",
        .summary = "What a LoRA adapter is (GGUF file or PEFT folder): rank, alpha, targets, how "
                   "large each change is, and\nwhich change nothing; what two adapters differ in; "
                   "and an adapter in the other form.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 2,
        .max_words = 3,
        .examples = "  pith adapter inspect ./my-lora\n"
                    "  pith adapter convert ./my-lora my-lora.gguf --model llama-3.2-1b\n"
                    "  pith adapter diff before.gguf after.gguf",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    const char *const *w = words.items;
    pith_status st;
    if (strcmp(w[0], "inspect") == 0 && words.n == 2)
        st = inspect(&a, w[1], &err);
    else if (strcmp(w[0], "diff") == 0 && words.n == 3)
        st = diff(&a, w[1], w[2], &err);
    else if (strcmp(w[0], "convert") == 0 && words.n == 3)
        st = convert(&a, w[1], w[2], &err);
    else
        st = px_fail(&err, PITH_E_ARGUMENT,
                     "'pith adapter %s' with %d words, expected inspect ADAPTER, diff ADAPTER "
                     "ADAPTER or convert ADAPTER OUT",
                     w[0], words.n - 1);
    return st == PITH_OK ? 0 : cli_fail(&err);
}
