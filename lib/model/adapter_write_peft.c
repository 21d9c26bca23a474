/*
 * adapter_write_peft: an adapter as a folder of PEFT; see adapter_write.h.
 *
 * adapter_config.json has the keys that every version of PEFT knows, and no newer one: older
 * versions refuse keys that they do not know. The rank and alpha that most modules have stand as r
 * and lora_alpha, the others by their full paths in rank_pattern and alpha_pattern. target_modules
 * are the last parts of paths where each of them has a pair in every layer, else full paths: PEFT
 * makes a random pair for each module that it finds by these names.
 */
#include "model/adapter_write.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "format/safetensors_write.h"
#include "model/adapter_write_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct writer {
    const px_lora_set *set;
    const px_hparams *hp;
    const char *folder;
    int32_t rank; // that most have
    float alpha;
    px_arena arena; // names and values in another order
    pith_error *err;
} writer;

static const char *module_of(const writer *w, const px_lora_tensor *t, char out[128])
{
    out[0] = '\0';
    px_lora_hf_name(t->name, w->hp->gate_up_fused, out);
    return out;
}

/* ---- the configuration */

/* The rank and the alpha that most pairs have. */
static void choose_common(writer *w)
{
    const px_lora_set *s = w->set;
    int32_t most_rank = 0, most_alpha = 0;
    for (int32_t i = 0; i < s->n; i++) {
        int32_t same_rank = 0, same_alpha = 0;
        for (int32_t k = 0; k < s->n; k++) {
            same_rank += s->tensors[k].rank == s->tensors[i].rank;
            same_alpha += s->tensors[k].alpha == s->tensors[i].alpha;
        }
        if (same_rank > most_rank) {
            most_rank = same_rank;
            w->rank = s->tensors[i].rank;
        }
        if (same_alpha > most_alpha) {
            most_alpha = same_alpha;
            w->alpha = s->tensors[i].alpha;
        }
    }
}

/* Puts the modules whose rank, or alpha, is not the common one, as members of an object. */
static void put_pattern(const writer *w, bool alpha, px_buf *out)
{
    bool any = false;
    px_buf_putc(out, '{');
    for (int32_t i = 0; i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        char module[128];
        if (alpha ? t->alpha == w->alpha : t->rank == w->rank)
            continue;
        px_buf_printf(out, "%s\n    \"%s\": ", any ? "," : "", module_of(w, t, module));
        if (alpha)
            px_buf_printf(out, "%.9g", (double)t->alpha);
        else
            px_buf_printf(out, "%" PRId32, t->rank);
        any = true;
    }
    px_buf_puts(out, any ? "\n  }" : "}");
}

static const char *last_part(const char *module)
{
    const char *dot = strrchr(module, '.');
    return dot ? dot + 1 : module;
}

/* How many pairs are of modules whose path ends like this one. */
static int32_t count_alike(const writer *w, const char *last)
{
    int32_t n = 0;
    for (int32_t i = 0; i < w->set->n; i++) {
        char module[128];
        n += strcmp(last_part(module_of(w, &w->set->tensors[i], module)), last) == 0;
    }
    return n;
}

/* Whether an earlier pair has the same last part. */
static bool seen_before(const writer *w, int32_t i, const char *last)
{
    for (int32_t k = 0; k < i; k++) {
        char module[128];
        if (strcmp(last_part(module_of(w, &w->set->tensors[k], module)), last) == 0)
            return true;
    }
    return false;
}

static void put_targets(const writer *w, px_buf *out)
{
    bool any = false;
    px_buf_putc(out, '[');
    for (int32_t i = 0; i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        char module[128];
        const char *last = last_part(module_of(w, t, module)), *text = last;
        bool whole = strncmp(t->name, "blk.", 4) != 0 || count_alike(w, last) == w->hp->n_layers;
        if (!whole)
            text = module;
        else if (seen_before(w, i, last))
            continue;
        px_buf_printf(out, "%s\n    \"%s\"", any ? "," : "", text);
        any = true;
    }
    px_buf_puts(out, "\n  ]");
}

static void put_config(const writer *w, px_buf *out)
{
    const px_lora_set *s = w->set;
    px_buf_puts(out, "{\n  \"alpha_pattern\": ");
    put_pattern(w, true, out);
    px_buf_puts(out, ",\n  \"auto_mapping\": null,\n  \"base_model_name_or_path\": ");
    if (s->base_name && s->base_name[0])
        px_json_put_str(out, s->base_name, strlen(s->base_name));
    else
        px_buf_puts(out, "null");
    px_buf_puts(out, ",\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n"
                     "  \"inference_mode\": true,\n  \"init_lora_weights\": true,\n"
                     "  \"layer_replication\": null,\n  \"layers_pattern\": null,\n"
                     "  \"layers_to_transform\": null,\n  \"loftq_config\": {},\n");
    px_buf_printf(out, "  \"lora_alpha\": %.9g,\n  \"lora_dropout\": %.9g,\n", (double)w->alpha,
                  (double)s->dropout);
    px_buf_puts(out, "  \"megatron_config\": null,\n  \"megatron_core\": \"megatron.core\",\n"
                     "  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n");
    px_buf_printf(out, "  \"r\": %" PRId32 ",\n  \"rank_pattern\": ", w->rank);
    put_pattern(w, false, out);
    px_buf_puts(out, ",\n  \"revision\": null,\n  \"target_modules\": ");
    put_targets(w, out);
    px_buf_printf(out, ",\n  \"task_type\": \"CAUSAL_LM\",\n  \"use_dora\": %s,\n",
                  px_lora_set_has_magnitudes(s) ? "true" : "false");
    px_buf_printf(out, "  \"use_rslora\": %s\n}\n", s->rslora ? "true" : "false");
}

static void put_readme(const writer *w, px_buf *out)
{
    const px_lora_set *s = w->set;
    const char *kind = px_lora_set_has_magnitudes(s) ? "DoRA" : "LoRA";
    px_buf_puts(out, "---\nlibrary_name: peft\n");
    if (s->base_name && s->base_name[0]) {
        px_buf_puts(out, "base_model: ");
        px_json_put_str(out, s->base_name, strlen(s->base_name));
        px_buf_putc(out, '\n');
    }
    px_buf_puts(out, "tags:\n- lora\n- pith\n---\n\n");
    px_buf_printf(out, "# %s\n\n", s->name && s->name[0] ? s->name : "Adapter");
    px_buf_printf(
        out,
        "A %s adapter of %" PRId32 " matrices, rank %" PRId32 ", alpha %g%s, written by "
        "pith. It belongs to the model%s%s and to no other.\n\nWith pith:\n\n    pith run "
        "MODEL --adapter THIS_FOLDER\n\nWith PEFT: "
        "`PeftModel.from_pretrained(model, \"THIS_FOLDER\")`.\n",
        kind, s->n, w->rank, (double)w->alpha, s->rslora ? " (rsLoRA)" : "",
        s->base_name && s->base_name[0] ? " " : " that it was trained on",
        s->base_name ? s->base_name : "");
}

/* ---- values */

/* The rows of B, or the magnitude with n 1, in the order of transformers. */
static const float *in_hf_rows(writer *w, const px_lora_tensor *t, const float *x, int64_t n)
{
    if (w->set->hf_rows)
        return x;
    size_t total;
    float *out =
        px_mul_size((size_t)t->rows, (size_t)n, &total) ? PX_NEW(&w->arena, float, total) : NULL;
    for (int64_t i = 0; out && i < t->rows; i++)
        memcpy(out + i * n, x + px_lora_row(w->set, t, w->hp, true, i) * n,
               (size_t)n * sizeof *out);
    return out;
}

static bool add_part(writer *w, px_st_part *p, const char *module, const char *suffix,
                     const float *data, int n_dims, int64_t rows, int64_t cols)
{
    char name[256];
    int n = snprintf(name, sizeof name, "base_model.model.%s.%s", module, suffix);
    *p = (px_st_part){.name = px_arena_strndup(&w->arena, name, (size_t)n),
                      .dtype = PX_F32,
                      .n_dims = n_dims,
                      .shape = {rows, cols},
                      .data = data};
    return p->name && data;
}

static pith_status save_tensors(writer *w, const char *path)
{
    size_t n = 0;
    px_st_part *parts = PX_NEW(&w->arena, px_st_part, 3 * (size_t)w->set->n);
    bool ok = parts != NULL;
    for (int32_t i = 0; ok && i < w->set->n; i++) {
        const px_lora_tensor *t = &w->set->tensors[i];
        bool e = px_lora_is_embedding(t);
        char module[128];
        module_of(w, t, module);
        ok = add_part(w, &parts[n++], module, e ? "lora_embedding_A" : "lora_A.weight", t->a, 2,
                      t->rank, t->cols) &&
             add_part(w, &parts[n++], module, e ? "lora_embedding_B" : "lora_B.weight",
                      in_hf_rows(w, t, t->b, t->rank), 2, t->rows, t->rank);
        if (ok && t->magnitude)
            ok = add_part(w, &parts[n++], module, "lora_magnitude_vector",
                          in_hf_rows(w, t, t->magnitude, 1), 1, t->rows, 1);
    }
    if (!ok)
        return px_fail_memory(w->err, "an adapter's tensors");
    return px_st_save(path, parts, n, w->err);
}

/* ---- the folder */

static pith_status file_path(const writer *w, const char *name, px_buf *out)
{
    px_buf_reset(out);
    px_path_join(out, w->folder, name);
    return px_buf_status(out, "a file's path", w->err);
}

static pith_status save_text(const writer *w, const char *name, px_buf *path, px_buf *text)
{
    pith_status st = px_buf_status(text, name, w->err);
    if (st == PITH_OK)
        st = file_path(w, name, path);
    if (st == PITH_OK)
        st = px_file_replace(path->data, text->data, text->len, w->err);
    return st;
}

pith_status px_adapter_save_peft(const px_lora_set *set, const px_hparams *hp, const char *folder,
                                 pith_error *err)
{
    pith_status st = px_lora_set_check(set, folder, err);
    if (st != PITH_OK)
        return st;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return px_fail_errno(err, errno, "cannot make the folder '%s'", folder);
    writer w = {.set = set, .hp = hp, .folder = folder, .err = err};
    px_buf path = {0}, text = {0};
    px_arena_init(&w.arena, 0, 0);
    choose_common(&w);
    st = file_path(&w, "adapter_model.safetensors", &path);
    if (st == PITH_OK)
        st = save_tensors(&w, path.data);
    if (st == PITH_OK) {
        put_readme(&w, &text);
        st = save_text(&w, "README.md", &path, &text);
    }
    px_buf_reset(&text);
    if (st == PITH_OK) { // last: a folder without it is no adapter
        put_config(&w, &text);
        st = save_text(&w, "adapter_config.json", &path, &text);
    }
    px_buf_clear(&path);
    px_buf_clear(&text);
    px_arena_clear(&w.arena);
    return st;
}
