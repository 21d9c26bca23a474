/*
 * vocab_steps: what the components of tokenizer.json say, as steps of a definition. A component
 * that is not known is UNSUPPORTED, with its line: leaving one out would give other ids.
 *
 * SentencePiece's ways of writing spaces are brought to one form. A model is of that family when
 * its normalizer replaces " " by U+2581 or its pre-tokenizer is Metaspace; those steps, and a
 * normalizer that puts U+2581 first, become def->space_prefix.
 */
#include "base/utf8.h"
#include "text/loader.h"

#define META_SPACE "\xe2\x96\x81"
#define GPT2_WORDS \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static pith_status unsupported(px_loader *l, const px_jnode *node, const char *what, px_str name,
                               pith_error *err)
{
    return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED, "%s \"%.*s\" is not supported",
                         what, PX_STR_ARG(name));
}

/* The component's "type". */
static pith_status type_of(px_loader *l, const px_jnode *node, const char *what, px_str *type,
                           pith_error *err)
{
    *type = (px_str){0};
    if (node->kind != PX_JSON_OBJECT)
        return px_jtree_fail(l->file, node, err, PITH_E_FORMAT, "%s is %s, expected an object",
                             what, px_json_event_name(node->kind));
    pith_status st = px_jtree_str(l->file, node, "type", type, err);
    if (st == PITH_OK && type->len == 0)
        return px_jtree_fail(l->file, node, err, PITH_E_FORMAT, "%s has no type", what);
    return st;
}

/* The array that a Sequence holds under `key`. */
static pith_status list_of(px_loader *l, const px_jnode *node, const char *key,
                           const px_jnode **first, pith_error *err)
{
    const px_jnode *list = px_jtree_get(node, key);
    if (!list || list->kind != PX_JSON_ARRAY)
        return px_jtree_fail(l->file, node, err, PITH_E_FORMAT, "a Sequence has no array \"%s\"",
                             key);
    *first = list->first;
    return PITH_OK;
}

/* {"String": ...} or {"Regex": ...} */
static pith_status pattern_of(px_loader *l, const px_jnode *node, px_str *out, bool *regex,
                              pith_error *err)
{
    const px_jnode *pattern = px_jtree_get(node, "pattern");
    const px_jnode *text = px_jtree_get(pattern, "String");
    *regex = !text;
    if (!text)
        text = px_jtree_get(pattern, "Regex");
    if (!text || text->kind != PX_JSON_STRING)
        return px_jtree_fail(l->file, pattern ? pattern : node, err, PITH_E_FORMAT,
                             "a pattern is neither a String nor a Regex");
    *out = text->text;
    return PITH_OK;
}

/* ---- normalizer */

static pith_status add_norm(px_loader *l, const px_jnode *node, px_norm_step step, pith_error *err)
{
    if (l->def->n_norms == PX_MAX_STEPS)
        return px_jtree_fail(l->file, node, err, PITH_E_LIMIT, "more than %d normalizers",
                             PX_MAX_STEPS);
    l->norms[l->def->n_norms++] = step;
    return PITH_OK;
}

static pith_status bert_norm(px_loader *l, const px_jnode *node, pith_error *err)
{
    bool clean = true, cjk = true, lower = true;
    pith_status st = px_jtree_bool(l->file, node, "clean_text", &clean, err);
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "handle_chinese_chars", &cjk, err);
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "lowercase", &lower, err);
    bool strip = lower; // null means: as lowercase
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "strip_accents", &strip, err);
    if (st != PITH_OK)
        return st;
    int32_t flags = (clean ? PX_BERT_CLEAN : 0) | (cjk ? PX_BERT_CJK : 0) |
                    (lower ? PX_BERT_LOWERCASE : 0) | (strip ? PX_BERT_STRIP_ACCENTS : 0);
    return add_norm(l, node, (px_norm_step){.op = PX_NORM_BERT, .flag = flags}, err);
}

static pith_status strip_norm(px_loader *l, const px_jnode *node, pith_error *err)
{
    bool left = true, right = true;
    pith_status st = px_jtree_bool(l->file, node, "strip_left", &left, err);
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "strip_right", &right, err);
    if (st != PITH_OK)
        return st;
    return add_norm(l, node, (px_norm_step){.op = PX_NORM_STRIP, .flag = left | right << 1}, err);
}

static pith_status replace_norm(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_norm_step step = {.op = PX_NORM_REPLACE};
    bool regex;
    pith_status st = pattern_of(l, node, &step.a, &regex, err);
    step.flag = regex;
    if (st == PITH_OK)
        st = px_jtree_str(l->file, node, "content", &step.b, err);
    return st == PITH_OK ? add_norm(l, node, step, err) : st;
}

/* Base 64 (RFC 4648) into the arena. */
static pith_status decode64(px_loader *l, const px_jnode *node, px_str text, px_str *out,
                            pith_error *err)
{
    uint8_t *bytes = px_arena_alloc(l->arena, text.len / 4 * 3 + 3, 1);
    uint32_t bits = 0;
    int n_bits = 0;
    size_t n = 0;
    if (!bytes)
        return px_no_room(l->arena, text.len, l->file, err);
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        char c = text.data[i];
        uint32_t v = c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
                     : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a' + 26)
                     : c >= '0' && c <= '9' ? (uint32_t)(c - '0' + 52)
                     : c == '+'             ? 62
                     : c == '/'             ? 63
                                            : 64;
        if (v == 64)
            return px_jtree_fail(l->file, node, err, PITH_E_FORMAT,
                                 "the precompiled map is not written in base 64");
        bits = bits << 6 | v;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    *out = (px_str){.data = (const char *)bytes, .len = n};
    return PITH_OK;
}

static pith_status map_norm(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_str text = {0};
    px_norm_step step = {.op = PX_NORM_CHARSMAP};
    pith_status st = px_jtree_str(l->file, node, "precompiled_charsmap", &text, err);
    if (st != PITH_OK || text.len == 0)
        return st;
    st = decode64(l, node, text, &step.a, err);
    return st == PITH_OK ? add_norm(l, node, step, err) : st;
}

static pith_status read_norm(px_loader *l, const px_jnode *node, pith_error *err)
{
    static const struct {
        const char *type;
        px_norm_op op;
    } plain[] = {
        {"NFC", PX_NORM_NFC},
        {"NFD", PX_NORM_NFD},
        {"NFKC", PX_NORM_NFKC},
        {"NFKD", PX_NORM_NFKD},
        {"Lowercase", PX_NORM_LOWERCASE},
        {"StripAccents", PX_NORM_STRIP_ACCENTS},
    };
    px_str type;
    pith_status st = type_of(l, node, "a normalizer", &type, err);
    if (st != PITH_OK)
        return st;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (px_str_is(type, plain[i].type))
            return add_norm(l, node, (px_norm_step){.op = plain[i].op}, err);
    if (px_str_is(type, "Sequence")) {
        const px_jnode *child = NULL;
        st = list_of(l, node, "normalizers", &child, err);
        for (; child && st == PITH_OK; child = child->next)
            st = read_norm(l, child, err);
        return st;
    }
    if (px_str_is(type, "Replace"))
        return replace_norm(l, node, err);
    if (px_str_is(type, "Prepend")) {
        px_norm_step step = {.op = PX_NORM_PREPEND};
        st = px_jtree_str(l->file, node, "prepend", &step.a, err);
        return st == PITH_OK ? add_norm(l, node, step, err) : st;
    }
    if (px_str_is(type, "Strip"))
        return strip_norm(l, node, err);
    if (px_str_is(type, "BertNormalizer"))
        return bert_norm(l, node, err);
    if (px_str_is(type, "Precompiled"))
        return map_norm(l, node, err);
    return unsupported(l, node, "normalizer", type, err);
}

/* ---- pre-tokenizer */

static pith_status add_cut(px_loader *l, const px_jnode *node, px_cut_step step, pith_error *err)
{
    if (l->def->n_cuts == PX_MAX_STEPS)
        return px_jtree_fail(l->file, node, err, PITH_E_LIMIT, "more than %d pre-tokenizers",
                             PX_MAX_STEPS);
    if (l->byte_level)
        return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED,
                             "a pre-tokenizer after ByteLevel is not supported");
    l->cuts[l->def->n_cuts++] = step;
    return PITH_OK;
}

static pith_status behavior_of(px_loader *l, const px_jnode *node, px_cut_behavior *out,
                               pith_error *err)
{
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    px_str name = {0};
    pith_status st = px_jtree_str(l->file, node, "behavior", &name, err);
    if (st != PITH_OK)
        return st;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (px_str_is(name, names[i])) {
            *out = (px_cut_behavior)i;
            return PITH_OK;
        }
    return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED, "behavior \"%.*s\"",
                         PX_STR_ARG(name));
}

static pith_status split_cut(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_cut_step step = {0};
    bool regex;
    pith_status st = pattern_of(l, node, &step.pattern, &regex, err);
    step.op = regex ? PX_CUT_REGEX : PX_CUT_LITERAL;
    if (st == PITH_OK)
        st = behavior_of(l, node, &step.behavior, err);
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "invert", &step.invert, err);
    return st == PITH_OK ? add_cut(l, node, step, err) : st;
}

static pith_status byte_level_cut(px_loader *l, const px_jnode *node, pith_error *err)
{
    bool prefix = true, words = true;
    pith_status st = px_jtree_bool(l->file, node, "add_prefix_space", &prefix, err);
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "use_regex", &words, err);
    if (st != PITH_OK)
        return st;
    if (prefix && l->def->n_cuts > 0)
        return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED,
                             "ByteLevel with a prefix space for each word is not supported");
    if (prefix)
        l->def->space_prefix = PX_PREFIX_MISSING;
    if (words)
        st = add_cut(l, node, (px_cut_step){.op = PX_CUT_REGEX, .pattern = px_str_of(GPT2_WORDS)},
                     err);
    l->byte_level = true;
    return st;
}

static pith_status digits_cut(px_loader *l, const px_jnode *node, pith_error *err)
{
    bool each = false;
    pith_status st = px_jtree_bool(l->file, node, "individual_digits", &each, err);
    if (st != PITH_OK)
        return st;
    return add_cut(l, node, (px_cut_step){.op = PX_CUT_DIGITS, .flag = each}, err);
}

/* The prefix that Metaspace (pre-tokenizer or decoder) asks for. */
static pith_status metaspace_of(px_loader *l, const px_jnode *node, px_space_prefix *prefix,
                                bool *split, pith_error *err)
{
    px_str replacement = {0}, scheme = {0};
    bool add = true;
    pith_status st = px_jtree_str(l->file, node, "replacement", &replacement, err);
    if (st == PITH_OK && !px_str_is(replacement, META_SPACE))
        return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED,
                             "Metaspace with replacement \"%.*s\" is not supported",
                             PX_STR_ARG(replacement));
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "add_prefix_space", &add, err);
    if (st == PITH_OK)
        st = px_jtree_str(l->file, node, "prepend_scheme", &scheme, err);
    *split = true;
    if (st == PITH_OK)
        st = px_jtree_bool(l->file, node, "split", split, err);
    if (st != PITH_OK)
        return st;
    if (px_str_is(scheme, "first"))
        *prefix = PX_PREFIX_FIRST;
    else if (px_str_is(scheme, "never") || (scheme.len == 0 && !add))
        *prefix = PX_PREFIX_NONE;
    else if (scheme.len == 0 || px_str_is(scheme, "always"))
        *prefix = PX_PREFIX_MISSING;
    else
        return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED, "prepend_scheme \"%.*s\"",
                             PX_STR_ARG(scheme));
    return PITH_OK;
}

/* After WhitespaceSplit, Metaspace puts its mark before each word: the same as single spaces
 * between them. */
static pith_status words_to_spaces(px_loader *l, const px_jnode *node, pith_error *err)
{
    l->def->n_cuts--;
    pith_status st = add_norm(l, node, (px_norm_step){.op = PX_NORM_STRIP, .flag = 3}, err);
    if (st == PITH_OK)
        st = add_norm(
            l, node,
            (px_norm_step){
                .op = PX_NORM_REPLACE, .flag = 1, .a = px_str_of("\\s+"), .b = px_str_of(" ")},
            err);
    return st;
}

static pith_status metaspace_cut(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_vocab_def *def = l->def;
    bool split;
    pith_status st = metaspace_of(l, node, &def->space_prefix, &split, err);
    if (st != PITH_OK)
        return st;
    if (def->n_cuts == 1 && l->cuts[0].op == PX_CUT_SPACE && split &&
        def->space_prefix == PX_PREFIX_MISSING)
        st = words_to_spaces(l, node, err);
    else if (def->n_cuts > 0)
        return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED,
                             "Metaspace after other pre-tokenizers is not supported");
    l->meta_space = true;
    if (st == PITH_OK && split)
        st = add_cut(l, node, (px_cut_step){.op = PX_CUT_METASPACE}, err);
    return st;
}

static pith_status read_cut(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_str type;
    pith_status st = type_of(l, node, "a pre-tokenizer", &type, err);
    if (st != PITH_OK)
        return st;
    if (px_str_is(type, "Sequence")) {
        const px_jnode *child = NULL;
        st = list_of(l, node, "pretokenizers", &child, err);
        for (; child && st == PITH_OK; child = child->next)
            st = read_cut(l, child, err);
        return st;
    }
    if (px_str_is(type, "Split"))
        return split_cut(l, node, err);
    if (px_str_is(type, "ByteLevel"))
        return byte_level_cut(l, node, err);
    if (px_str_is(type, "Digits"))
        return digits_cut(l, node, err);
    if (px_str_is(type, "Metaspace"))
        return metaspace_cut(l, node, err);
    if (px_str_is(type, "Whitespace"))
        return add_cut(l, node, (px_cut_step){.op = PX_CUT_WHITESPACE}, err);
    if (px_str_is(type, "WhitespaceSplit"))
        return add_cut(l, node, (px_cut_step){.op = PX_CUT_SPACE}, err);
    if (px_str_is(type, "BertPreTokenizer"))
        return add_cut(l, node, (px_cut_step){.op = PX_CUT_BERT}, err);
    if (px_str_is(type, "Punctuation")) {
        px_cut_step step = {.op = PX_CUT_PUNCTUATION};
        if (px_jtree_get(node, "behavior"))
            st = behavior_of(l, node, &step.behavior, err);
        return st == PITH_OK ? add_cut(l, node, step, err) : st;
    }
    if (px_str_is(type, "CharDelimiterSplit")) {
        px_cut_step step = {.op = PX_CUT_LITERAL, .behavior = PX_CUT_REMOVED};
        st = px_jtree_str(l->file, node, "delimiter", &step.pattern, err);
        return st == PITH_OK ? add_cut(l, node, step, err) : st;
    }
    return unsupported(l, node, "pre-tokenizer", type, err);
}

/* ---- post-processor */

/* The id of a special token of a template. */
static pith_status template_id(px_loader *l, const px_jnode *node, const px_jnode *piece,
                               int32_t *out, pith_error *err)
{
    px_str name = {0};
    pith_status st = px_jtree_str(l->file, piece, "id", &name, err);
    if (st != PITH_OK)
        return st;
    const px_jnode *table = px_jtree_get(node, "special_tokens"), *row = NULL, *ids = NULL;
    for (const px_jnode *child = table ? table->first : NULL; child; child = child->next)
        if (px_str_eq(child->key, name))
            row = child;
    ids = px_jtree_get(row, "ids");
    int64_t id;
    if (!ids || ids->kind != PX_JSON_ARRAY || ids->n != 1 || ids->first->kind != PX_JSON_NUMBER ||
        !px_json_int(ids->first->text, 0, l->n_tokens - 1, &id))
        return px_jtree_fail(l->file, piece, err, PITH_E_FORMAT,
                             "the template's special token \"%.*s\" has not one id of the "
                             "vocabulary",
                             PX_STR_ARG(name));
    *out = (int32_t)id;
    return PITH_OK;
}

static pith_status template_post(px_loader *l, const px_jnode *node, pith_error *err)
{
    const px_jnode *single = px_jtree_get(node, "single");
    bool after = false;
    if (!single || single->kind != PX_JSON_ARRAY)
        return px_jtree_fail(l->file, node, err, PITH_E_FORMAT,
                             "a template without an array \"single\"");
    for (const px_jnode *piece = single->first; piece; piece = piece->next) {
        const px_jnode *special = px_jtree_get(piece, "SpecialToken");
        if (!special) {
            if (!px_jtree_get(piece, "Sequence") || after)
                return px_jtree_fail(l->file, piece, err, PITH_E_UNSUPPORTED,
                                     "a template that is not special tokens around one text");
            after = true;
            continue;
        }
        int32_t *id = after ? &l->after : &l->before;
        if (*id >= 0)
            return px_jtree_fail(l->file, piece, err, PITH_E_UNSUPPORTED,
                                 "a template with several special tokens on one side of the text");
        pith_status st = template_id(l, node, special, id, err);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

/* ["[SEP]", 102] */
static pith_status pair_id(px_loader *l, const px_jnode *node, const char *key, int32_t *out,
                           pith_error *err)
{
    const px_jnode *pair = px_jtree_get(node, key);
    int64_t id;
    if (!pair || pair->kind != PX_JSON_ARRAY || pair->n != 2 ||
        pair->first->next->kind != PX_JSON_NUMBER ||
        !px_json_int(pair->first->next->text, 0, l->n_tokens - 1, &id))
        return px_jtree_fail(l->file, pair ? pair : node, err, PITH_E_FORMAT,
                             "\"%s\" is not a token with an id of the vocabulary", key);
    *out = (int32_t)id;
    return PITH_OK;
}

static pith_status read_post(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_str type;
    pith_status st = type_of(l, node, "a post-processor", &type, err);
    if (st != PITH_OK)
        return st;
    if (px_str_is(type, "Sequence")) {
        const px_jnode *child = NULL;
        st = list_of(l, node, "processors", &child, err);
        for (; child && st == PITH_OK; child = child->next)
            st = read_post(l, child, err);
        return st;
    }
    if (px_str_is(type, "ByteLevel"))
        return PITH_OK; // about offsets alone
    if (px_str_is(type, "TemplateProcessing"))
        return template_post(l, node, err);
    if (px_str_is(type, "BertProcessing") || px_str_is(type, "RobertaProcessing")) {
        st = pair_id(l, node, "cls", &l->before, err);
        return st == PITH_OK ? pair_id(l, node, "sep", &l->after, err) : st;
    }
    return unsupported(l, node, "post-processor", type, err);
}

/* ---- decoder: whether the first space goes, and that nothing else happens */

static pith_status strip_decoder(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_str content = {0};
    int64_t start = 0, stop = 0;
    pith_status st = px_jtree_str(l->file, node, "content", &content, err);
    if (st == PITH_OK)
        st = px_jtree_int(l->file, node, "start", 0, INT32_MAX, &start, err);
    if (st == PITH_OK)
        st = px_jtree_int(l->file, node, "stop", 0, INT32_MAX, &stop, err);
    if (st == PITH_OK && (!px_str_is(content, " ") || start > 1 || stop > 0))
        return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED,
                             "a decoder that strips more than one space at the beginning");
    l->def->drop_space |= start == 1;
    return st;
}

static pith_status read_decoder(px_loader *l, const px_jnode *node, pith_error *err)
{
    px_str type;
    pith_status st = type_of(l, node, "a decoder", &type, err);
    if (st != PITH_OK)
        return st;
    if (px_str_is(type, "Sequence")) {
        const px_jnode *child = NULL;
        st = list_of(l, node, "decoders", &child, err);
        for (; child && st == PITH_OK; child = child->next)
            st = read_decoder(l, child, err);
        return st;
    }
    if (px_str_is(type, "ByteLevel")) {
        l->byte_level = true;
        return PITH_OK;
    }
    if (px_str_is(type, "Metaspace")) {
        px_space_prefix prefix;
        bool split;
        st = metaspace_of(l, node, &prefix, &split, err);
        l->def->drop_space |= prefix != PX_PREFIX_NONE;
        return st;
    }
    if (px_str_is(type, "WordPiece")) {
        l->def->drop_space = true;
        return PITH_OK;
    }
    if (px_str_is(type, "Strip"))
        return strip_decoder(l, node, err);
    if (px_str_is(type, "Replace")) {
        px_str from = {0}, to = {0};
        bool regex;
        st = pattern_of(l, node, &from, &regex, err);
        if (st == PITH_OK)
            st = px_jtree_str(l->file, node, "content", &to, err);
        if (st == PITH_OK && (regex || !px_str_is(from, META_SPACE) || !px_str_is(to, " ")))
            return px_jtree_fail(l->file, node, err, PITH_E_UNSUPPORTED,
                                 "a decoder that replaces anything but U+2581 by a space");
        return st;
    }
    if (px_str_is(type, "ByteFallback") || px_str_is(type, "Fuse"))
        return PITH_OK;
    return unsupported(l, node, "decoder", type, err);
}

/* ---- all together */

/* Takes the writing of spaces out of the norms: a final Replace of " " by U+2581, and a Prepend of
 * U+2581 next to it. */
static void take_spaces(px_loader *l)
{
    px_vocab_def *def = l->def;
    int32_t n = 0;
    for (int32_t i = 0; i < def->n_norms; i++) {
        const px_norm_step *step = &l->norms[i];
        if (step->op == PX_NORM_REPLACE && !step->flag && px_str_is(step->a, " ") &&
            px_str_is(step->b, META_SPACE))
            l->meta_space = true;
        else if (step->op == PX_NORM_PREPEND && px_str_is(step->a, META_SPACE))
            def->space_prefix = PX_PREFIX_ALWAYS;
        else
            l->norms[n++] = *step;
    }
    def->n_norms = n;
    n = 0;
    for (int32_t i = 0; i < def->n_cuts; i++) { // there are no spaces left to cut at
        if (!l->meta_space || l->cuts[i].op != PX_CUT_LITERAL ||
            !px_str_is(l->cuts[i].pattern, " "))
            l->cuts[n++] = l->cuts[i];
    }
    def->n_cuts = n;
}

static pith_status find_kind(px_loader *l, pith_error *err)
{
    px_vocab_def *def = l->def;
    if (px_str_is(l->model, "BPE") || (l->model.len == 0 && l->n_merges > 0)) {
        if (!l->byte_level && !l->meta_space)
            return px_fail(err, PITH_E_UNSUPPORTED,
                           "%s: a BPE model with neither ByteLevel nor U+2581 for spaces is not "
                           "supported",
                           l->file);
        if (l->prefix.len > 0)
            return px_fail(err, PITH_E_UNSUPPORTED,
                           "%s: a BPE model with continuing_subword_prefix is not supported",
                           l->file);
        def->kind = l->byte_level ? PX_VOCAB_BPE : PX_VOCAB_SPM;
    } else if (px_str_is(l->model, "Unigram")) {
        def->kind = PX_VOCAB_UGM;
        def->fuse_unk = true;
        if (!l->meta_space)
            return px_fail(err, PITH_E_UNSUPPORTED,
                           "%s: a Unigram model without U+2581 for spaces is not supported",
                           l->file);
    } else if (px_str_is(l->model, "WordPiece")) {
        def->kind = PX_VOCAB_WPM;
    } else {
        return px_fail(err, PITH_E_UNSUPPORTED, "%s: model \"%.*s\" is not supported", l->file,
                       PX_STR_ARG(l->model));
    }
    return PITH_OK;
}

pith_status px_load_steps(px_loader *l, pith_error *err)
{
    px_vocab_def *def = l->def;
    pith_status st = PITH_OK;
    l->before = l->after = -1;
    def->norms = l->norms;
    def->cuts = l->cuts;
    if (l->normalizer)
        st = read_norm(l, l->normalizer, err);
    if (st == PITH_OK && l->pre_tokenizer)
        st = read_cut(l, l->pre_tokenizer, err);
    if (st == PITH_OK && l->post_processor)
        st = read_post(l, l->post_processor, err);
    if (st == PITH_OK && l->decoder)
        st = read_decoder(l, l->decoder, err);
    if (st != PITH_OK)
        return st;
    take_spaces(l);
    return find_kind(l, err);
}
