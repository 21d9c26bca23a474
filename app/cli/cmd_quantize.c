/* quantize: a model with its matrices in smaller types. */
#include "base/file.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>

typedef struct ask {
    const char *in, *out, *type;
    bool dry_run, force, json;
    const char *compare, *text;
    int64_t threads, window;
    cli_texts tensor_types;
    pith_tensor_rule rules[CLI_MAX_TEXTS];
    char patterns[CLI_MAX_TEXTS][256];
    pith_quantize_options o;
} ask;

/* What on_tensor and progress need: both get the same user pointer. */
typedef struct telling {
    cli_progress progress;
    bool rows;       // a line a tensor
    json_t *tensors; // or NULL
} telling;

static int on_progress(void *user, uint64_t done, uint64_t total)
{
    telling *t = user;
    return cli_progress_step(&t->progress, done, total);
}

static void shape_text(const pith_tensor_plan *p, char out[64])
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < p->n_dims && at < 64; i++)
        at += (size_t)snprintf(out + at, 64 - at, "%s%lld", i ? " x " : "", (long long)p->shape[i]);
}

static int on_tensor(void *user, const pith_tensor_plan *p)
{
    telling *t = user;
    if (t->tensors) {
        json_t *shape = json_array();
        for (int i = 0; i < p->n_dims; i++)
            json_array_append_new(shape, json_integer(p->shape[i]));
        json_array_append_new(
            t->tensors, json_pack("{s:s, s:o, s:s, s:s, s:I, s:I, s:s, s:b}", "name", p->name,
                                  "shape", shape, "from", p->from, "to", p->to, "from_bytes",
                                  (json_int_t)p->from_bytes, "to_bytes", (json_int_t)p->to_bytes,
                                  "note", p->note, "importance", p->importance));
    }
    if (t->rows) {
        char shape[64], size[32];
        shape_text(p, shape);
        printf("%-36s %-16s %-6s -> %-6s %10s  %s%s\n", p->name, shape, p->from, p->to,
               cli_size(p->to_bytes, size), p->note, p->importance ? " (importance)" : "");
    }
    return cli_interrupt_count() > 0;
}

/* "PATTERN=TYPE"; the last '=' parts them. */
static pith_status read_rules(ask *a, pith_error *err)
{
    for (int i = 0; i < a->tensor_types.n; i++) {
        const char *text = a->tensor_types.items[i], *equals = strrchr(text, '=');
        if (!equals || equals == text || (size_t)(equals - text) >= sizeof a->patterns[0])
            return px_fail(err, PITH_E_ARGUMENT,
                           "--tensor-type is '%s', expected PATTERN=TYPE as ffn_down=q6_k", text);
        memcpy(a->patterns[i], text, (size_t)(equals - text));
        a->rules[i] = (pith_tensor_rule){.pattern = a->patterns[i], .dtype = equals + 1};
    }
    a->o.rules = a->rules;
    a->o.n_rules = a->tensor_types.n;
    return PITH_OK;
}

static pith_status print_json(const ask *a, const pith_quantized *r, json_t *tensors,
                              pith_error *err)
{
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "type", r->type, "in_bytes",
                          (json_int_t)r->in_bytes, "out_bytes", (json_int_t)r->out_bytes,
                          "parameters", (json_int_t)r->n_parameters, "bits", r->bits, "fallback",
                          (json_int_t)r->n_fallback, "requantized", (json_int_t)r->n_requantized,
                          "importance", (json_int_t)r->n_importance);
    json_object_set_new(o, "path", a->out ? json_string(a->out) : json_null());
    json_object_set(o, "tensors", tensors);
    return cli_print_json(o, err);
}

static void print_result(const ask *a, const pith_quantized *r, double seconds)
{
    char in[32], out[32];
    if (a->dry_run)
        printf("%s: ", r->type);
    else
        printf("%s: %s, ", a->out, r->type);
    printf("%s, %.2f bits a weight (from %s)", cli_size(r->out_bytes, out), r->bits,
           cli_size(r->in_bytes, in));
    if (!a->dry_run)
        printf(", in %.0f s", seconds);
    printf("\n");
}

static void warn(const pith_quantized *r)
{
    if (r->n_requantized > 0)
        cli_warn("%lld tensors were quantized before and lose twice; a file of floats gives a "
                 "better one of the same size",
                 (long long)r->n_requantized);
    if (r->n_fallback > 0)
        cli_warn("%lld tensors have rows that are no multiple of the type's block; another type "
                 "stands in (--dry-run shows which)",
                 (long long)r->n_fallback);
}

static int run(ask *a)
{
    pith_error err = {0};
    telling t = {.rows = a->dry_run && !a->json, .tensors = a->json ? json_array() : NULL};
    pith_quantized result = PITH_INIT(pith_quantized);
    a->o.n_threads = (int32_t)a->threads;
    a->o.on_tensor = on_tensor;
    a->o.progress = on_progress;
    a->o.user = &t;
    const double start = cli_now();
    pith_status status = read_rules(a, &err);
    cli_interrupt_watch(NULL);
    cli_progress_start(&t.progress, "quantizing", "B");
    if (status == PITH_OK)
        status = pith_quantize(a->in, a->out, a->type, &a->o, &result, &err);
    cli_progress_end(&t.progress);
    if (status == PITH_OK && a->json)
        status = print_json(a, &result, t.tensors, &err);
    else if (status == PITH_OK)
        print_result(a, &result, cli_now() - start);
    json_decref(t.tensors);
    if (status == PITH_OK)
        status = cli_flush(&err);
    if (status != PITH_OK)
        return cli_fail(&err);
    warn(&result);
    return 0;
}

/* "q4_k_m (4.5), ...": names and bits of the base type. */
static void list_types(char *out, size_t size)
{
    const char *name;
    double bits;
    size_t at = 0, line = 0;
    out[0] = 0;
    for (int32_t i = 0; (name = pith_quantize_type(i, &bits)) && at < size; i++) {
        const size_t from = at;
        at += (size_t)snprintf(out + at, size - at, "%s%s %.3g", i ? line > 80 ? ",\n" : ", " : "",
                               name, bits);
        line = line > 80 ? 0 : line + (at - from);
    }
}

int cli_cmd_quantize(int argc, char **argv)
{
    static ask a;
    a = (ask){.o = PITH_INIT(pith_quantize_options)};
    const cli_option options[] = {
        {CLI_TEXT, "imatrix", 0, &a.o.importance, "FILE",
         "weigh errors by an importance matrix (see pith imatrix)", 0, 0, NULL},
        {CLI_TEXTS, "tensor-type", 0, &a.tensor_types, "PATTERN=TYPE",
         "type of the tensors whose name holds PATTERN, or matches it where it has '*' or '?'; may "
         "be repeated, the first match counts",
         0, 0, NULL},
        {CLI_TEXT, "output-type", 0, &a.o.output_type, "TYPE",
         "type of the output matrix (of the embedding, where that serves as output)", 0, 0, NULL},
        {CLI_TEXT, "token-embd-type", 0, &a.o.embed_type, "TYPE", "type of the token embedding", 0,
         0, NULL},
        {CLI_FLAG, "keep-output", 0, &a.o.keep_output, NULL, "the output matrix stays as it is", 0,
         0, NULL},
        {CLI_FLAG, "pure", 0, &a.o.pure, NULL, "one type for all matrices, no mixture", 0, 0, NULL},
        {CLI_FLAG, "dry-run", 'n', &a.dry_run, NULL, "show what would be written, and its size", 0,
         0, NULL},
        {CLI_TEXT, "compare", 0, &a.compare, "REFERENCE",
         "write nothing: show what MODEL loses against REFERENCE on a text (-f)", 0, 0, NULL},
        {CLI_TEXT, "file", 'f', &a.text, "TEXT",
         "text for --compare; '-' or nothing is standard input", 0, 0, NULL},
        {CLI_INT, "window", 0, &a.window, "N",
         "tokens of a window for --compare (default: 512, or the context if less)", 2, 67108864,
         NULL},
        {CLI_INT, "threads", 't', &a.threads, "N", "default: the physical cores", 1, 512, NULL},
        {CLI_FLAG, "force", 0, &a.force, NULL, "replace OUT.gguf if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &a.json, NULL, "a JSON object with all tensors when done", 0, 0,
         NULL},
    };
    char types[1024], summary[2048];
    list_types(types, sizeof types);
    snprintf(summary, sizeof summary,
             "Writes a GGUF file, or a Hugging Face folder, as a GGUF file with smaller weights, "
             "which other GGUF\nprograms read too (but for nf4). Nothing appears under OUT.gguf "
             "before it is complete.\n\nTypes, and bits a weight of most matrices:\n%s",
             types);
    const cli_spec spec = {
        .usage = "pith quantize MODEL OUT.gguf TYPE [options]",
        .summary = summary,
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 3,
        .examples =
            "  pith quantize qwen-f16.gguf qwen-q4_k_m.gguf q4_k_m\n"
            "  pith quantize ./Qwen2.5-0.5B-Instruct qwen.gguf q5_k_m --imatrix qwen.imatrix\n"
            "  pith quantize qwen-f16.gguf q4_k_m --dry-run",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    if (a.compare && words.n == 1)
        return cli_compare(&(cli_compare_args){.reference = a.compare,
                                               .other = words.items[0],
                                               .file = a.text,
                                               .window = a.window,
                                               .threads = a.threads,
                                               .json = a.json});
    if ((words.n != 3 && !(a.dry_run && words.n == 2)) || a.compare) {
        px_fail(&err, PITH_E_ARGUMENT, "%d words, expected: pith quantize %s", words.n,
                a.compare   ? "MODEL --compare REFERENCE -f TEXT"
                : a.dry_run ? "MODEL TYPE --dry-run"
                            : "MODEL OUT.gguf TYPE");
        return cli_fail(&err);
    }
    char *in = NULL; // freed by the end of the process, as all of this command's words
    if (cli_find_path(words.items[0], &in, &err) != PITH_OK)
        return cli_fail(&err);
    a.in = in;
    a.type = words.items[words.n - 1];
    a.out = a.dry_run ? NULL : words.items[1];
    if (a.out && !a.force && px_file_kind_of(a.out) != PX_FILE_NONE) {
        px_fail(&err, PITH_E_ARGUMENT, "'%s' exists; give another name, or --force to replace it",
                a.out);
        return cli_fail(&err);
    }
    return run(&a);
}
