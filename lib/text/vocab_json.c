/*
 * vocab_json: tokenizer.json, as Hugging Face's tokenizers 0.13 to 0.22 write it. The vocabulary
 * and the merges are read as a stream, straight to where they stay; the components are small and
 * become trees (vocab_steps.c). A file whose merges stand before its vocabulary is read twice.
 */
#include "base/file.h"
#include "text/loader.h"

#include <stdio.h>

/* ---- room */

pith_status px_loader_text(px_loader *l, const char *text, size_t n, px_str *out, pith_error *err)
{
    const size_t block = 64 << 10;
    if (n == 0) { // l->text may be NULL still
        *out = (px_str){.data = "", .len = 0};
        return PITH_OK;
    }
    if (n > l->text_left) {
        char *room = px_arena_alloc(l->arena, n > block / 8 ? n : block, 1);
        if (!room)
            return px_no_room(l->arena, n, l->file, err);
        if (n > block / 8) { // what is left of the block stays in use
            memcpy(room, text, n);
            *out = (px_str){.data = room, .len = n};
            return PITH_OK;
        }
        l->text = room;
        l->text_left = block;
    }
    memcpy(l->text, text, n);
    *out = (px_str){.data = l->text, .len = n};
    l->text += n;
    l->text_left -= n;
    return PITH_OK;
}

/* Makes room for `need` elements of `size` bytes at *array; the old array is left in the arena. */
static pith_status grow(px_loader *l, void *array, int32_t n, int32_t *cap, int32_t need,
                        size_t size, pith_error *err)
{
    void *old, *room;
    int32_t more = *cap < 4096 ? 8192 : *cap * 2;
    if (need <= *cap)
        return PITH_OK;
    if (more < need)
        more = need;
    room = px_arena_alloc(l->arena, (size_t)more, size);
    if (!room)
        return px_no_room(l->arena, (size_t)more * size, l->file, err);
    memcpy(&old, array, sizeof old);
    if (n)
        memcpy(room, old, (size_t)n * size);
    memcpy(array, &room, sizeof room);
    *cap = more;
    return PITH_OK;
}

pith_status px_loader_token(px_loader *l, int64_t id, px_vocab_token token, px_loader_where fail,
                            void *where, pith_error *err)
{
    char text[128];
    if (token.text.len > PX_MAX_TOKEN_BYTES)
        return fail(where, err, PITH_E_LIMIT, "the text of a token is longer than 65536 bytes");
    if (id >= l->n_tokens) {
        int32_t n = (int32_t)id + 1;
        pith_status st = grow(l, &l->tokens, l->n_tokens, &l->cap_tokens, n, sizeof token, err);
        if (st != PITH_OK)
            return st;
        for (int32_t i = l->n_tokens; i < n; i++)
            l->tokens[i] = (px_vocab_token){.type = PX_TOKEN_UNUSED};
        l->n_tokens = n;
    }
    px_vocab_token *place = &l->tokens[id];
    if (place->text.len > 0) {
        snprintf(text, sizeof text, "id %d is given twice", (int)id);
        return fail(where, err, PITH_E_FORMAT, text);
    }
    px_str own = {0};
    pith_status st = px_loader_text(l, token.text.data, token.text.len, &own, err);
    *place = token;
    place->text = own;
    l->n_given++;
    return st;
}

/* ---- reading */

static pith_status at_line(void *where, pith_error *err, pith_status status, const char *sentence)
{
    return px_jscan_fail(where, err, status, "%s", sentence);
}

static pith_status wrong(px_jscan *js, const char *expected, pith_error *err)
{
    return px_jscan_fail(js, err, PITH_E_FORMAT, "%s is here, expected %s",
                         px_json_event_name(js->event), expected);
}

static pith_status read_bool(px_jscan *js, bool *out, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st != PITH_OK || js->event == PX_JSON_NULL)
        return st;
    if (js->event != PX_JSON_TRUE && js->event != PX_JSON_FALSE)
        return wrong(js, "true or false", err);
    *out = js->event == PX_JSON_TRUE;
    return PITH_OK;
}

static pith_status read_int(px_jscan *js, int64_t min, int64_t max, int64_t *out, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st != PITH_OK)
        return st;
    if (js->event != PX_JSON_NUMBER)
        return wrong(js, "an integer", err);
    if (!px_json_int(js->text, min, max, out))
        return px_jscan_fail(js, err, PITH_E_FORMAT, "%.*s is here, expected %lld to %lld",
                             PX_STR_ARG(js->text), (long long)min, (long long)max);
    return PITH_OK;
}

/* A string or null. */
static pith_status read_str(px_loader *l, px_jscan *js, px_str *out, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st != PITH_OK || js->event == PX_JSON_NULL)
        return st;
    if (js->event != PX_JSON_STRING)
        return wrong(js, "a string", err);
    return px_loader_text(l, js->text.data, js->text.len, out, err);
}

/* ---- added tokens */

static pith_status read_flag(px_jscan *js, uint8_t bit, uint8_t *flags, pith_error *err)
{
    bool on = false;
    pith_status st = read_bool(js, &on, err);
    if (on)
        *flags |= bit;
    return st;
}

static pith_status read_added_member(px_loader *l, px_jscan *js, px_added_entry *entry,
                                     pith_error *err)
{
    int64_t id;
    pith_status st;
    if (px_str_is(js->text, "id")) {
        st = read_int(js, 0, PX_MAX_VOCAB - 1, &id, err);
        if (st == PITH_OK)
            entry->id = (int32_t)id;
        return st;
    }
    if (px_str_is(js->text, "content"))
        return read_str(l, js, &entry->text, err);
    if (px_str_is(js->text, "special"))
        return read_bool(js, &entry->special, err);
    if (px_str_is(js->text, "lstrip"))
        return read_flag(js, PX_ADDED_LSTRIP, &entry->flags, err);
    if (px_str_is(js->text, "rstrip"))
        return read_flag(js, PX_ADDED_RSTRIP, &entry->flags, err);
    if (px_str_is(js->text, "single_word"))
        return read_flag(js, PX_ADDED_SINGLE_WORD, &entry->flags, err);
    if (px_str_is(js->text, "normalized"))
        return read_flag(js, PX_ADDED_NORMALIZED, &entry->flags, err);
    st = px_jscan_next(js, err);
    return st == PITH_OK ? px_jscan_skip(js, err) : st;
}

static pith_status read_added(px_loader *l, px_jscan *js, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st != PITH_OK || js->event == PX_JSON_NULL)
        return st;
    if (js->event != PX_JSON_ARRAY)
        return wrong(js, "an array of added tokens", err);
    while ((st = px_jscan_next(js, err)) == PITH_OK && js->event != PX_JSON_ARRAY_END) {
        if (js->event != PX_JSON_OBJECT)
            return wrong(js, "an added token", err);
        px_added_entry *entry = PX_ZNEW(l->arena, px_added_entry, 1);
        if (!entry)
            return px_no_room(l->arena, sizeof *entry, l->file, err);
        entry->id = -1;
        entry->line = js->event_line;
        while ((st = px_jscan_next(js, err)) == PITH_OK && js->event == PX_JSON_KEY)
            if ((st = read_added_member(l, js, entry, err)) != PITH_OK)
                return st;
        if (st != PITH_OK)
            return st;
        if (entry->id < 0 || entry->text.len == 0)
            return px_jscan_fail(js, err, PITH_E_FORMAT,
                                 "an added token without an id or without content");
        *l->last_added = entry;
        l->last_added = &entry->next;
    }
    return st;
}

/* ---- vocabulary */

static pith_status read_vocab_object(px_loader *l, px_jscan *js, pith_error *err)
{
    pith_status st;
    while ((st = px_jscan_next(js, err)) == PITH_OK && js->event == PX_JSON_KEY) {
        px_vocab_token token = {.type = PX_TOKEN_NORMAL};
        char small[512];
        int64_t id;
        /* The text is lent until the id is read; long ones are rare. */
        token.text = js->text;
        if (token.text.len <= sizeof small) {
            memcpy(small, token.text.data, token.text.len);
            token.text.data = small;
        } else if ((st = px_loader_text(l, js->text.data, js->text.len, &token.text, err)) !=
                   PITH_OK) {
            return st;
        }
        if (token.text.len == 0)
            return px_jscan_fail(js, err, PITH_E_FORMAT, "a token without text");
        st = read_int(js, 0, PX_MAX_VOCAB - 1, &id, err);
        if (st == PITH_OK)
            st = px_loader_token(l, id, token, at_line, js, err);
        if (st != PITH_OK)
            return st;
    }
    return st;
}

/* Unigram: [["piece", score], ...] */
static pith_status read_vocab_array(px_loader *l, px_jscan *js, pith_error *err)
{
    pith_status st;
    for (int64_t id = 0; (st = px_jscan_next(js, err)) == PITH_OK && js->event != PX_JSON_ARRAY_END;
         id++) {
        px_vocab_token token = {.type = PX_TOKEN_NORMAL};
        if (js->event != PX_JSON_ARRAY)
            return wrong(js, "a piece with its score", err);
        if (id >= PX_MAX_VOCAB)
            return px_jscan_fail(js, err, PITH_E_LIMIT, "more than %d tokens", PX_MAX_VOCAB);
        st = px_jscan_need(js, PX_JSON_STRING, err);
        if (st == PITH_OK)
            st = px_loader_text(l, js->text.data, js->text.len, &token.text, err);
        if (st == PITH_OK)
            st = px_jscan_need(js, PX_JSON_NUMBER, err);
        if (st != PITH_OK)
            return st;
        token.score = (float)px_json_double(js->text);
        if (!__builtin_isfinite(token.score))
            return px_jscan_fail(js, err, PITH_E_FORMAT, "a score that is not finite");
        st = px_loader_token(l, id, token, at_line, js, err);
        if (st == PITH_OK)
            st = px_jscan_need(js, PX_JSON_ARRAY_END, err);
        if (st != PITH_OK)
            return st;
    }
    return st;
}

static pith_status read_vocab(px_loader *l, px_jscan *js, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st != PITH_OK)
        return st;
    if (l->n_tokens > 0)
        return px_jscan_fail(js, err, PITH_E_FORMAT, "a second vocabulary");
    l->vocab_line = js->event_line;
    if (js->event == PX_JSON_OBJECT)
        st = read_vocab_object(l, js, err);
    else if (js->event == PX_JSON_ARRAY)
        st = read_vocab_array(l, js, err);
    else
        return wrong(js, "a vocabulary", err);
    if (st == PITH_OK && l->n_tokens == 0)
        return px_jscan_fail(js, err, PITH_E_FORMAT, "the vocabulary is empty");
    if (st == PITH_OK && l->n_tokens > 65536 && l->n_tokens / 4 > l->n_given)
        return px_jscan_fail(js, err, PITH_E_FORMAT,
                             "the vocabulary has %d tokens, but their ids go up to %d",
                             (int)l->n_given, (int)l->n_tokens - 1);
    if (st != PITH_OK)
        return st;
    st = px_tokmap_build(&l->map, l->arena, l->tokens, l->n_tokens, err);
    if (st == PITH_E_FORMAT)
        px_prefix(err, "%s: line %lld", l->file, (long long)l->vocab_line);
    return st;
}

/* ---- merges */

/* Merges on their way to be looked up together: texts one behind the other, and their lines. */
typedef struct merge_batch {
    px_buf text;
    size_t ends[PX_MERGE_BATCH][2]; // of left and right in text
    int64_t lines[PX_MERGE_BATCH];
    int n;
    int32_t last;
} merge_batch;

static pith_status flush(px_loader *l, merge_batch *b, pith_error *err)
{
    px_merge_text texts[PX_MERGE_BATCH];
    size_t at = 0;
    int failed = 0;
    if (l->n_merges > 4 * PX_MAX_VOCAB - b->n)
        return px_fail(err, PITH_E_LIMIT, "%s: more than %d merges", l->file, 4 * PX_MAX_VOCAB);
    pith_status st = grow(l, &l->merges, l->n_merges, &l->cap_merges, l->n_merges + b->n,
                          sizeof *l->merges, err);
    if (st != PITH_OK)
        return st;
    for (int i = 0; i < b->n; i++) {
        size_t middle = b->ends[i][0], end = b->ends[i][1];
        texts[i].left = (px_str){.data = b->text.data + at, .len = middle - at};
        texts[i].right = (px_str){.data = b->text.data + middle, .len = end - middle};
        at = end;
    }
    st = px_tokmap_merges(&l->map, l->tokens, l->n_tokens, texts, b->n, &b->last,
                          l->merges + l->n_merges, &failed, err);
    if (st != PITH_OK) {
        px_prefix(err, "%s: line %lld", l->file, (long long)b->lines[failed]);
        return st;
    }
    l->n_merges += b->n;
    b->n = 0;
    px_buf_reset(&b->text);
    return PITH_OK;
}

/* "left right"; the last event is the string. */
static pith_status add_line(px_jscan *js, merge_batch *b, pith_error *err)
{
    px_str line = js->text;
    const char *space = line.len > 1 ? memchr(line.data + 1, ' ', line.len - 1) : NULL;
    size_t left = space ? (size_t)(space - line.data) : 0;
    if (!space || left + 1 == line.len || memchr(space + 1, ' ', line.len - left - 1))
        return px_jscan_fail(js, err, PITH_E_FORMAT,
                             "a merge is \"%.*s\", expected two tokens with a space between",
                             PX_STR_ARG(line));
    px_buf_put(&b->text, line.data, left);
    b->ends[b->n][0] = b->text.len;
    px_buf_put(&b->text, space + 1, line.len - left - 1);
    b->ends[b->n][1] = b->text.len;
    return PITH_OK;
}

/* ["left", "right"]; the last event is the bracket. */
static pith_status add_pair(px_jscan *js, merge_batch *b, pith_error *err)
{
    for (int side = 0; side < 2; side++) {
        pith_status st = px_jscan_need(js, PX_JSON_STRING, err);
        if (st != PITH_OK)
            return st;
        px_buf_put(&b->text, js->text.data, js->text.len);
        b->ends[b->n][side] = b->text.len;
    }
    return px_jscan_need(js, PX_JSON_ARRAY_END, err);
}

static pith_status add_merge(px_loader *l, px_jscan *js, merge_batch *b, pith_error *err)
{
    b->lines[b->n] = js->event_line;
    pith_status st = js->event == PX_JSON_STRING  ? add_line(js, b, err)
                     : js->event == PX_JSON_ARRAY ? add_pair(js, b, err)
                                                  : wrong(js, "a merge", err);
    if (st == PITH_OK)
        st = px_buf_status(&b->text, "a merge", err);
    if (st == PITH_OK && ++b->n == PX_MERGE_BATCH)
        st = flush(l, b, err);
    return st;
}

static pith_status read_merges(px_loader *l, px_jscan *js, pith_error *err)
{
    pith_status st = px_jscan_next(js, err);
    if (st != PITH_OK || js->event == PX_JSON_NULL)
        return st;
    if (js->event != PX_JSON_ARRAY)
        return wrong(js, "an array of merges", err);
    if (l->n_tokens == 0) {
        l->merges_first = true;
        return px_jscan_skip(js, err);
    }
    merge_batch batch = {.text = {.limit = 4 << 20}, .last = -1};
    l->n_merges = 0;
    while ((st = px_jscan_next(js, err)) == PITH_OK && js->event != PX_JSON_ARRAY_END)
        if ((st = add_merge(l, js, &batch, err)) != PITH_OK)
            break;
    if (st == PITH_OK)
        st = flush(l, &batch, err);
    px_buf_clear(&batch.text);
    return st;
}

/* ---- the model */

static pith_status read_model_member(px_loader *l, px_jscan *js, bool merges_only, pith_error *err)
{
    px_vocab_def *def = l->def;
    int64_t n;
    pith_status st;
    if (px_str_is(js->text, "merges") && (merges_only || l->n_merges == 0))
        return read_merges(l, js, err);
    if (merges_only)
        goto pass;
    if (px_str_is(js->text, "vocab"))
        return read_vocab(l, js, err);
    if (px_str_is(js->text, "type"))
        return read_str(l, js, &l->model, err);
    if (px_str_is(js->text, "unk_token"))
        return read_str(l, js, &l->unk_text, err);
    if (px_str_is(js->text, "continuing_subword_prefix"))
        return read_str(l, js, &l->prefix, err);
    if (px_str_is(js->text, "byte_fallback"))
        return read_bool(js, &def->byte_fallback, err);
    if (px_str_is(js->text, "fuse_unk"))
        return read_bool(js, &def->fuse_unk, err);
    if (px_str_is(js->text, "ignore_merges"))
        return read_bool(js, &def->ignore_merges, err);
    if (px_str_is(js->text, "max_input_chars_per_word")) {
        st = read_int(js, 1, INT32_MAX, &n, err);
        def->max_word_chars = st == PITH_OK ? (int32_t)n : 0;
        return st;
    }
    if (px_str_is(js->text, "unk_id")) {
        st = px_jscan_next(js, err);
        if (st == PITH_OK && js->event != PX_JSON_NULL) {
            if (js->event != PX_JSON_NUMBER || !px_json_int(js->text, 0, PX_MAX_VOCAB - 1, &n))
                return wrong(js, "an id or null", err);
            def->unk = (int32_t)n;
        }
        return st;
    }
    if (px_str_is(js->text, "end_of_word_suffix")) {
        px_str suffix = {0};
        st = read_str(l, js, &suffix, err);
        if (st == PITH_OK && suffix.len > 0)
            return px_jscan_fail(js, err, PITH_E_UNSUPPORTED,
                                 "a model with end_of_word_suffix is not supported");
        return st;
    }
    if (px_str_is(js->text, "dropout")) {
        st = px_jscan_next(js, err);
        bool none = js->event == PX_JSON_NULL ||
                    (js->event == PX_JSON_NUMBER && px_json_double(js->text) == 0);
        return st != PITH_OK || none ? st
                                     : px_jscan_fail(js, err, PITH_E_UNSUPPORTED,
                                                     "dropout while tokenizing is not supported");
    }
pass:
    st = px_jscan_next(js, err);
    return st == PITH_OK ? px_jscan_skip(js, err) : st;
}

static pith_status read_model(px_loader *l, px_jscan *js, bool merges_only, pith_error *err)
{
    pith_status st = px_jscan_need(js, PX_JSON_OBJECT, err);
    while (st == PITH_OK && (st = px_jscan_next(js, err)) == PITH_OK && js->event == PX_JSON_KEY)
        st = read_model_member(l, js, merges_only, err);
    return st;
}

static pith_status read_tree(px_loader *l, px_jscan *js, const px_jnode **out, pith_error *err)
{
    px_jnode *node = NULL;
    pith_status st = px_jscan_next(js, err);
    if (st == PITH_OK && js->event != PX_JSON_NULL)
        st = px_jtree_read(js, l->arena, &node, err);
    *out = node;
    return st;
}

static pith_status read_member(px_loader *l, px_jscan *js, bool merges_only, pith_error *err)
{
    if (px_str_is(js->text, "model"))
        return read_model(l, js, merges_only, err);
    if (!merges_only) {
        if (px_str_is(js->text, "added_tokens"))
            return read_added(l, js, err);
        if (px_str_is(js->text, "normalizer"))
            return read_tree(l, js, &l->normalizer, err);
        if (px_str_is(js->text, "pre_tokenizer"))
            return read_tree(l, js, &l->pre_tokenizer, err);
        if (px_str_is(js->text, "post_processor"))
            return read_tree(l, js, &l->post_processor, err);
        if (px_str_is(js->text, "decoder"))
            return read_tree(l, js, &l->decoder, err);
    }
    pith_status st = px_jscan_next(js, err);
    return st == PITH_OK ? px_jscan_skip(js, err) : st;
}

static pith_status read_file(px_loader *l, const char *path, bool merges_only, pith_error *err)
{
    px_jscan js;
    pith_status st = px_jscan_open(&js, path, l->file, PX_MAX_TOKENIZER_BYTES, err);
    if (st != PITH_OK)
        return st;
    st = px_jscan_need(&js, PX_JSON_OBJECT, err);
    while (st == PITH_OK && (st = px_jscan_next(&js, err)) == PITH_OK && js.event == PX_JSON_KEY)
        st = read_member(l, &js, merges_only, err);
    if (st == PITH_OK)
        st = px_jscan_need(&js, PX_JSON_END, err);
    px_jscan_close(&js);
    return st;
}

/* ---- putting it together */

static pith_status at_entry(void *where, pith_error *err, pith_status status, const char *sentence)
{
    const px_added_entry *entry = where;
    return px_fail(err, status, "tokenizer.json: line %lld: added token \"%.*s\": %s",
                   (long long)entry->line, PX_STR_ARG(entry->text), sentence);
}

/* Added tokens take their place; those that the vocabulary has already get their type. */
static pith_status place_added(px_loader *l, pith_error *err)
{
    for (px_added_entry *e = l->added; e; e = e->next) {
        uint8_t type = e->special ? PX_TOKEN_CONTROL : PX_TOKEN_USER_DEFINED;
        px_vocab_token *token = e->id < l->n_tokens ? &l->tokens[e->id] : NULL;
        if (token && token->text.len > 0) {
            if (!px_str_eq(token->text, e->text))
                return at_entry(e, err, PITH_E_FORMAT,
                                "the vocabulary has another text at this id");
            token->type = type;
            token->added = e->flags;
            continue;
        }
        px_vocab_token fresh = {.text = e->text, .type = type, .added = e->flags};
        pith_status st = px_loader_token(l, e->id, fresh, at_entry, e, err);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

static pith_status find_unknown(px_loader *l, pith_error *err)
{
    px_vocab_def *def = l->def;
    if (l->unk_text.len > 0)
        def->unk = px_tokmap_find(&l->map, l->tokens, l->unk_text.data, l->unk_text.len);
    for (px_added_entry *e = l->added; def->unk < 0 && l->unk_text.len > 0 && e; e = e->next)
        if (px_str_eq(e->text, l->unk_text))
            def->unk = e->id;
    if (l->unk_text.len > 0 && def->unk < 0)
        return px_fail(err, PITH_E_FORMAT, "%s: unk_token is \"%.*s\", which is no token", l->file,
                       PX_STR_ARG(l->unk_text));
    if (def->unk >= l->n_tokens)
        return px_fail(err, PITH_E_FORMAT, "%s: unk_id is %d; there are %d tokens", l->file,
                       (int)def->unk, (int)l->n_tokens);
    if (def->unk >= 0)
        l->tokens[def->unk].type = PX_TOKEN_UNKNOWN;
    return PITH_OK;
}

/* "<0xNN>" tokens are bytes when the model falls back to them. */
static void mark_bytes(px_loader *l)
{
    for (int32_t i = 0; l->def->byte_fallback && i < l->n_tokens; i++) {
        px_str text = l->tokens[i].text;
        if (l->tokens[i].type == PX_TOKEN_NORMAL && text.len == 6 &&
            memcmp(text.data, "<0x", 3) == 0 && text.data[5] == '>')
            l->tokens[i].type = PX_TOKEN_BYTE;
    }
}

/* WordPiece: "##ing" becomes "ing", "sing" becomes U+2581 and "sing", as GGUF has them. */
static pith_status mark_words(px_loader *l, pith_error *err)
{
    px_str prefix = l->prefix.len ? l->prefix : px_str_of("##");
    for (int32_t i = 0; i < l->n_tokens; i++) {
        px_vocab_token *token = &l->tokens[i];
        px_str text = token->text;
        if (token->type != PX_TOKEN_NORMAL ||
            (text.len > 1 && text.data[0] == '[' && text.data[text.len - 1] == ']'))
            continue;
        if (text.len > prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0) {
            token->text.data += prefix.len;
            token->text.len -= prefix.len;
            continue;
        }
        char *room = px_arena_alloc(l->arena, text.len + 3, 1);
        if (!room)
            return px_no_room(l->arena, text.len + 3, l->file, err);
        memcpy(room, "\xe2\x96\x81", 3);
        memcpy(room + 3, text.data, text.len);
        token->text = (px_str){.data = room, .len = text.len + 3};
    }
    return PITH_OK;
}

pith_status px_load_json(px_loader *l, const char *path, pith_error *err)
{
    px_vocab_def *def = l->def;
    l->last_added = &l->added;
    pith_status st = read_file(l, path, false, err);
    if (st == PITH_OK && l->merges_first)
        st = read_file(l, path, true, err);
    if (st == PITH_OK && l->n_tokens == 0)
        return px_fail(err, PITH_E_FORMAT, "%s: there is no vocabulary", l->file);
    int32_t n_vocab = l->n_tokens;
    if (st == PITH_OK)
        st = place_added(l, err);
    if (st == PITH_OK)
        st = find_unknown(l, err);
    if (st == PITH_OK)
        mark_bytes(l);
    if (st == PITH_OK)
        st = px_load_steps(l, err);
    if (st == PITH_OK && def->kind == PX_VOCAB_WPM)
        st = mark_words(l, err);
    else if (st == PITH_OK && l->n_tokens == n_vocab)
        def->map = &l->map;
    def->tokens = l->tokens;
    def->n_tokens = l->n_tokens;
    def->merges = l->merges;
    def->n_merges = l->n_merges;
    return st;
}
