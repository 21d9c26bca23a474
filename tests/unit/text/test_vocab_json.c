/*
 * A folder's tokenizer files: what is refused, with file and line, and what the settings mean. Good
 * files are compared with the reference in tests/golden/test_tokenizers.c.
 */
#include "base/mem.h"

#include "vocab_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A small byte-level BPE, one thing a line. */
static const char good[] =
    "{\"version\":\"1.0\",\n"
    "\"added_tokens\":[\n"
    "{\"id\":6,\"content\":\"<s>\",\"special\":true,\"lstrip\":false,\"normalized\":false},\n"
    "{\"id\":7,\"content\":\"</s>\",\"special\":true,\"normalized\":false}],\n"
    "\"normalizer\":{\"type\":\"NFC\"},\n"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},\n"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\n"
    "\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\"}}],"
    "\n"
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[6],\"tokens\":[\"<s>\"]}}},\n"
    "\"decoder\":{\"type\":\"ByteLevel\"},\n"
    "\"model\":{\"type\":\"BPE\",\n"
    "\"unk_token\":null,\"byte_fallback\":false,\n"
    "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\n"
    "\"ab\":3,\n"
    "\"abc\":4,\"\xc4\xa0\":5},\n"
    "\"merges\":[\"a b\",\n"
    "[\"ab\",\"c\"]]}}\n";

static const char *folder(void)
{
    const char *path = test_temp("folder");
    if (!test_exists(path))
        assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

static void put(const char *name, const char *text, size_t n)
{
    test_write(test_format("%s/%s", folder(), name), text, n);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void clear(void)
{
    static const char *const names[] = {"tokenizer.json",         "tokenizer.model",
                                        "tokenizer_config.json",  "special_tokens_map.json",
                                        "generation_config.json", "config.json",
                                        "added_tokens.json",      "chat_template.jinja"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(test_format("%s/%s", folder(), names[i]));
}

/* Loads the folder; the memory for it is bounded. */
static pith_status load(px_tokenizer **out, pith_error *err)
{
    px_arena arena;
    px_vocab_def def;
    *out = NULL;
    px_arena_init(&arena, 0, PX_MAX_REFUSED_BYTES);
    pith_status st = px_vocab_load_folder(folder(), &arena, &def, err);
    if (st == PITH_OK)
        st = px_tokenizer_new(&def, out, err);
    assert_true(arena.held <= PX_MAX_REFUSED_BYTES);
    px_arena_clear(&arena);
    return st;
}

/* `good` with one stretch of it replaced. */
static void put_changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    if (!at)
        fail_msg("'%s' is not in the file", from);
    const char *text = test_format("%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    put_text("tokenizer.json", text);
}

static void takes(void **state)
{
    (void)state;
    pith_error err = {0};
    px_tokenizer *tok;
    clear();
    put_text("tokenizer.json", good);
    if (load(&tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    px_ids ids = vocab_ids(tok, "abcb a<s>", 9, PX_TOK_BOS_EOS | PX_TOK_SPECIAL);
    vocab_same("abcb a<s>", &ids, (const int32_t[]){6, 4, 1, 5, 0, 6}, 6);
    px_ids_clear(&ids);
    px_tokenizer_free(tok);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        pith_status status;
        const char *text; // behind "'FOLDER': tokenizer.json: "
    } rows[] = {
        {"\"c\":2", "\"c\":-2", PITH_E_FORMAT, "line 13: -2 is here, expected 0 to 4194303"},
        {"\"c\":2", "\"c\":4194304", PITH_E_FORMAT, "line 13: 4194304 is here"},
        {"\"c\":2", "\"c\":\"2\"", PITH_E_FORMAT, "line 13: a string is here, expected an integer"},
        {"\"c\":2", "\"c\":1", PITH_E_FORMAT, "line 13: id 1 is given twice"},
        {"\"ab\":3", "\"a\":3", PITH_E_FORMAT, "line 13: tokens 0 and 3 are both \"a\""},
        {"\"ab\":3", "\"\":3", PITH_E_FORMAT, "line 14: a token without text"},
        {"\"c\":2", "\"c\":4000000", PITH_E_LIMIT, NULL},
        {"\"c\":2", "\"c\":400000", PITH_E_FORMAT,
         "line 15: the vocabulary has 6 tokens, but their ids go up to 400000"},
        {"\"a b\"", "\"a d\"", PITH_E_FORMAT,
         "line 16: merge of \"a\" and \"d\": \"d\" is no token"},
        {"[\"ab\",\"c\"]", "[\"ab\",\"b\"]", PITH_E_FORMAT,
         "line 17: merge of \"ab\" and \"b\": \"abb\" is no token"},
        {"\"a b\"", "\"ab\"", PITH_E_FORMAT, "line 16: a merge is \"ab\", expected two tokens"},
        {"\"a b\"", "\"a b c\"", PITH_E_FORMAT, "line 16: a merge is \"a b c\""},
        {"[\"ab\",\"c\"]", "[\"ab\"]", PITH_E_FORMAT,
         "line 17: the end of an array is here, expected a string"},
        {"[\"ab\",\"c\"]", "[\"ab\",\"c\",\"d\"]", PITH_E_FORMAT,
         "line 17: a string is here, expected the end of an array"},
        {"[\"ab\",\"c\"]", "17", PITH_E_FORMAT, "line 17: a number is here, expected a merge"},
        {"\"merges\":[", "\"merges\":{\"a\":", PITH_E_FORMAT,
         "line 16: an object is here, expected an array of merges"},
        {"\"vocab\":{", "\"vocab\":true,\"v\":{", PITH_E_FORMAT,
         "line 13: true is here, expected a vocabulary"},
        {"\"vocab\":{", "\"vocab\":{},\"v\":{", PITH_E_FORMAT, "line 13: the vocabulary is empty"},
        {"\"vocab\"", "\"vocabulary\"", PITH_E_FORMAT, "there is no vocabulary"},
        {"\"BPE\"", "\"WordLevel\"", PITH_E_UNSUPPORTED, "model \"WordLevel\" is not supported"},
        {"\"BPE\"", "7", PITH_E_FORMAT, "line 11: a number is here, expected a string"},
        {"\"unk_token\":null", "\"unk_token\":\"<x>\"", PITH_E_FORMAT,
         "unk_token is \"<x>\", which is no token"},
        {"\"unk_token\":null", "\"dropout\":0.1", PITH_E_UNSUPPORTED, "line 12: dropout"},
        {"\"unk_token\":null", "\"end_of_word_suffix\":\"</w>\"", PITH_E_UNSUPPORTED,
         "line 12: a model with end_of_word_suffix"},
        {"\"unk_token\":null", "\"continuing_subword_prefix\":\"##\"", PITH_E_UNSUPPORTED,
         "a BPE model with continuing_subword_prefix"},
        {"\"byte_fallback\":false", "\"byte_fallback\":1", PITH_E_FORMAT,
         "line 12: a number is here, expected true or false"},
        {"\"id\":6", "\"id\":2", PITH_E_FORMAT,
         "line 3: added token \"<s>\": the vocabulary has another text at this id"},
        {"\"id\":6", "\"id\":7", PITH_E_FORMAT,
         "line 4: added token \"</s>\": the vocabulary has another text at this id"},
        {"\"id\":6", "\"id\":null", PITH_E_FORMAT, "line 3: null is here, expected an integer"},
        {"\"id\":6,", "", PITH_E_FORMAT, "line 3: an added token without an id or without content"},
        {"\"content\":\"<s>\"", "\"content\":\"\"", PITH_E_FORMAT, "line 3: an added token"},
        {"\"special\":true", "\"special\":0", PITH_E_FORMAT, "line 3: a number is here"},
        {"\"NFC\"", "\"Nmt\"", PITH_E_UNSUPPORTED, "line 5: normalizer \"Nmt\" is not supported"},
        {"{\"type\":\"NFC\"}", "[]", PITH_E_FORMAT, "line 5: a normalizer is an array"},
        {"{\"type\":\"NFC\"}", "{}", PITH_E_FORMAT, "line 5: a normalizer has no type"},
        {"{\"type\":\"NFC\"}", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"X\"}]}",
         PITH_E_UNSUPPORTED, "line 5: normalizer \"X\""},
        {"{\"type\":\"NFC\"}", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A*\"}",
         PITH_E_FORMAT, "line 5: the precompiled map is not written in base 64"},
        {"{\"type\":\"NFC\"}", "{\"type\":\"Replace\",\"pattern\":\"x\",\"content\":\"\"}",
         PITH_E_FORMAT, "line 5: a pattern is neither a String nor a Regex"},
        {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
         "{\"type\":\"UnicodeScripts\"}", PITH_E_UNSUPPORTED,
         "line 6: pre-tokenizer \"UnicodeScripts\""},
        {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
         "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x\"},\"behavior\":\"Odd\"}",
         PITH_E_UNSUPPORTED, "line 6: behavior \"Odd\""},
        {"\"TemplateProcessing\"", "\"Other\"", PITH_E_UNSUPPORTED,
         "line 7: post-processor \"Other\""},
        {"\"ids\":[6]", "\"ids\":[8]", PITH_E_FORMAT, "line 8: the template's special token"},
        {"\"ids\":[6]", "\"ids\":[6,7]", PITH_E_FORMAT, "line 8: the template's special token"},
        {"{\"Sequence\":{\"id\":\"A\"}}",
         "{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}", PITH_E_UNSUPPORTED,
         "line 8: a template with several special tokens"},
        {"\"decoder\":{\"type\":\"ByteLevel\"}", "\"decoder\":{\"type\":\"CTC\"}",
         PITH_E_UNSUPPORTED, "line 10: decoder \"CTC\""},
        {"]]}}", "]]}", PITH_E_FORMAT, "line 18: the file ends too early"},
        {"]]}}", "]]}}}", PITH_E_FORMAT, "line 17: something follows the end of the document"},
        {"\"model\":{", "\"model\":[", PITH_E_FORMAT,
         "line 11: an array is here, expected an object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pith_error err = {0};
        px_tokenizer *tok;
        clear();
        put_changed(rows[i].from, rows[i].to);
        pith_status st = load(&tok, &err);
        const char *start =
            rows[i].text ? test_format("'%s': tokenizer.json: %s", folder(), rows[i].text)
                         : test_format("'%s': tokenizer.json needs more than 64 MiB", folder());
        if (st != rows[i].status || strncmp(err.text, start, strlen(start)) != 0)
            fail_msg("row %zu, %s: status '%s', text '%s', expected '%s'", i, rows[i].to,
                     pith_status_text(st), err.text, start);
        assert_null(tok);
    }
}

/* Merges before the vocabulary are read in a second go. */
static void merges_first(void **state)
{
    (void)state;
    pith_error err = {0};
    px_tokenizer *tok;
    clear();
    put_changed("\"unk_token\":null", "\"merges\":[\"a b\",\"ab c\"],\"unk_token\":null");
    char *text = test_read(test_format("%s/tokenizer.json", folder()), NULL);
    char *second = strstr(text, "},\n\"merges\"");
    assert_non_null(second);
    memcpy(second, "}}}\n", 5);
    put_text("tokenizer.json", text);
    if (load(&tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    px_ids ids = vocab_ids(tok, "abc", 3, 0);
    vocab_same("abc", &ids, (const int32_t[]){4}, 1);
    px_ids_clear(&ids);
    px_tokenizer_free(tok);
}

/* Cut off anywhere, a file is FORMAT; so is a line's number in the sentence. */
static void truncated(void **state)
{
    (void)state;
    static const char *const names[] = {"bert", "llama", "unigram"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        char *text = test_read(
            test_source(test_format("tests/golden/tokenizers/mini/%s/tokenizer.json", names[i])),
            &n);
        clear();
        for (size_t len = 0; len + 1 < n; len += i == 0 && len < 3000 ? 1 : 61) {
            pith_error err = {0};
            px_tokenizer *tok;
            put("tokenizer.json", text, len);
            pith_status st = load(&tok, &err);
            if (st != PITH_E_FORMAT || !strstr(err.text, "tokenizer.json: line "))
                fail_msg("%s cut at %zu: status '%s', text '%s'", names[i], len,
                         pith_status_text(st), err.text);
        }
    }
}

/* Bytes changed at random never do harm, and never cost more than the limit. */
static void changed(void **state)
{
    (void)state;
    static const char *const names[] = {"bert/tokenizer.json", "roberta/tokenizer.json",
                                        "unigram/tokenizer.json", "spm_bpe/tokenizer.model",
                                        "spm_unigram/tokenizer.model"};
    test_random r = test_random_start(11);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n;
        char *text =
            test_read(test_source(test_format("tests/golden/tokenizers/mini/%s", names[i])), &n);
        clear();
        for (int round = 0; round < 300; round++) {
            char *copy = malloc(n);
            assert_non_null(copy);
            memcpy(copy, text, n);
            for (int k = 0; k < 3; k++)
                copy[test_random_below(&r, test_random_below(&r, 2) ? n : 600)] =
                    (char)test_random_u64(&r);
            put(strchr(names[i], '/') + 1, copy, n);
            free(copy);
            pith_error err = {0};
            px_tokenizer *tok;
            pith_status st = load(&tok, &err);
            assert_true((st == PITH_OK) == (tok != NULL));
            assert_true(st == PITH_OK || st == PITH_E_FORMAT || st == PITH_E_UNSUPPORTED ||
                        st == PITH_E_LIMIT);
            if (tok) {
                px_ids ids = {0};
                px_tokenize(tok, "Hello <s> w\xc3\xb6rld", 16, PX_TOK_SPECIAL, &ids, &err);
                px_ids_clear(&ids);
            }
            px_tokenizer_free(tok);
        }
    }
}

static void settings(void **state)
{
    (void)state;
    pith_error err = {0};
    px_tokenizer *tok;
    clear();
    put_text("tokenizer.json", good);
    put_text("tokenizer_config.json",
             "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"pad_token\":\"none\"}");
    put_text("generation_config.json", "{\"eos_token_id\":[7,4]}");
    if (load(&tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    const px_vocab_def *def = px_tokenizer_def(tok);
    assert_int_equal(def->bos, 6);
    assert_int_equal(def->eos, 7);
    assert_int_equal(def->pad, -1);
    assert_true(def->add_bos && !def->add_eos);
    for (int32_t i = 0; i < 8; i++)
        assert_int_equal(px_token_ends(tok, i), i == 7 || i == 4);
    px_tokenizer_free(tok);
    /* The class decides about bos and eos, not the post-processor. */
    put_text("tokenizer_config.json",
             "{\"tokenizer_class\":\"LlamaTokenizerFast\",\"add_bos_token\":false,"
             "\"add_eos_token\":true}");
    assert_int_equal(load(&tok, &err), PITH_OK);
    def = px_tokenizer_def(tok);
    assert_true(!def->add_bos && def->add_eos && def->bos == 6 && def->eos == 7);
    px_tokenizer_free(tok);
    /* special_tokens_map.json and config.json where the others do not say. */
    clear();
    put_text("tokenizer.json", good);
    put_text("special_tokens_map.json", "{\"eos_token\":\"</s>\"}");
    put_text("config.json", "{\"bos_token_id\":6,\"eos_token_id\":1}");
    assert_int_equal(load(&tok, &err), PITH_OK);
    def = px_tokenizer_def(tok);
    assert_true(def->bos == 6 && def->eos == 7);
    px_tokenizer_free(tok);
}

static void bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        pith_status status;
        const char *text;
    } rows[] = {
        {"tokenizer_config.json", "{\n\"bos_token\":7}", PITH_E_FORMAT,
         "tokenizer_config.json: line 2: \"bos_token\" is neither a string nor"},
        {"tokenizer_config.json", "{\"bos_token\":\"</s>\"}", PITH_E_UNSUPPORTED,
         "tokenizer.json: the post-processor puts token 6 around a text where the settings name "
         "token 7"},
        {"tokenizer_config.json", "[]", PITH_E_FORMAT,
         "tokenizer_config.json: line 1: an array is here, expected an object"},
        {"tokenizer_config.json", "{", PITH_E_FORMAT,
         "tokenizer_config.json: line 1: the file ends too early"},
        {"tokenizer_config.json", "{\"tokenizer_class\":\"LlamaTokenizer\",\n\"add_bos_token\":1}",
         PITH_E_FORMAT, "tokenizer_config.json: line 2: \"add_bos_token\" is a number"},
        {"generation_config.json", "{\"eos_token_id\":\n8}", PITH_E_FORMAT,
         "generation_config.json: line 2: a token id is expected here, 0 to 7"},
        {"generation_config.json", "{\"eos_token_id\":[1,\n\"x\"]}", PITH_E_FORMAT,
         "generation_config.json: line 2: a token id is expected here"},
        {"special_tokens_map.json", "{\"a\":1,}", PITH_E_FORMAT,
         "special_tokens_map.json: line 1: a key is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pith_error err = {0};
        px_tokenizer *tok;
        clear();
        put_text("tokenizer.json", good);
        put_text(rows[i].name, rows[i].json);
        pith_status st = load(&tok, &err);
        const char *start = test_format("'%s': %s", folder(), rows[i].text);
        if (st != rows[i].status || strncmp(err.text, start, strlen(start)) != 0)
            fail_msg("%s: status '%s', text '%s', expected '%s'", rows[i].json,
                     pith_status_text(st), err.text, start);
    }
    pith_error err = {0};
    px_tokenizer *tok;
    clear();
    assert_int_equal(load(&tok, &err), PITH_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "there is neither tokenizer.json nor tokenizer.model"));
}

static void bad_model(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        pith_status status;
        const char *text;
    } rows[] = {
        {"", 0, PITH_E_FORMAT, "there are no pieces"},
        {"\x80", 1, PITH_E_FORMAT, "byte 1: a field without a number"},
        {"\x0a\x05\x0a\x01", 4, PITH_E_FORMAT, "byte 2: a field is longer than what is left"},
        {"\x0a\x03\x0a\x05\x61", 5, PITH_E_FORMAT, "byte 4: a field is longer than what is left"},
        {"\x0a\x00", 2, PITH_E_FORMAT, "byte 2: a piece without text"},
        {"\x0a\x05\x0a\x01\x61\x18\x09", 7, PITH_E_FORMAT, "byte 7: a piece of an unknown type"},
        {"\x0a\x08\x0a\x01\x61\x15\x00\x00\xc0\x7f", 10, PITH_E_FORMAT,
         "byte 10: a score that is not finite"},
        {"\x0b", 1, PITH_E_FORMAT, "byte 1: a field of an unknown kind"},
        {"\x0a\x03\x0a\x01\x61\x12\x02\x18\x03", 9, PITH_E_UNSUPPORTED,
         "model type 3 is not supported"},
        {"\x0a\x03\x0a\x01\x61\x12\x03\xc0\x02\x07", 10, PITH_E_FORMAT,
         "unk_id is 7; there are 1 pieces"},
        {"\x0a\x03\x0a\x01\x61\x1a\x02\x28\x00", 9, PITH_E_UNSUPPORTED,
         "white space as a suffix, or not escaped"},
        {"\x0a\x03\x0a\x01\x61\x0a\x03\x0a\x01\x61"
         "\x12\x09\xc0\x02\x00\xc8\x02\x00\xd0\x02\x00",
         21, PITH_E_FORMAT, "tokens 0 and 1 are both \"a\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pith_error err = {0};
        px_tokenizer *tok;
        clear();
        put("tokenizer.model", rows[i].bytes, rows[i].n);
        pith_status st = load(&tok, &err);
        const char *start = test_format("'%s': tokenizer.model: %s", folder(), rows[i].text);
        if (st != rows[i].status || strncmp(err.text, start, strlen(start)) != 0)
            fail_msg("row %zu: status '%s', text '%s', expected '%s'", i, pith_status_text(st),
                     err.text, start);
    }
}

/* Tokens put on top of tokenizer.model. */
static void added_to_model(void **state)
{
    (void)state;
    pith_error err = {0};
    px_tokenizer *tok;
    size_t n;
    char *model =
        test_read(test_source("tests/golden/tokenizers/mini/spm_bpe/tokenizer.model"), &n);
    clear();
    put("tokenizer.model", model, n);
    put_text("added_tokens.json", "{\"<extra>\": 901}");
    put_text("tokenizer_config.json",
             "{\"tokenizer_class\":\"LlamaTokenizer\",\"added_tokens_decoder\":{"
             "\"1\":{\"content\":\"<s>\",\"special\":true,\"normalized\":false},"
             "\"900\":{\"content\":\"<|end|>\",\"special\":true,\"rstrip\":true}}}");
    if (load(&tok, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_int_equal(px_tokenizer_size(tok), 902);
    assert_true(px_token_ends(tok, 900)); // by its name
    px_ids ids = vocab_ids(tok, "<extra><|end|>  <|end|", 22, PX_TOK_SPECIAL | PX_TOK_BOS_EOS);
    assert_int_equal(ids.ids[0], 1);
    assert_int_equal(ids.ids[1], 901);
    assert_int_equal(ids.ids[2], 900);
    assert_int_equal(ids.ends[2], 16); // with the space behind it
    px_ids_clear(&ids);
    px_tokenizer_free(tok);
    put_text("added_tokens.json", "{\"<extra>\": 7}");
    assert_int_equal(load(&tok, &err), PITH_E_FORMAT);
    assert_non_null(strstr(err.text, "token 7 is \"<extra>\" here"));
}

static void templates(void **state)
{
    (void)state;
    px_arena arena;
    px_str text;
    pith_error err = {0};
    px_arena_init(&arena, 0, 1 << 20);
    clear();
    assert_int_equal(px_folder_template(folder(), NULL, &arena, &text, &err), PITH_OK);
    assert_null(text.data);
    put_text("tokenizer_config.json", "{\"chat_template\":\"{{ x }}\"}");
    assert_int_equal(px_folder_template(folder(), NULL, &arena, &text, &err), PITH_OK);
    assert_true(px_str_is(text, "{{ x }}"));
    assert_int_equal(px_folder_template(folder(), "tool_use", &arena, &text, &err), PITH_OK);
    assert_null(text.data);
    put_text("tokenizer_config.json",
             "{\"chat_template\":[{\"name\":\"default\",\"template\":\"D\"},"
             "{\"name\":\"tool_use\",\"template\":\"T\"}]}");
    assert_int_equal(px_folder_template(folder(), NULL, &arena, &text, &err), PITH_OK);
    assert_true(px_str_is(text, "D"));
    assert_int_equal(px_folder_template(folder(), "tool_use", &arena, &text, &err), PITH_OK);
    assert_true(px_str_is(text, "T"));
    assert_int_equal(px_folder_template(folder(), "../x", &arena, &text, &err), PITH_OK);
    assert_null(text.data);
    put_text("chat_template.jinja", "J\n");
    assert_int_equal(px_folder_template(folder(), NULL, &arena, &text, &err), PITH_OK);
    assert_true(px_str_is(text, "J\n"));
    clear();
    put_text("tokenizer_config.json", "{\n\n\"chat_template\":5}");
    assert_int_equal(px_folder_template(folder(), NULL, &arena, &text, &err), PITH_E_FORMAT);
    assert_non_null(
        strstr(err.text, "tokenizer_config.json: line 3: \"chat_template\" is neither"));
    px_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes),          cmocka_unit_test(refuses),
        cmocka_unit_test(merges_first),   cmocka_unit_test(truncated),
        cmocka_unit_test(changed),        cmocka_unit_test(settings),
        cmocka_unit_test(bad_settings),   cmocka_unit_test(bad_model),
        cmocka_unit_test(added_to_model), cmocka_unit_test(templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
