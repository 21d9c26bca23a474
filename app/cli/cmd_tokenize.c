/* tokenize: text to token ids and back. */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/term.h"
#include "pith.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    const pith_tokenizer *tok;
    uint32_t flags;
    bool ids_only, json;
    bool special;
} request;

/* Tokenizes into a list that the caller frees with px_free. */
static pith_status encode(const request *r, const char *text, size_t len, int32_t **ids, int64_t *n,
                          pith_error *err)
{
    int64_t cap = (int64_t)len + 16;
    *ids = px_malloc((size_t)cap, sizeof **ids);
    if (!*ids)
        return px_fail_memory(err, "the list of tokens");
    pith_status status = pith_tokenize(r->tok, text, len, r->flags, *ids, NULL, cap, n, err);
    if (status == PITH_OK && *n > cap)
        status =
            px_fail(err, PITH_E_INTERNAL, "%lld tokens from %zu bytes of text", (long long)*n, len);
    if (status != PITH_OK) {
        px_free(*ids);
        *ids = NULL;
    }
    return status;
}

static json_t *ids_json(const int32_t *ids, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_integer(ids[i]));
    return list;
}

/* Prints bytes as a quoted string: printable characters as they are, the rest escaped. */
static void print_quoted(pith_str s)
{
    putchar('\'');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '\n')
            fputs("\\n", stdout);
        else if (c == '\'' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    putchar('\'');
}

static pith_status print_tokens(const request *r, const int32_t *ids, int64_t n, pith_error *err)
{
    if (r->json) {
        json_t *pieces = json_array();
        for (int64_t i = 0; pieces && i < n; i++) {
            pith_text text = {0};
            pith_status status = pith_detokenize(r->tok, &ids[i], 1, true, &text, err);
            if (status != PITH_OK) {
                json_decref(pieces);
                return status;
            }
            json_array_append_new(pieces, json_stringn(text.data, text.len));
            pith_text_free(&text);
        }
        return cli_print_json(json_pack("{s:I, s:o, s:o}", "n", (json_int_t)n, "ids",
                                        ids_json(ids, n), "tokens", pieces),
                              err);
    }
    for (int64_t i = 0; i < n; i++) {
        if (r->ids_only) {
            printf(i ? " %d" : "%d", ids[i]);
            continue;
        }
        printf("%8d  ", ids[i]);
        print_quoted(pith_token_bytes(r->tok, ids[i], true));
        putchar('\n');
    }
    if (r->ids_only)
        putchar('\n');
    return cli_flush(err);
}

/* One JSON string a line in, one JSON array of ids a line out. */
static pith_status run_jsonl(const request *r, pith_error *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    long number = 0;
    pith_status status = PITH_OK;
    while (status == PITH_OK && (len = getline(&line, &cap, stdin)) >= 0) {
        number++;
        json_error_t je;
        json_t *value = json_loadb(line, (size_t)len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
        if (!json_is_string(value)) {
            status = px_fail(err, PITH_E_FORMAT,
                             "standard input: line %ld: %s, expected one JSON string", number,
                             value ? "found another JSON value" : je.text);
            json_decref(value);
            break;
        }
        int32_t *ids = NULL;
        int64_t n = 0;
        status = encode(r, json_string_value(value), json_string_length(value), &ids, &n, err);
        json_decref(value);
        if (status != PITH_OK) {
            px_prefix(err, "standard input: line %ld", number);
            break;
        }
        putchar('[');
        for (int64_t i = 0; i < n; i++)
            printf(i ? ", %d" : "%d", ids[i]);
        fputs("]\n", stdout);
        px_free(ids);
    }
    if (status == PITH_OK && ferror(stdin))
        status = px_fail_errno(err, errno, "cannot read standard input");
    free(line); // getline's own memory
    return status == PITH_OK ? cli_flush(err) : status;
}

/* Ids separated by spaces, commas or brackets, to text. */
static pith_status run_decode(const request *r, const char *list, pith_error *err)
{
    size_t cap = strlen(list) / 2 + 2;
    int32_t *ids = px_malloc(cap, sizeof *ids);
    if (!ids)
        return px_fail_memory(err, "the list of tokens");
    int64_t n = 0;
    pith_status status = PITH_OK;
    for (const char *at = list + strspn(list, " ,[]\t\r\n"); *at && status == PITH_OK;
         at += strspn(at, " ,[]\t\r\n")) {
        char *end = NULL;
        errno = 0;
        long id = strtol(at, &end, 10);
        if (end == at || errno || id < 0 || id > INT32_MAX ||
            !pith_token_bytes(r->tok, (int32_t)id, true).data)
            status =
                px_fail(err, PITH_E_ARGUMENT, "'%.20s' is not a token id of this vocabulary", at);
        else
            ids[n++] = (int32_t)id;
        at = end;
    }
    pith_text text = {0};
    if (status == PITH_OK)
        status = pith_detokenize(r->tok, ids, n, r->special, &text, err);
    if (status == PITH_OK) {
        fwrite(text.data, 1, text.len, stdout);
        if (text.len == 0 || text.data[text.len - 1] != '\n')
            putchar('\n');
        status = cli_flush(err);
    }
    pith_text_free(&text);
    px_free(ids);
    return status;
}

static pith_status run_text(const request *r, const char *word, pith_error *err)
{
    px_buf input = {0};
    pith_status status = PITH_OK;
    if (!word)
        status = cli_read(NULL, &input, err);
    const char *text = word ? word : input.data ? input.data : "";
    size_t len = word ? strlen(word) : input.len;
    int32_t *ids = NULL;
    int64_t n = 0;
    if (status == PITH_OK)
        status = encode(r, text, len, &ids, &n, err);
    if (status == PITH_OK)
        status = print_tokens(r, ids, n, err);
    px_free(ids);
    px_buf_clear(&input);
    return status;
}

int cli_cmd_tokenize(int argc, char **argv)
{
    bool ids = false, json = false, jsonl = false, no_bos = false, special = false;
    const char *decode = NULL;
    const cli_option options[] = {
        {CLI_FLAG, "ids", 0, &ids, NULL, "print the ids alone, on one line", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object of ids and tokens", 0, 0, NULL},
        {CLI_TEXT, "decode", 'd', &decode, "IDS",
         "the other way: ids to text ('-': from standard input)", 0, 0, NULL},
        {CLI_FLAG, "jsonl", 0, &jsonl, NULL,
         "standard input: one JSON string a line; out: one array of ids a line", 0, 0, NULL},
        {CLI_FLAG, "no-bos", 0, &no_bos, NULL,
         "without the tokens that the model puts around a text", 0, 0, NULL},
        {CLI_FLAG, "special", 0, &special, NULL,
         "special tokens written in the text are read as such (else they\nare plain text); "
         "--decode prints them",
         0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith tokenize MODEL [TEXT] [options]",
        .summary = "Shows the tokens of a text, from the command line or standard input. MODEL may "
                   "also be a\n"
                   "vocabulary-only GGUF file or a folder with tokenizer files alone.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 2,
        .examples = "  pith tokenize model.gguf 'Hello world'\n  pith tokenize model.gguf --decode "
                    "'9906 1917'",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    px_buf input = {0};
    pith_model *model = NULL;
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_WEIGHTS;
    pith_status status = cli_model_open(words.items[0], &mo, &model, &err);
    request r = {.tok = model ? pith_model_tokenizer(model) : NULL,
                 .ids_only = ids,
                 .json = json,
                 .special = special};
    r.flags = (special ? PITH_TOKENIZE_SPECIAL : 0u) | (no_bos ? PITH_TOKENIZE_NO_BOS : 0u);
    if (status == PITH_OK && !r.tok)
        status = px_fail(&err, PITH_E_NOT_FOUND, "'%s' has no tokenizer", words.items[0]);
    if (status == PITH_OK && decode) {
        if (strcmp(decode, "-") == 0) {
            status = cli_read(NULL, &input, &err);
            decode = input.data ? input.data : "";
        }
        if (status == PITH_OK)
            status = run_decode(&r, decode, &err);
    } else if (status == PITH_OK) {
        status =
            jsonl ? run_jsonl(&r, &err) : run_text(&r, words.n > 1 ? words.items[1] : NULL, &err);
    }
    pith_model_close(model);
    px_buf_clear(&input);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
