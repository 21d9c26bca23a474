/*
 * modelfile: Ollama's Modelfile, read into the object that /api/create takes, and written from a
 * model.
 *
 *   line       = comment ("#" ...) | blank | WORD SPACE value
 *   value      = the rest of the line | """ text of several lines """ | "text of several lines"
 *   WORD       = FROM | PARAMETER | TEMPLATE | SYSTEM | ADAPTER | LICENSE | MESSAGE | REQUIRES, of
 *                any case
 *
 * PARAMETER has a name and a value, MESSAGE a role and a value. A value in three quotes is taken as
 * it stands; in single ones \" and \\ stand for " and \. PARAMETER stop and LICENSE may be
 * repeated; of the others the last one counts.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "store/inside.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct parser {
    const char *name, *at, *end;
    int line;
    json_t *out;
} parser;

static pith_status bad(const parser *p, pith_error *err, const char *what)
{
    return px_fail(err, PITH_E_FORMAT, "%s: line %d: %s", p->name, p->line, what);
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

static void next_line(parser *p)
{
    while (p->at < p->end && *p->at != '\n')
        p->at++;
    if (p->at < p->end) {
        p->at++;
        p->line++;
    }
}

/* A word up to a blank or the end of the line; at most size - 1 bytes of it. */
static void read_word(parser *p, char *out, size_t size)
{
    size_t n = 0;
    while (p->at < p->end && !isspace((unsigned char)*p->at)) {
        if (n + 1 < size)
            out[n++] = *p->at;
        p->at++;
    }
    out[n] = '\0';
}

/* Behind a closing quote only blanks may stand. */
static pith_status end_of_line(parser *p, pith_error *err)
{
    skip_blanks(p);
    if (p->at < p->end && *p->at == '\r')
        p->at++;
    if (p->at < p->end && *p->at != '\n')
        return bad(p, err, "text behind a closing quote; expected the end of the line");
    next_line(p);
    return PITH_OK;
}

static pith_status read_quoted(parser *p, size_t quotes, px_buf *out, pith_error *err)
{
    int first = p->line;
    p->at += quotes;
    while (p->at < p->end) {
        if (quotes == 3 && p->end - p->at >= 3 && memcmp(p->at, "\"\"\"", 3) == 0) {
            p->at += 3;
            return end_of_line(p, err);
        }
        if (quotes == 1 && *p->at == '"') {
            p->at++;
            return end_of_line(p, err);
        }
        bool escaped = quotes == 1 && *p->at == '\\' && p->end - p->at > 1 &&
                       (p->at[1] == '"' || p->at[1] == '\\');
        p->at += escaped;
        p->line += *p->at == '\n';
        px_buf_putc(out, *p->at++);
    }
    p->line = first;
    return bad(p, err,
               quotes == 3 ? "three quotes (\"\"\") are opened here and never closed"
                           : "a quote is opened here and never closed");
}

static pith_status read_any(parser *p, px_buf *out, pith_error *err)
{
    px_buf_reset(out);
    px_buf_puts(out, "");
    skip_blanks(p);
    if (p->end - p->at >= 3 && memcmp(p->at, "\"\"\"", 3) == 0)
        return read_quoted(p, 3, out, err);
    if (p->at < p->end && *p->at == '"')
        return read_quoted(p, 1, out, err);
    const char *from = p->at;
    while (p->at < p->end && *p->at != '\n')
        p->at++;
    const char *to = p->at;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    px_buf_put(out, from, (size_t)(to - from));
    if (out->len == 0 && !out->failed)
        return bad(p, err, "a value is missing");
    next_line(p);
    return PITH_OK;
}

static pith_status read_value(parser *p, px_buf *out, pith_error *err)
{
    pith_status status = read_any(p, out, err);
    return status == PITH_OK ? px_buf_status(out, "a Modelfile", err) : status;
}

/* ---- what the words mean */

static pith_status set(parser *p, json_t *object, const char *key, json_t *value, pith_error *err)
{
    (void)p;
    return json_object_set_new(object, key, value) == 0 ? PITH_OK
                                                        : px_fail_memory(err, "a Modelfile");
}

/* Appends to an array member, which is made at first. */
static pith_status append(parser *p, json_t *object, const char *key, json_t *value,
                          pith_error *err)
{
    json_t *list = json_object_get(object, key);
    if (!list) {
        pith_status status = set(p, object, key, json_array(), err);
        if (status != PITH_OK) {
            json_decref(value);
            return status;
        }
        list = json_object_get(object, key);
    }
    return json_array_append_new(list, value) == 0 ? PITH_OK : px_fail_memory(err, "a Modelfile");
}

/* Numbers and truth values as such, all else as text. */
static json_t *parameter_value(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (end != text && !*end && errno == 0)
        return json_integer(whole);
    double real = strtod(text, &end);
    if (end != text && !*end && isfinite(real))
        return json_real(real);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    return json_string(text);
}

static pith_status take_parameter(parser *p, px_buf *value, pith_error *err)
{
    char key[64];
    skip_blanks(p);
    read_word(p, key, sizeof key);
    for (char *c = key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    pith_status status = read_value(p, value, err);
    if (status == PITH_OK && !json_object_get(p->out, "parameters"))
        status = set(p, p->out, "parameters", json_object(), err);
    if (status != PITH_OK)
        return status;
    json_t *all = json_object_get(p->out, "parameters");
    if (strcmp(key, "stop") == 0)
        return append(p, all, key, json_stringn(value->data, value->len), err);
    return set(p, all, key, parameter_value(value->data), err);
}

static pith_status take_message(parser *p, px_buf *value, pith_error *err)
{
    char role[32];
    skip_blanks(p);
    read_word(p, role, sizeof role);
    if (strcmp(role, "system") != 0 && strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)
        return bad(p, err, "MESSAGE has another role than system, user or assistant");
    pith_status status = read_value(p, value, err);
    if (status != PITH_OK)
        return status;
    return append(p, p->out, "messages",
                  json_pack("{s:s, s:s%}", "role", role, "content", value->data, value->len), err);
}

static pith_status take_line(parser *p, const char *word, px_buf *value, pith_error *err)
{
    static const struct {
        const char *word, *key;
        bool list;
    } KINDS[] = {{"FROM", "from", false},      {"TEMPLATE", "template", false},
                 {"SYSTEM", "system", false},  {"ADAPTER", "adapters", true},
                 {"LICENSE", "license", true}, {"REQUIRES", "requires", false}};
    if (strcasecmp(word, "PARAMETER") == 0)
        return take_parameter(p, value, err);
    if (strcasecmp(word, "MESSAGE") == 0)
        return take_message(p, value, err);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (strcasecmp(word, KINDS[i].word) != 0)
            continue;
        pith_status status = read_value(p, value, err);
        if (status != PITH_OK)
            return status;
        json_t *text = json_stringn(value->data, value->len);
        return KINDS[i].list ? append(p, p->out, KINDS[i].key, text, err)
                             : set(p, p->out, KINDS[i].key, text, err);
    }
    return px_fail(err, PITH_E_FORMAT,
                   "%s: line %d: unknown instruction '%s'; expected FROM, PARAMETER, TEMPLATE, "
                   "SYSTEM, ADAPTER, LICENSE, MESSAGE or REQUIRES",
                   p->name, p->line, word);
}

pith_status store_modelfile_parse(const char *name, const char *text, size_t len, json_t **out,
                                  pith_error *err)
{
    px_error_clear(err);
    *out = NULL;
    if (len > STORE_MAX_RECORD)
        return px_fail(err, PITH_E_LIMIT, "%s has %zu bytes, expected at most %d", name, len,
                       STORE_MAX_RECORD);
    if (!px_utf8_valid(text, len) || memchr(text, '\0', len))
        return px_fail(err, PITH_E_FORMAT, "%s is no UTF-8 text", name);
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    px_buf value = {0};
    parser p = {.name = name, .at = text, .end = text + len, .line = 1, .out = json_object()};
    pith_status status = p.out ? PITH_OK : px_fail_memory(err, "a Modelfile");
    while (status == PITH_OK && p.at < p.end) {
        char word[32];
        while (p.at < p.end && isspace((unsigned char)*p.at)) {
            p.line += *p.at == '\n';
            p.at++;
        }
        if (p.at == p.end)
            break;
        if (*p.at == '#') {
            next_line(&p);
            continue;
        }
        read_word(&p, word, sizeof word);
        status = take_line(&p, word, &value, err);
    }
    if (status == PITH_OK && !json_object_get(p.out, "from"))
        status = px_fail(err, PITH_E_FORMAT, "%s has no FROM line, which names the model", name);
    px_buf_clear(&value);
    if (status == PITH_OK)
        *out = p.out;
    else
        json_decref(p.out);
    return status;
}

/* ---- writing */

static void put_text(px_buf *out, const char *word, const char *text)
{
    if (!*text)
        return;
    bool plain = !strpbrk(text, "\n\"") && !isspace((unsigned char)text[0]) &&
                 !isspace((unsigned char)text[strlen(text) - 1]);
    bool thrice = !plain && !strstr(text, "\"\"\"") && text[strlen(text) - 1] != '"';
    px_buf_printf(out, "%s %s", word, plain ? "" : thrice ? "\"\"\"" : "\"");
    for (const char *c = text; *c; c++) {
        if (!plain && !thrice && (*c == '"' || *c == '\\'))
            px_buf_putc(out, '\\');
        px_buf_putc(out, *c);
    }
    px_buf_printf(out, "%s\n", plain ? "" : thrice ? "\"\"\"" : "\"");
}

static void put_parameter(px_buf *out, const char *key, const json_t *value)
{
    char word[128];
    snprintf(word, sizeof word, "PARAMETER %.64s", key);
    if (json_is_string(value))
        put_text(out, word, json_string_value(value));
    else if (json_is_integer(value))
        px_buf_printf(out, "%s %lld\n", word, (long long)json_integer_value(value));
    else if (json_is_real(value))
        px_buf_printf(out, "%s %.9g\n", word, json_real_value(value));
    else if (json_is_boolean(value))
        px_buf_printf(out, "%s %s\n", word, json_is_true(value) ? "true" : "false");
}

pith_status store_modelfile_print(const store_model *m, px_buf *out, pith_error *err)
{
    px_error_clear(err);
    size_t i;
    json_t *value;
    const char *key;
    px_buf_printf(out, "# Modelfile of %s\n", m->name);
    put_text(out, "FROM", m->path);
    put_text(out, "TEMPLATE", m->template_go);
    put_text(out, "SYSTEM", m->system);
    json_object_foreach(m->parameters, key, value)
    {
        size_t k;
        json_t *item;
        if (!json_is_array(value))
            put_parameter(out, key, value);
        json_array_foreach(value, k, item) put_parameter(out, key, item);
    }
    json_array_foreach(m->adapters, i, value) put_text(out, "ADAPTER", json_string_value(value));
    json_array_foreach(m->messages, i, value)
    {
        char word[64];
        snprintf(word, sizeof word, "MESSAGE %.32s", store_text(value, "role"));
        put_text(out, word, store_text(value, "content"));
    }
    put_text(out, "REQUIRES", m->requires);
    put_text(out, "LICENSE", m->license);
    return px_buf_status(out, "a Modelfile", err);
}
