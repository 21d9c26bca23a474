/*
 * vocab_spm: tokenizer.model, SentencePiece's ModelProto (protocol buffers, proto 2, as of
 * SentencePiece 0.2). Only these fields are read, the others are passed over:
 *
 *   ModelProto       1 pieces (repeated)   2 trainer_spec   3 normalizer_spec
 *   SentencePiece    1 piece   2 score (float)   3 type (px_token_type; 1 when absent)
 *   TrainerSpec      3 model_type (1 Unigram, 2 BPE)   24 treat_whitespace_as_suffix
 *                    35 byte_fallback   40 unk_id   41 bos_id   42 eos_id   43 pad_id
 *   NormalizerSpec   2 precompiled_charsmap   3 add_dummy_prefix   4 remove_extra_whitespaces
 *                    5 escape_whitespaces
 *
 * A field is a varint (number << 3 | wire type) and a value: 0 varint, 1 eight bytes, 2 length and
 * bytes, 5 four bytes.
 */
#include "base/cursor.h"
#include "base/file.h"
#include "text/loader.h"

#include <stdio.h>

typedef struct field {
    uint64_t number;
    uint64_t value; // varint, or the bits of a fixed one
    px_str bytes;   // wire type 2
    int wire;
} field;

typedef struct reader {
    px_loader *l;
    px_cursor file;
    px_str charsmap;
    int64_t model_type;
    int64_t unk, bos, eos, pad;
    bool suffix, prefix, squeeze, escape;
} reader;

static pith_status broken(const reader *r, const px_cursor *c, const char *what, pith_error *err)
{
    return px_fail(err, PITH_E_FORMAT, "%s: byte %zu: %s", r->l->file,
                   (size_t)(c->at - r->file.base), what);
}

static bool get_varint(px_cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    uint8_t byte = 0x80;
    for (int shift = 0; byte & 0x80; shift += 7) {
        if (shift > 63 || !px_cursor_u8(c, &byte))
            return false;
        v |= (uint64_t)(byte & 0x7f) << shift;
    }
    *out = v;
    return true;
}

static pith_status get_field(const reader *r, px_cursor *c, field *f, pith_error *err)
{
    uint64_t key, n;
    uint32_t word;
    const uint8_t *bytes;
    *f = (field){0};
    if (!get_varint(c, &key))
        return broken(r, c, "a field without a number", err);
    f->number = key >> 3;
    f->wire = (int)(key & 7);
    switch (f->wire) {
    case 0:
        return get_varint(c, &f->value) ? PITH_OK : broken(r, c, "a number without end", err);
    case 1:
        return px_cursor_u64(c, &f->value) ? PITH_OK : broken(r, c, "the file ends here", err);
    case 2:
        if (!get_varint(c, &n) || n > px_cursor_left(c) || !px_cursor_bytes(c, (size_t)n, &bytes))
            return broken(r, c, "a field is longer than what is left", err);
        f->bytes = (px_str){.data = (const char *)bytes, .len = (size_t)n};
        return PITH_OK;
    case 5:
        if (!px_cursor_u32(c, &word))
            return broken(r, c, "the file ends here", err);
        f->value = word;
        return PITH_OK;
    default:
        return broken(r, c, "a field of an unknown kind", err);
    }
}

/* A cursor over a message inside the file; offsets still count from the file's beginning. */
static px_cursor inside(const reader *r, px_str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    return (px_cursor){.base = r->file.base, .at = at, .end = at + bytes.len};
}

typedef struct place {
    const reader *r;
    const px_cursor *c;
} place;

static pith_status at_byte(void *where, pith_error *err, pith_status status, const char *sentence)
{
    const place *p = where;
    return px_fail(err, status, "%s: byte %zu: %s", p->r->l->file,
                   (size_t)(p->c->at - p->r->file.base), sentence);
}

static pith_status read_piece(reader *r, px_str bytes, pith_error *err)
{
    px_cursor c = inside(r, bytes);
    px_vocab_token token = {.type = PX_TOKEN_NORMAL};
    field f;
    while (px_cursor_left(&c) > 0) {
        pith_status st = get_field(r, &c, &f, err);
        if (st != PITH_OK)
            return st;
        if (f.number == 1 && f.wire == 2)
            token.text = f.bytes;
        if (f.number == 2 && f.wire == 5) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&token.score, &bits, 4);
        }
        if (f.number == 3 && f.wire == 0) {
            if (f.value < PX_TOKEN_NORMAL || f.value > PX_TOKEN_BYTE)
                return broken(r, &c, "a piece of an unknown type", err);
            token.type = (uint8_t)f.value;
        }
    }
    if (token.text.len == 0)
        return broken(r, &c, "a piece without text", err);
    if (!__builtin_isfinite(token.score))
        return broken(r, &c, "a score that is not finite", err);
    place where = {.r = r, .c = &c};
    if (r->l->n_tokens >= PX_MAX_VOCAB)
        return broken(r, &c, "more pieces than are supported", err);
    return px_loader_token(r->l, r->l->n_tokens, token, at_byte, &where, err);
}

static pith_status read_trainer(reader *r, px_str bytes, pith_error *err)
{
    px_cursor c = inside(r, bytes);
    field f;
    while (px_cursor_left(&c) > 0) {
        pith_status st = get_field(r, &c, &f, err);
        if (st != PITH_OK)
            return st;
        if (f.wire != 0)
            continue;
        int64_t number = (int64_t)f.value;
        switch (f.number) {
        case 3:
            r->model_type = number;
            break;
        case 24:
            r->suffix = number != 0;
            break;
        case 35:
            r->l->def->byte_fallback = number != 0;
            break;
        case 40:
            r->unk = number;
            break;
        case 41:
            r->bos = number;
            break;
        case 42:
            r->eos = number;
            break;
        case 43:
            r->pad = number;
            break;
        default:
            break;
        }
    }
    return PITH_OK;
}

static pith_status read_normalizer(reader *r, px_str bytes, pith_error *err)
{
    px_cursor c = inside(r, bytes);
    field f;
    while (px_cursor_left(&c) > 0) {
        pith_status st = get_field(r, &c, &f, err);
        if (st != PITH_OK)
            return st;
        if (f.number == 2 && f.wire == 2)
            r->charsmap = f.bytes;
        if (f.number == 3 && f.wire == 0)
            r->prefix = f.value != 0;
        if (f.number == 4 && f.wire == 0)
            r->squeeze = f.value != 0;
        if (f.number == 5 && f.wire == 0)
            r->escape = f.value != 0;
    }
    return PITH_OK;
}

static pith_status special(const reader *r, const char *name, int64_t id, int32_t *out,
                           pith_error *err)
{
    if (id < -1 || id >= r->l->n_tokens)
        return px_fail(err, PITH_E_FORMAT, "%s: %s is %lld; there are %d pieces", r->l->file, name,
                       (long long)id, (int)r->l->n_tokens);
    *out = (int32_t)id;
    return PITH_OK;
}

static pith_status finish(reader *r, pith_error *err)
{
    px_loader *l = r->l;
    px_vocab_def *def = l->def;
    if (l->n_tokens == 0)
        return px_fail(err, PITH_E_FORMAT, "%s: there are no pieces", l->file);
    if (r->model_type != 1 && r->model_type != 2)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "%s: model type %lld is not supported; Unigram (1) and BPE (2) are", l->file,
                       (long long)r->model_type);
    if (r->suffix || !r->escape)
        return px_fail(err, PITH_E_UNSUPPORTED,
                       "%s: white space as a suffix, or not escaped, is not supported", l->file);
    def->kind = r->model_type == 1 ? PX_VOCAB_UGM : PX_VOCAB_SPM;
    def->fuse_unk = r->model_type == 1;
    def->space_prefix = r->prefix ? PX_PREFIX_ALWAYS : PX_PREFIX_NONE;
    def->drop_space = r->prefix;
    if (r->charsmap.len > 0) {
        char *copy = px_arena_strndup(l->arena, r->charsmap.data, r->charsmap.len);
        if (!copy)
            return px_no_room(l->arena, r->charsmap.len, l->file, err);
        l->norms[def->n_norms++] =
            (px_norm_step){.op = PX_NORM_CHARSMAP, .a = {.data = copy, .len = r->charsmap.len}};
    }
    if (r->squeeze)
        l->norms[def->n_norms++] = (px_norm_step){.op = PX_NORM_SQUEEZE};
    def->norms = l->norms;
    pith_status st = special(r, "unk_id", r->unk, &def->unk, err);
    if (st == PITH_OK)
        st = special(r, "bos_id", r->bos, &def->bos, err);
    if (st == PITH_OK)
        st = special(r, "eos_id", r->eos, &def->eos, err);
    if (st == PITH_OK)
        st = special(r, "pad_id", r->pad, &def->pad, err);
    if (st != PITH_OK)
        return st;
    st = px_tokmap_build(&l->map, l->arena, l->tokens, l->n_tokens, err);
    if (st == PITH_E_FORMAT)
        px_prefix(err, "%s", l->file);
    return st;
}

pith_status px_load_spm(px_loader *l, const char *path, pith_error *err)
{
    px_buf bytes = {0};
    field f;
    pith_status st = px_file_read(path, PX_MAX_REFUSED_BYTES / 2, &bytes, err);
    reader r = {.l = l,
                .file = px_cursor_over(bytes.data ? bytes.data : "", bytes.len),
                .model_type = 1,
                .bos = 1,
                .eos = 2,
                .pad = -1,
                .prefix = true,
                .squeeze = true,
                .escape = true};
    while (st == PITH_OK && px_cursor_left(&r.file) > 0) {
        st = get_field(&r, &r.file, &f, err);
        if (st != PITH_OK || f.wire != 2)
            continue;
        if (f.number == 1)
            st = read_piece(&r, f.bytes, err);
        else if (f.number == 2)
            st = read_trainer(&r, f.bytes, err);
        else if (f.number == 3)
            st = read_normalizer(&r, f.bytes, err);
    }
    if (st == PITH_OK)
        st = finish(&r, err);
    px_buf_clear(&bytes);
    return st;
}
