/*
 * door_text: the door's tokenizer and template functions, over lib/text. Threads: as those.
 */
#include "base/json.h"
#include "base/mem.h"
#include "engine/model.h"
#include "engine/options.h"

pith_status pith_tokenize(const pith_tokenizer *tok, const char *text, size_t len, uint32_t flags,
                          int32_t *ids, uint32_t *ends, int64_t cap, int64_t *n, pith_error *err)
{
    px_error_clear(err);
    if (n)
        *n = 0;
    if (!tok || !n || (!text && len > 0) || cap < 0 || (!ids && cap > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_tokenize: an argument is NULL or negative");
    if (flags & ~(uint32_t)(PITH_TOKENIZE_SPECIAL | PITH_TOKENIZE_NO_BOS))
        return px_fail(err, PITH_E_ARGUMENT,
                       "pith_tokenize: flags are 0x%x, expected a sum of PITH_TOKENIZE_* values",
                       flags);
    px_ids list = {.want_ends = ends != NULL};
    int inner = 0;
    if (!(flags & PITH_TOKENIZE_NO_BOS))
        inner |= PX_TOK_BOS_EOS;
    if (flags & PITH_TOKENIZE_SPECIAL)
        inner |= PX_TOK_SPECIAL;
    pith_status st = px_tokenize(tok->tok, text ? text : "", len, inner, &list, err);
    if (st == PITH_OK) {
        size_t m = (size_t)(list.n < cap ? list.n : cap);
        if (m > 0) {
            memcpy(ids, list.ids, m * sizeof *ids);
            if (ends)
                memcpy(ends, list.ends, m * sizeof *ends);
        }
        *n = list.n;
    }
    px_ids_clear(&list);
    return st;
}

pith_str pith_token_bytes(const pith_tokenizer *tok, int32_t id, bool special)
{
    if (!tok || id < 0 || id >= tok->n_vocab)
        return (pith_str){0};
    px_str bytes = px_token_bytes(tok->tok, id, special);
    return (pith_str){.data = bytes.data ? bytes.data : "", .len = bytes.len};
}

pith_status pith_detokenize(const pith_tokenizer *tok, const int32_t *ids, int64_t n, bool special,
                            pith_text *out, pith_error *err)
{
    px_error_clear(err);
    if (!tok || !out || n < 0 || (!ids && n > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_detokenize: an argument is NULL or negative");
    *out = (pith_text){0};
    px_detok d = {.special = special};
    px_buf text = {0};
    pith_status st = PITH_OK;
    for (int64_t i = 0; st == PITH_OK && i < n; i++) {
        if (ids[i] < 0 || ids[i] >= tok->n_vocab)
            st = px_fail(err, PITH_E_ARGUMENT, "token %lld has id %d, expected 0 to %d",
                         (long long)i, ids[i], tok->n_vocab - 1);
        else
            st = px_detok_push(tok->tok, &d, ids[i], &text, err);
    }
    if (st == PITH_OK)
        st = px_detok_flush(&d, &text, err);
    if (st == PITH_OK)
        st = px_buf_status(&text, "a text", err);
    if (st == PITH_OK) {
        out->data = px_buf_take(&text, &out->len);
        if (!out->data)
            st = px_fail_memory(err, "a text");
    }
    px_buf_clear(&text);
    return st;
}

pith_status pith_tokenizer_get_info(const pith_tokenizer *tok, pith_tokenizer_info *out,
                                    pith_error *err)
{
    px_error_clear(err);
    if (!tok || !out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_tokenizer_get_info: an argument is NULL");
    const px_vocab_def *def = px_tokenizer_def(tok->tok);
    pith_tokenizer_info info = {
        .kind = tok->kind,
        .pre = tok->pre,
        .n_vocab = tok->n_vocab,
        .bos = def->bos,
        .eos = def->eos,
        .eot = def->eot,
        .unk = def->unk,
        .pad = def->pad,
        .adds_bos = def->add_bos,
        .adds_eos = def->add_eos,
    };
    return px_options_write(out, "pith_tokenizer_info", &info, sizeof info, err);
}

bool pith_token_is_end(const pith_tokenizer *tok, int32_t id)
{
    return tok && id >= 0 && id < tok->n_vocab && px_token_ends(tok->tok, id);
}

int32_t pith_token_find(const pith_tokenizer *tok, const char *text, size_t len)
{
    if (!tok || (!text && len > 0))
        return -1;
    return px_tokenizer_find(tok->tok, (px_str){.data = text, .len = len});
}

pith_status pith_template_new(const char *name, const char *source, size_t len, pith_template **out,
                              pith_error *err)
{
    px_error_clear(err);
    if (!out)
        return px_fail(err, PITH_E_ARGUMENT, "pith_template_new: out is NULL");
    *out = NULL;
    if (!source && len > 0)
        return px_fail(err, PITH_E_ARGUMENT, "pith_template_new: source is NULL");
    pith_template *t = px_calloc(1, sizeof *t);
    if (!t)
        return px_fail_memory(err, "a template");
    pith_status st =
        px_template_parse(name ? name : "template", source ? source : "", len, &t->t, err);
    if (st != PITH_OK) {
        px_free(t);
        return st;
    }
    *out = t;
    return PITH_OK;
}

void pith_template_free(pith_template *t)
{
    if (!t)
        return;
    px_template_free(t->t);
    px_free(t);
}

pith_str pith_template_get_source(const pith_template *t)
{
    if (!t)
        return (pith_str){0};
    px_str source = px_template_source(t->t);
    return (pith_str){.data = source.data, .len = source.len};
}

/* ---- rendering */

/* Appends ,"name":"text of the token" unless the object has that member or the model no such
 * token. */
static void put_default(px_buf *out, px_json object, const char *name, const pith_model *model,
                        int32_t id)
{
    if (id < 0 || px_json_type_of(px_json_find(object, name)) != PX_JSON_NONE)
        return;
    px_str text = px_token_bytes(model->tokenizer.tok, id, true);
    px_buf_printf(out, "\"%s\":", name);
    px_json_put_str(out, text.data, text.len);
    px_buf_putc(out, ',');
}

pith_status px_template_variables(const pith_model *model, const char *json, size_t json_len,
                                  px_buf *out, pith_error *err)
{
    px_json object;
    pith_status st = px_json_check("template variables", json, json_len, &object, err);
    if (st != PITH_OK)
        return st;
    if (px_json_type_of(object) != PX_JSON_OBJECT)
        return px_fail(err, PITH_E_FORMAT,
                       "the template's variables are %s, expected an object with messages",
                       px_json_type_name(px_json_type_of(object)));
    px_buf_putc(out, '{');
    if (model && model->tokenizer.tok) {
        const px_vocab_def *def = px_tokenizer_def(model->tokenizer.tok);
        put_default(out, object, "bos_token", model, def->bos);
        put_default(out, object, "eos_token", model, def->eos);
        if (out->len > 1 && px_json_count(object) == 0)
            out->len--; // the comma
    }
    px_buf_put(out, object.at + 1, (size_t)(object.end - object.at) - 1);
    return px_buf_status(out, "the template's variables", err);
}

/* Spans of lib/text as the door's, counted in bytes. */
static pith_status give_spans(const px_rendered *r, pith_span **out, pith_error *err)
{
    *out = NULL;
    if (r->n_spans == 0)
        return PITH_OK;
    pith_span *spans = px_malloc(r->n_spans, sizeof *spans);
    if (!spans)
        return px_fail_memory(err, "the spans of a rendered text");
    for (size_t i = 0; i < r->n_spans; i++)
        spans[i] = (pith_span){.kind = r->spans[i].kind == PX_SPAN_GENERATION ? PITH_SPAN_GENERATION
                                                                              : PITH_SPAN_MESSAGE,
                               .index = r->spans[i].index,
                               .start = r->spans[i].start,
                               .end = r->spans[i].end};
    *out = spans;
    return PITH_OK;
}

pith_status pith_template_render(const pith_template *t, const pith_model *model, const char *json,
                                 size_t json_len, pith_rendered *out, pith_error *err)
{
    px_error_clear(err);
    if (!t || !out || (!json && json_len > 0))
        return px_fail(err, PITH_E_ARGUMENT, "pith_template_render: an argument is NULL");
    *out = (pith_rendered){0};
    px_buf variables = {0};
    px_rendered r = {0};
    pith_status st = px_template_variables(model, json ? json : "", json_len, &variables, err);
    if (st == PITH_OK)
        st = px_template_render(t->t, variables.data, variables.len, INT64_MIN, &r, err);
    if (st == PITH_OK)
        st = give_spans(&r, &out->spans, err);
    if (st == PITH_OK) {
        out->n_spans = r.n_spans;
        out->text.data = px_buf_take(&r.text, &out->text.len);
        if (!out->text.data)
            st = px_fail_memory(err, "a rendered text");
    }
    if (st != PITH_OK)
        pith_rendered_free(out);
    px_rendered_clear(&r);
    px_buf_clear(&variables);
    return st;
}

void pith_rendered_free(pith_rendered *r)
{
    if (!r)
        return;
    px_free(r->text.data);
    px_free(r->spans);
    *r = (pith_rendered){0};
}
