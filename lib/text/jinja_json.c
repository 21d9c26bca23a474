/* jinja_json: see jinja_json.h. */
#include "text/jinja_json.h"

#include "base/json.h"
#include "base/utf8.h"
#include "text/jinja_filters.h"
#include "text/jinja_number.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

#include <math.h>
#include <stdio.h>

/* ---- reading */

static bool convert(jrun *run, px_json json, jv *out);

/* A string without escapes is lent, another resolved. */
static bool convert_string(jrun *run, px_json json, jv *out)
{
    size_t len = (size_t)(json.end - json.at) - 2;
    if (!memchr(json.at, '\\', len + 2))
        return px_jv_lend(run, json.at + 1, len, out);
    px_buf text = {.limit = PX_MAX_JSON_BYTES};
    bool ok = px_json_get_string(json, &text) && !text.failed;
    if (!ok)
        px_fail_memory(run->err, "the variables of a template");
    ok = ok && px_jv_str(run, text.data ? text.data : "", text.len, out);
    px_buf_clear(&text);
    return ok;
}

/* As Python reads it: an integer unless a point or an exponent says otherwise. */
static bool convert_number(jrun *run, px_json json, jv *out)
{
    size_t len = (size_t)(json.end - json.at);
    for (size_t i = 0; i < len; i++)
        if (strchr(".eE", json.at[i])) {
            *out = px_jv_float(0);
            return px_jinja_charge(run, len / 16) && px_jnumber_float(json.at, len, &out->f);
        }
    *out = px_jv_int(0);
    if (px_jnumber_int(json.at, len, 10, &out->i) == JNUMBER_OK)
        return true;
    px_fail(run->err, PITH_E_FORMAT,
            "the variables of a template hold an integer of %zu digits, expected at most 64 bits",
            len);
    return false;
}

static bool convert_array(jrun *run, px_json json, jv *out)
{
    px_json_walk walk = px_json_each(json);
    px_json item;
    jlist *l = px_jlist_new(run, 0);
    while (l && px_json_next(&walk, NULL, &item)) {
        jv value;
        if (!convert(run, item, &value) || !px_jlist_push(run, l, value))
            return false;
    }
    *out = px_jv_of_list(JV_LIST, l);
    return l != NULL;
}

static bool convert_object(jrun *run, px_json json, jv *out)
{
    px_json_walk walk = px_json_each(json);
    px_json name, member;
    jdict *d = px_jdict_new(run);
    while (d && px_json_next(&walk, &name, &member)) {
        jv key, value;
        if (!convert_string(run, name, &key) || !convert(run, member, &value) ||
            !px_jdict_set(run, d, key, value))
            return false;
    }
    *out = (jv){.type = JV_DICT, .d = d};
    return d != NULL;
}

/* The checker has bounded the depth. */
static bool convert(jrun *run, px_json json, jv *out)
{
    if (!px_jinja_charge(run, 1))
        return false;
    switch (px_json_type_of(json)) {
    case PX_JSON_OBJECT:
        return convert_object(run, json, out);
    case PX_JSON_ARRAY:
        return convert_array(run, json, out);
    case PX_JSON_STRING:
        return convert_string(run, json, out);
    case PX_JSON_NUMBER:
        return convert_number(run, json, out);
    case PX_JSON_BOOL:
        *out = px_jv_bool(*json.at == 't');
        return true;
    default:
        *out = px_jv_none();
        return true;
    }
}

bool px_jinja_json_read(jrun *run, const char *text, size_t len)
{
    px_json root;
    jv vars, name, messages;
    if (len > PX_MAX_JSON_BYTES) {
        px_fail(run->err, PITH_E_LIMIT,
                "the variables of a template are %zu bytes of JSON, expected at most %u", len,
                PX_MAX_JSON_BYTES);
        return false;
    }
    if (px_json_check("template variables", text, len, &root, run->err) != PITH_OK)
        return false;
    if (px_json_type_of(root) != PX_JSON_OBJECT) {
        px_fail(run->err, PITH_E_FORMAT,
                "the variables of a template are %s, expected an object with members like "
                "\"messages\"",
                px_json_type_name(px_json_type_of(root)));
        return false;
    }
    if (!convert(run, root, &vars) || !px_jv_lend(run, "messages", 8, &name))
        return false;
    int found = px_jdict_get(run, vars.d, name, &messages);
    for (int64_t i = 0; found > 0 && messages.type == JV_LIST && i < messages.l->n; i++)
        if (messages.l->items[i].type == JV_DICT && i < INT32_MAX)
            messages.l->items[i].d->message = (int32_t)i;
    run->vars = vars.d;
    return found >= 0;
}

/* ---- writing */

typedef struct dump {
    jrun *run;
    bool ascii, sort;
    jv indent; // the text of one level; NONE: all on one line
    jv item_separator, key_separator;
    int level;
} dump;

static bool dump_value(dump *d, jv v);

static bool put(dump *d, const char *text)
{
    return px_jinja_put(d->run, text, strlen(text));
}

/* The escape of a character in a string; "" for one that stands as it is. */
static void escape_of(uint32_t c, bool ascii, char text[16])
{
    static const char letters[] = "\"\\\n\r\t\f\b", names[] = "\"\\nrtfb";
    const char *at = c && c < 0x80 ? strchr(letters, (char)c) : NULL;
    text[0] = '\0';
    if (at)
        snprintf(text, 16, "\\%c", names[at - letters]);
    else if (c < 0x20 || (ascii && c >= 0x7f && c < 0x10000 && c != 0x7f))
        snprintf(text, 16, "\\u%04x", c);
    else if (ascii && c >= 0x10000)
        snprintf(text, 16, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                 0xdc00 + ((c - 0x10000) & 0x3ff));
}

static bool dump_str(dump *d, const jstr *s)
{
    size_t plain = 0;
    if (!put(d, "\""))
        return false;
    for (size_t i = 0; i < s->len;) {
        uint32_t c = 0;
        char text[16];
        int n = px_utf8_get(s->data + i, s->len - i, &c);
        n = n > 0 ? n : 1;
        escape_of(c, d->ascii, text);
        if (text[0]) {
            if (!px_jinja_put(d->run, s->data + plain, i - plain) || !put(d, text))
                return false;
            plain = i + (size_t)n;
        }
        i += (size_t)n;
    }
    return px_jinja_put(d->run, s->data + plain, s->len - plain) && put(d, "\"");
}

static bool dump_float(dump *d, double v)
{
    char text[JNUMBER_REPR_BYTES];
    if (isnan(v))
        return put(d, "NaN");
    if (isinf(v))
        return put(d, v > 0 ? "Infinity" : "-Infinity");
    return px_jinja_put(d->run, text, px_jnumber_repr(v, text));
}

static bool new_line(dump *d)
{
    if (d->indent.type == JV_NONE)
        return true;
    bool ok = put(d, "\n");
    for (int i = 0; ok && i < d->level; i++)
        ok = px_jv_print(d->run, d->indent);
    return ok;
}

static bool dump_list(dump *d, const jlist *l)
{
    if (l->n == 0)
        return put(d, "[]");
    bool ok = put(d, "[");
    d->level++;
    ok = ok && new_line(d);
    for (int64_t i = 0; ok && i < l->n; i++) {
        if (i)
            ok = px_jv_print(d->run, d->item_separator) && new_line(d);
        ok = ok && dump_value(d, l->items[i]);
    }
    d->level--;
    return ok && new_line(d) && put(d, "]");
}

/* Keys other than strings are written as the text of their value. */
static bool dump_key(dump *d, jv key)
{
    if (key.type == JV_STR)
        return dump_str(d, key.s);
    if (key.type != JV_NONE && !px_jv_is_number(key))
        return px_jinja_fail(d->run, "a %s cannot be a key in JSON", px_jv_type_name(key));
    return put(d, "\"") && dump_value(d, key) && put(d, "\"");
}

/* The entries in the order of their keys, which are strings or numbers throughout. */
static bool sort_entries(dump *d, const jdict *dict, jdict **out)
{
    jv self = {.type = JV_DICT, .d = (jdict *)dict}, sorted;
    jv args[JBUILTIN_PARAMS] = {px_jv_bool(true)}; // by key, case counts
    jargs none = {0};
    *out = px_jdict_new(d->run);
    if (!*out || !px_jfilter_dictsort(d->run, self, args, &none, &sorted))
        return false;
    for (int64_t i = 0; i < sorted.l->n; i++) {
        const jv *pair = sorted.l->items[i].l->items;
        if (!px_jdict_set(d->run, *out, pair[0], pair[1]))
            return false;
    }
    return true;
}

static bool dump_dict(dump *d, const jdict *dict)
{
    jdict *sorted;
    if (dict->n == 0)
        return put(d, "{}");
    if (d->sort) {
        if (!sort_entries(d, dict, &sorted))
            return false;
        dict = sorted;
    }
    bool ok = put(d, "{");
    d->level++;
    ok = ok && new_line(d);
    for (uint32_t i = 0; ok && i < dict->n; i++) {
        if (i)
            ok = px_jv_print(d->run, d->item_separator) && new_line(d);
        ok = ok && dump_key(d, dict->entries[i].key) && px_jv_print(d->run, d->key_separator) &&
             dump_value(d, dict->entries[i].value);
    }
    d->level--;
    return ok && new_line(d) && put(d, "}");
}

static bool dump_inside(dump *d, jv v)
{
    char text[24];
    switch (v.type) {
    case JV_NONE:
        return put(d, "null");
    case JV_BOOL:
        return put(d, v.b ? "true" : "false");
    case JV_INT:
        snprintf(text, sizeof text, "%lld", (long long)v.i);
        return put(d, text);
    case JV_FLOAT:
        return dump_float(d, v.f);
    case JV_STR:
        return dump_str(d, v.s);
    case JV_LIST:
    case JV_TUPLE:
        return dump_list(d, v.l);
    case JV_DICT:
        return dump_dict(d, v.d);
    case JV_UNDEFINED:
        return px_jinja_fail(d->run, "tojson: an undefined value has no JSON");
    default:
        return px_jinja_fail(d->run, "tojson: a %s has no JSON", px_jv_type_name(v));
    }
}

static bool dump_value(dump *d, jv v)
{
    bool ok = px_jinja_enter(d->run) && dump_inside(d, v);
    px_jinja_leave(d->run);
    return ok;
}

/* The argument indent: a number of spaces or a text. */
static bool set_indent(dump *d, jv v)
{
    int64_t n;
    jv empty;
    d->indent = px_jv_none();
    if (v.type == JV_MISSING || v.type == JV_NONE)
        return true;
    if (v.type == JV_STR) {
        d->indent = v;
        return true;
    }
    return px_jarg_int(d->run, v, 0, &n) && px_jv_lend(d->run, "", 0, &empty) &&
           px_jtext_pad(d->run, empty.s, n, " ", 1, JSIDE_LEFT, &d->indent);
}

static bool set_separators(dump *d, jv v)
{
    jrun *run = d->run;
    if (v.type == JV_MISSING || v.type == JV_NONE) {
        bool lines = d->indent.type != JV_NONE;
        return px_jv_lend(run, lines ? "," : ", ", lines ? 1 : 2, &d->item_separator) &&
               px_jv_lend(run, ": ", 2, &d->key_separator);
    }
    if ((v.type != JV_LIST && v.type != JV_TUPLE) || v.l->n != 2 || v.l->items[0].type != JV_STR ||
        v.l->items[1].type != JV_STR)
        return px_jinja_fail(run, "tojson wants two strings as separators");
    d->item_separator = v.l->items[0];
    d->key_separator = v.l->items[1];
    return true;
}

JFILTER(tojson)
{
    (void)more;
    dump d = {.run = run};
    if (!px_jarg_bool(run, a[0], false, &d.ascii) || !set_indent(&d, a[1]) ||
        !set_separators(&d, a[2]) || !px_jarg_bool(run, a[3], false, &d.sort))
        return false;
    size_t mark = run->out.len;
    return dump_value(&d, self) && px_jv_capture(run, mark, run->n_spans, out);
}
