/* inspect: what a model file is, without reading its weights. */
#include "base/file.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/digest.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>

enum { MAX_TYPES = 48, MAX_FILES = 4096, SMALL_FILE = 64 << 20 };

/* Tensors of one dtype, summed. */
typedef struct type_sum {
    const char *dtype;
    int64_t tensors;
    uint64_t bytes;
    uint64_t elements;
} type_sum;

/* What the file says of its tokenizer. */
typedef struct vocabulary {
    char kind[64]; // "": none
    char pre[64];
    char template[64];
    int64_t n_tokens, bos, eos; // -1: not said
} vocabulary;

typedef struct report {
    const pith_model *model;
    vocabulary vocabulary;
    pith_model_info info;
    pith_plan plan;
    type_sum types[MAX_TYPES];
    int n_types;
    const char *files[MAX_FILES]; // that hold tensors
    int n_files;
    char sha[MAX_FILES][65]; // "" where it was not asked for
} report;

/* Tensors that pith makes from the configuration of a folder lie in no file. */
static void add_file(report *r, const char *file)
{
    if (!*file)
        return;
    for (int i = 0; i < r->n_files; i++)
        if (strcmp(r->files[i], file) == 0)
            return;
    if (r->n_files < MAX_FILES)
        r->files[r->n_files++] = file;
}

static void add_type(report *r, const pith_tensor_info *t)
{
    int i = 0;
    while (i < r->n_types && strcmp(r->types[i].dtype, t->dtype) != 0)
        i++;
    if (i == MAX_TYPES)
        return;
    if (i == r->n_types)
        r->types[r->n_types++] = (type_sum){.dtype = t->dtype};
    uint64_t n = 1;
    for (int d = 0; d < t->n_dims; d++)
        n *= (uint64_t)t->shape[d];
    r->types[i].tensors++;
    r->types[i].bytes += t->bytes;
    r->types[i].elements += n;
}

static pith_status gather(report *r, int64_t ctx, const char *kv_type, pith_error *err)
{
    r->info = PITH_INIT(pith_model_info);
    pith_status status = pith_model_get_info(r->model, &r->info, err);
    bool files = px_file_kind_of(r->info.path) != PX_FILE_NONE; // not of the built-in model
    for (int64_t i = 0; status == PITH_OK && i < r->info.n_tensors; i++) {
        pith_tensor_info t = PITH_INIT(pith_tensor_info);
        status = pith_model_get_tensor(r->model, i, &t, err);
        if (status == PITH_OK) {
            add_type(r, &t);
            if (files)
                add_file(r, t.file);
        }
    }
    if (r->n_files == 0 && px_file_kind_of(r->info.path) == PX_FILE_REGULAR)
        add_file(r, r->info.path); // a vocabulary alone
    r->plan = PITH_INIT(pith_plan);
    r->plan.n_ctx = ctx;
    r->plan.kv_type = kv_type;
    if (status == PITH_OK && r->info.n_layers > 0)
        status = pith_model_plan(r->model, &r->plan, err);
    return status;
}

/* A string or number of the metadata as jansson has it; the caller drops it. NULL for other keys.
 */
static json_t *meta_value(const pith_model *model, int64_t i, const char *key)
{
    const char *found;
    pith_text text = {0};
    if (pith_model_get_meta(model, i, 0, &found, &text, NULL) != PITH_OK)
        return NULL;
    json_t *v =
        strcmp(found, key) == 0 ? json_loadb(text.data, text.len, JSON_DECODE_ANY, NULL) : NULL;
    pith_text_free(&text);
    return v;
}

static void note_key(vocabulary *v, const pith_model *model, int64_t i)
{
    static const char *const KEYS[] = {"tokenizer.ggml.model", "tokenizer.ggml.pre",
                                       "tokenizer.chat_template", "tokenizer.ggml.bos_token_id",
                                       "tokenizer.ggml.eos_token_id"};
    static const struct {
        const char *name, *kind;
    } KINDS[] = {{"llama", "SentencePiece BPE"},
                 {"gpt2", "byte-level BPE"},
                 {"t5", "Unigram"},
                 {"bert", "WordPiece"}};
    for (size_t k = 0; k < sizeof KEYS / sizeof KEYS[0]; k++) {
        json_t *value = meta_value(model, i, KEYS[k]);
        const char *text = json_string_value(value);
        if (k == 0 && text && strcmp(text, "none") != 0) {
            snprintf(v->kind, sizeof v->kind, "%s", text);
            for (size_t j = 0; j < sizeof KINDS / sizeof KINDS[0]; j++)
                if (strcmp(text, KINDS[j].name) == 0)
                    snprintf(v->kind, sizeof v->kind, "%s", KINDS[j].kind);
        } else if (k == 1 && text) {
            snprintf(v->pre, sizeof v->pre, "%s", text);
        } else if (k == 2 && text) {
            snprintf(v->template, sizeof v->template, "%s", KEYS[k]);
        } else if (k == 3 && value) {
            v->bos = json_integer_value(value);
        } else if (k == 4 && value) {
            v->eos = json_integer_value(value);
        }
        json_decref(value);
    }
}

/* Reads what the metadata says of the tokenizer; building one takes a hundred times longer than all
 * the rest. A folder has no such keys: there the model was opened with its tokenizer. */
static void gather_vocabulary(report *r)
{
    vocabulary *v = &r->vocabulary;
    pith_tokenizer_info t = PITH_INIT(pith_tokenizer_info);
    v->bos = v->eos = -1;
    v->n_tokens = r->info.n_vocab;
    const pith_tokenizer *tok = pith_model_tokenizer(r->model);
    if (tok && pith_tokenizer_get_info(tok, &t, NULL) == PITH_OK) {
        const char *name = NULL;
        pith_model_template(r->model, &name);
        snprintf(v->kind, sizeof v->kind, "%s", t.kind);
        snprintf(v->pre, sizeof v->pre, "%s", t.pre);
        snprintf(v->template, sizeof v->template, "%s", name ? name : "");
        v->n_tokens = t.n_vocab;
        v->bos = t.bos;
        v->eos = t.eos;
        return;
    }
    for (int64_t i = 0; i < r->info.n_metas; i++)
        note_key(v, r->model, i);
}

/* Opens a model as cheaply as its report allows: a GGUF file without building its tokenizer, a
 * folder with it, where it has one, and what has no weights for its vocabulary alone. */
static pith_status open_model(const char *path, pith_model **out, pith_error *err)
{
    const uint32_t folder[] = {0, PITH_OPEN_NO_TOKENIZER, PITH_OPEN_NO_WEIGHTS};
    bool is_folder = px_file_kind_of(path) == PX_FILE_FOLDER;
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = folder[is_folder ? 0 : 1];
    pith_status status = cli_model_open(path, &mo, out, err);
    for (int i = is_folder ? 1 : 2; status != PITH_OK && i < 3; i++) {
        mo.flags = folder[i];
        if (cli_model_open(path, &mo, out, NULL) == PITH_OK) {
            px_error_clear(err);
            return PITH_OK;
        }
    }
    return status; // the first sentence says most
}

/* Digests of the files: always of small ones, of large ones when asked. */
static pith_status digest_files(report *r, bool all, pith_error *err)
{
    if (!all && r->info.file_bytes > SMALL_FILE)
        return PITH_OK;
    cli_progress progress;
    cli_progress_start(&progress, "SHA-256", "B");
    pith_status status = PITH_OK;
    for (int i = 0; i < r->n_files && status == PITH_OK; i++)
        status = cli_sha256(r->files[i], cli_progress_step, &progress, r->sha[i], err);
    cli_progress_end(&progress);
    return status;
}

static void line(const char *name, const char *value)
{
    if (value && *value)
        printf("%-14s %s\n", name, value);
}

static pith_status print_metas(const pith_model *model, int64_t n, pith_error *err)
{
    printf("\nmetadata (%lld)\n", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const char *key;
        pith_text value = {0};
        pith_status status = pith_model_get_meta(model, i, 8, &key, &value, err);
        if (status != PITH_OK)
            return status;
        printf("  %-44s %.*s%s\n", key, value.len > 160 ? 160 : (int)value.len, value.data,
               value.len > 160 ? "..." : "");
        pith_text_free(&value);
    }
    return PITH_OK;
}

static pith_status print_tensors(const pith_model *model, int64_t n, pith_error *err)
{
    printf("\ntensors (%lld), shape slowest axis first\n", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        pith_tensor_info t = PITH_INIT(pith_tensor_info);
        pith_status status = pith_model_get_tensor(model, i, &t, err);
        if (status != PITH_OK)
            return status;
        char shape[96], size[32];
        int at = 0;
        for (int d = 0; d < t.n_dims; d++)
            at += snprintf(shape + at, sizeof shape - (size_t)at, d ? " x %lld" : "%lld",
                           (long long)t.shape[d]);
        printf("  %-32s %-8s %-20s %10s\n", t.name, t.dtype, shape, cli_size(t.bytes, size));
    }
    return PITH_OK;
}

static void print_memory(const report *r)
{
    char a[32], b[32], c[32], d[32];
    const pith_plan *p = &r->plan;
    printf("%-14s weights %s (mapped), context of %lld tokens %s (%s a token, %s), work %s\n",
           "memory", cli_size(p->weight_bytes, a), (long long)p->n_ctx, cli_size(p->kv_bytes, b),
           cli_size(p->kv_token_bytes, c), p->kv_type ? p->kv_type : "f16",
           cli_size(p->work_bytes, d));
}

static void print_tokenizer(const vocabulary *v)
{
    if (!v->kind[0]) {
        line("tokenizer", "none");
        return;
    }
    printf("%-14s %s%s%s, %lld tokens, bos %lld, eos %lld\n", "tokenizer", v->kind,
           v->pre[0] ? ", " : "", v->pre, (long long)v->n_tokens, (long long)v->bos,
           (long long)v->eos);
    line("template", v->template);
}

static pith_status print_text(const report *r, bool metas, bool tensors, pith_error *err)
{
    const pith_model_info *m = &r->info;
    char a[32];
    line("path", m->path);
    line("format", m->format);
    line("name", m->name);
    line("license", m->license);
    line("origin", m->origin);
    if (m->n_layers > 0) {
        printf("%-14s %s (%s)\n", "family", m->family, m->architecture);
        double n = (double)m->n_parameters;
        printf("%-14s %.2f %s\n", "parameters", n < 1e9 ? n * 1e-6 : n * 1e-9,
               n < 1e9 ? "million" : "billion");
        printf(
            "%-14s %d layers, width %d, ffn %d, %d heads of %d, %d kv heads, trained context %d\n",
            "shape", m->n_layers, m->width, m->ffn, m->n_heads, m->head_dim, m->n_kv_heads,
            m->n_ctx_train);
        line("flags", m->flags);
    } else {
        line("architecture", m->architecture);
    }
    printf("%-14s %s in %d file%s\n", "size", cli_size(m->file_bytes, a), r->n_files,
           r->n_files == 1 ? "" : "s");
    for (int i = 0; i < r->n_types; i++) {
        const type_sum *t = &r->types[i];
        printf("%-14s %-8s %5lld tensors %10s  %.2f bits a weight\n", i ? "" : "types", t->dtype,
               (long long)t->tensors, cli_size(t->bytes, a),
               t->elements ? 8.0 * (double)t->bytes / (double)t->elements : 0);
    }
    print_tokenizer(&r->vocabulary);
    if (m->n_layers > 0)
        print_memory(r);
    for (int i = 0; i < r->n_files; i++) {
        if (r->sha[i][0])
            printf("%-14s %s  %s\n", i ? "" : "sha256", r->sha[i], r->files[i]);
        else if (i == 0)
            line("sha256", "not computed: --sha256 reads the whole file");
    }
    for (const char *w = m->warnings; *w;) {
        size_t n = strcspn(w, "\n");
        printf("%-14s %.*s\n", "warning", (int)n, w);
        w += n + (w[n] == '\n');
    }
    pith_status status = PITH_OK;
    if (metas)
        status = print_metas(r->model, m->n_metas, err);
    if (status == PITH_OK && tensors)
        status = print_tensors(r->model, m->n_tensors, err);
    return status == PITH_OK ? cli_flush(err) : status;
}

static json_t *metas_json(const report *r, pith_error *err)
{
    json_t *object = json_object();
    for (int64_t i = 0; object && i < r->info.n_metas; i++) {
        const char *key;
        pith_text value = {0};
        if (pith_model_get_meta(r->model, i, 8, &key, &value, err) != PITH_OK) {
            json_decref(object);
            return NULL;
        }
        /* A long array is cut and ends in "...": then it stands as text. */
        json_t *parsed = json_loadb(value.data, value.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        json_object_set_new(object, key, parsed ? parsed : json_stringn(value.data, value.len));
        pith_text_free(&value);
    }
    return object;
}

static json_t *tensors_json(const report *r)
{
    json_t *list = json_array();
    for (int64_t i = 0; list && i < r->info.n_tensors; i++) {
        pith_tensor_info t = PITH_INIT(pith_tensor_info);
        if (pith_model_get_tensor(r->model, i, &t, NULL) != PITH_OK)
            continue;
        json_t *shape = json_array();
        for (int d = 0; d < t.n_dims; d++)
            json_array_append_new(shape, json_integer(t.shape[d]));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:I, s:s, s:I}", "name", t.name, "type",
                                        t.dtype, "shape", shape, "bytes", (json_int_t)t.bytes,
                                        "file", t.file, "offset", (json_int_t)t.offset));
    }
    return list;
}

static json_t *types_json(const report *r)
{
    json_t *list = json_array();
    for (int i = 0; list && i < r->n_types; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "type", r->types[i].dtype,
                                              "tensors", (json_int_t)r->types[i].tensors,
                                              "elements", (json_int_t)r->types[i].elements, "bytes",
                                              (json_int_t)r->types[i].bytes));
    return list;
}

static json_t *files_json(const report *r)
{
    json_t *list = json_array();
    for (int i = 0; list && i < r->n_files; i++)
        json_array_append_new(list, json_pack("{s:s, s:s*}", "path", r->files[i], "sha256",
                                              r->sha[i][0] ? r->sha[i] : NULL));
    return list;
}

static json_t *tokenizer_json(const report *r)
{
    const vocabulary *v = &r->vocabulary;
    if (!v->kind[0])
        return json_null();
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "kind", v->kind, "pre", v->pre, "n_vocab",
                     (json_int_t)v->n_tokens, "bos", (json_int_t)v->bos, "eos", (json_int_t)v->eos,
                     "template", v->template);
}

static pith_status print_json(const report *r, bool metas, bool tensors, pith_error *err)
{
    const pith_model_info *m = &r->info;
    const pith_plan *p = &r->plan;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "path", m->path,
                          "format", m->format, "architecture", m->architecture, "family", m->family,
                          "name", m->name, "license", m->license, "origin", m->origin, "flags",
                          m->flags, "warnings", m->warnings);
    json_t *shape =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I}", "layers", m->n_layers,
                  "vocab", m->n_vocab, "context", m->n_ctx_train, "width", m->width, "heads",
                  m->n_heads, "kv_heads", m->n_kv_heads, "head_dim", m->head_dim, "value_dim",
                  m->value_dim, "ffn", m->ffn, "parameters", (json_int_t)m->n_parameters);
    json_t *memory = json_pack(
        "{s:I, s:I, s:I, s:I, s:I}", "context", (json_int_t)p->n_ctx, "weight_bytes",
        (json_int_t)p->weight_bytes, "kv_bytes", (json_int_t)p->kv_bytes, "kv_token_bytes",
        (json_int_t)p->kv_token_bytes, "work_bytes", (json_int_t)p->work_bytes);
    if (!o || !shape || !memory) {
        json_decref(o);
        json_decref(shape);
        json_decref(memory);
        return px_fail_memory(err, "the JSON report");
    }
    json_object_set_new(o, "shape", shape);
    json_object_set_new(o, "memory", memory);
    json_object_set_new(o, "file_bytes", json_integer((json_int_t)m->file_bytes));
    json_object_set_new(o, "weight_bytes", json_integer((json_int_t)m->weight_bytes));
    json_object_set_new(o, "files", files_json(r));
    json_object_set_new(o, "types", types_json(r));
    json_object_set_new(o, "tokenizer", tokenizer_json(r));
    if (metas)
        json_object_set_new(o, "metadata", metas_json(r, err));
    if (tensors)
        json_object_set_new(o, "tensors", tensors_json(r));
    return cli_print_json(o, err);
}

int cli_cmd_inspect(int argc, char **argv)
{
    bool json = false, metas = false, tensors = false, sha = false;
    const char *kv_type = NULL;
    int64_t ctx = 0;
    const cli_option options[] = {
        {CLI_INT, "ctx", 'c', &ctx, "N",
         "context for the memory estimate (default: the trained one)", 1, 67108864, NULL},
        {CLI_TEXT, "kv-type", 0, &kv_type, "TYPE", "f16 (default), f32 or q8_0, for the estimate",
         0, 0, NULL},
        {CLI_FLAG, "metadata", 'm', &metas, NULL, "every key of the file", 0, 0, NULL},
        {CLI_FLAG, "tensors", 'T', &tensors, NULL, "every tensor of the file", 0, 0, NULL},
        {CLI_FLAG, "sha256", 0, &sha, NULL, "digest of each file (done by itself up to 67 MB)", 0,
         0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith inspect MODEL [options]",
        .summary = "Shows what a model file or folder holds, without reading its weights.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    pith_model *model = NULL;
    static report r; // half a megabyte, too much for the stack; one command a process
    pith_status status = open_model(words.items[0], &model, &err);
    if (status != PITH_OK)
        return cli_fail(&err);
    r.model = model;
    status = gather(&r, ctx, kv_type, &err);
    if (status == PITH_OK) {
        gather_vocabulary(&r);
        cli_interrupt_watch(NULL);
        status = digest_files(&r, sha, &err);
    }
    if (status == PITH_OK)
        status = json ? print_json(&r, metas, tensors, &err) : print_text(&r, metas, tensors, &err);
    pith_model_close(model);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
