/* columns: see columns.h. Names are compared without regard to case, '-' and ' ' as '_'. */
#include "train/columns.h"

#include "base/limits.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>

enum { ROWS_LOOKED_AT = 200, NAMES = 256, NAME_BYTES = 200 };

static const char *const column_names[PX_COLUMNS] = {
    "messages", "prompt", "completion", "input", "system", "history",
    "text",     "chosen", "rejected",   "label", "tools",  "instances"};
static const char *const kind_names[PX_DATA_KINDS] = {"chat", "prompt", "text", "pair", "label"};

/* What files call them, the likeliest first. */
static const char *const aliases[PX_COLUMNS][14] = {
    [PX_COLUMN_MESSAGES] = {"messages", "conversations", "conversation", "dialog", "dialogue",
                            "chat", "turns"},
    [PX_COLUMN_PROMPT] = {"prompt", "instruction", "question", "query", "user", "problem", "input",
                          "source", "goal", "sentence"},
    [PX_COLUMN_COMPLETION] = {"completion", "response", "output", "answer", "target", "assistant",
                              "reply", "solution", "label_text", "summary", "continuation"},
    [PX_COLUMN_INPUT] = {"input", "context"},
    [PX_COLUMN_SYSTEM] = {"system", "system_prompt", "system_message"},
    [PX_COLUMN_HISTORY] = {"history"},
    [PX_COLUMN_TEXT] = {"text", "content", "document", "body", "story"},
    [PX_COLUMN_CHOSEN] = {"chosen", "preferred", "accepted"},
    [PX_COLUMN_REJECTED] = {"rejected", "dispreferred", "non_preferred"},
    [PX_COLUMN_LABEL] = {"label", "good", "thumbs_up"},
    [PX_COLUMN_TOOLS] = {"tools", "functions"},
    [PX_COLUMN_INSTANCES] = {"instances"},
};

const char *px_column_name(px_column column)
{
    return column_names[column];
}

const char *px_data_kind_name(px_data_kind kind)
{
    return kind_names[kind];
}

px_json px_column_of(const px_columns *c, px_column column, px_json row)
{
    return c->name[column] ? px_json_find(row, c->name[column]) : (px_json){0};
}

/* ---- the names that the first rows hold */

typedef struct names {
    px_arena *arena;
    char *list[NAMES];
    int n;
    bool truth[NAMES]; // some value is true, false, 0 or 1, and none is anything else
    bool other[NAMES];
} names;

static bool is_truth(px_json value)
{
    bool b;
    double d;
    static const char *const words[] = {"true", "false", "True", "False", "0", "1", "yes", "no"};
    if (px_json_get_bool(value, &b))
        return true;
    if (px_json_get_double(value, &d))
        return d == 0 || d == 1 || d == -1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (px_json_is(value, px_str_of(words[i])))
            return true;
    return false;
}

static bool add_row(names *all, px_json row)
{
    px_json key, value;
    px_json_walk walk = px_json_each(row);
    px_buf text = {0};
    while (px_json_next(&walk, &key, &value)) {
        px_buf_reset(&text);
        px_json_get_string(key, &text);
        if (text.failed) {
            px_buf_clear(&text);
            return false;
        }
        if (text.len == 0 || text.len > NAME_BYTES || memchr(text.data, '\0', text.len))
            continue;
        int i = 0;
        while (i < all->n && strcmp(all->list[i], text.data) != 0)
            i++;
        if (i == NAMES)
            continue;
        if (i == all->n) {
            all->list[i] = px_arena_strndup(all->arena, text.data, text.len);
            if (!all->list[i]) {
                px_buf_clear(&text);
                return false;
            }
            all->n++;
        }
        if (is_truth(value))
            all->truth[i] = true;
        else if (px_json_type_of(value) != PX_JSON_NULL)
            all->other[i] = true;
    }
    px_buf_clear(&text);
    return true;
}

static pith_status look(px_records *records, names *all, pith_error *err)
{
    px_record row;
    bool more = true;
    int good = 0;
    pith_error first = {0};
    pith_status st = PITH_OK;
    for (int i = 0; st == PITH_OK && good < ROWS_LOOKED_AT && i < 20 * ROWS_LOOKED_AT; i++) {
        st = px_records_next(records, &row, &more, err);
        if (st != PITH_OK || !more)
            break;
        if (row.error.status != PITH_OK && first.status == PITH_OK)
            first = row.error;
        if (row.error.status != PITH_OK)
            continue;
        good++;
        if (!add_row(all, row.value))
            st = px_fail_memory(err, "the names of columns");
    }
    if (st == PITH_OK && good == 0)
        st = first.status != PITH_OK
                 ? px_fail(err, PITH_E_FORMAT, "no row can be read; the first: %s", first.text)
                 : px_fail(err, PITH_E_FORMAT, "the file holds no rows");
    return st == PITH_OK ? px_records_rewind(records, err) : st;
}

static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        int x = tolower((unsigned char)*a), y = tolower((unsigned char)*b);
        x = x == '-' || x == ' ' ? '_' : x;
        if (x != y)
            return false;
        if (x == 0)
            return true;
    }
}

static int find_name(const names *all, const char *name)
{
    for (int i = 0; i < all->n; i++)
        if (strcmp(all->list[i], name) == 0)
            return i;
    for (int i = 0; i < all->n; i++)
        if (same_name(all->list[i], name))
            return i;
    return -1;
}

static bool is_taken(const px_columns *c, const char *name)
{
    for (int k = 0; k < PX_COLUMNS; k++)
        if (c->name[k] && strcmp(c->name[k], name) == 0)
            return true;
    return false;
}

/* The names in quotes, for messages. */
static const char *list_names(const names *all, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < all->n && n + 40 < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", i > 0 ? ", " : "", 30, all->list[i]);
    return out;
}

/* ---- what the user asked for */

static pith_status take_pair(px_columns *c, const names *all, const char *ours, const char *theirs,
                             pith_error *err)
{
    char list[400];
    int k = 0;
    while (k < PX_COLUMNS && strcmp(column_names[k], ours) != 0)
        k++;
    if (k == PX_COLUMNS)
        return px_fail(err, PITH_E_ARGUMENT,
                       "columns: '%.60s' is no meaning of a column, expected messages, prompt, "
                       "completion, input, system, history, text, chosen, rejected, label or tools",
                       ours);
    int i = find_name(all, theirs);
    if (i < 0)
        return px_fail(err, PITH_E_ARGUMENT, "columns: the file has no column '%.60s'; it has %s",
                       theirs, list_names(all, list, sizeof list));
    c->name[k] = all->list[i];
    c->asked[k] = true;
    return PITH_OK;
}

static pith_status take_asked(px_columns *c, const names *all, const char *asked, pith_error *err)
{
    pith_status st = PITH_OK;
    while (st == PITH_OK && asked && *asked) {
        char ours[64], theirs[NAME_BYTES + 1];
        int used = 0;
        if (sscanf(asked, " %63[^=, ] = %200[^,]%n", ours, theirs, &used) != 2)
            return px_fail(err, PITH_E_ARGUMENT,
                           "columns: '%.60s' is no pair, expected MEANING=COLUMN,.. as in "
                           "prompt=question,completion=answer",
                           asked);
        size_t n = strlen(theirs);
        while (n > 0 && theirs[n - 1] == ' ')
            theirs[--n] = '\0';
        st = take_pair(c, all, ours, theirs, err);
        asked += used;
        asked += *asked == ',';
    }
    return st;
}

/* ---- what the names say */

/* The column's name in the file, where it is not taken; false when there is none. */
static bool guess(px_columns *c, const names *all, px_column k)
{
    if (c->name[k])
        return true;
    for (int a = 0; a < 14 && aliases[k][a]; a++) {
        int i = find_name(all, aliases[k][a]);
        if (i >= 0 && !is_taken(c, all->list[i])) {
            c->name[k] = all->list[i];
            return true;
        }
    }
    return false;
}

static bool has_prompt(px_columns *c, const names *all)
{
    return guess(c, all, PX_COLUMN_PROMPT) && guess(c, all, PX_COLUMN_COMPLETION);
}

/* Whether the names make this kind; fills what it needs and what it may have. */
static bool fits(px_columns *c, const names *all, px_data_kind kind)
{
    px_columns t = *c;
    bool ok = false;
    t.kind = kind;
    switch (kind) {
    case PX_DATA_CHAT:
        ok = guess(&t, all, PX_COLUMN_MESSAGES);
        break;
    case PX_DATA_PAIR:
        ok = guess(&t, all, PX_COLUMN_CHOSEN) && guess(&t, all, PX_COLUMN_REJECTED);
        if (ok)
            guess(&t, all, PX_COLUMN_PROMPT);
        break;
    case PX_DATA_LABEL:
        ok = has_prompt(&t, all) && guess(&t, all, PX_COLUMN_LABEL);
        if (ok && !t.asked[PX_COLUMN_LABEL]) {
            int i = find_name(all, t.name[PX_COLUMN_LABEL]);
            ok = i >= 0 && all->truth[i] && !all->other[i];
        }
        break;
    case PX_DATA_PROMPT:
        ok = has_prompt(&t, all) ||
             (guess(&t, all, PX_COLUMN_PROMPT) && guess(&t, all, PX_COLUMN_INSTANCES));
        break;
    case PX_DATA_TEXT:
        ok = guess(&t, all, PX_COLUMN_TEXT);
        break;
    default:
        break;
    }
    if (!ok)
        return false;
    if (kind != PX_DATA_TEXT) {
        guess(&t, all, PX_COLUMN_SYSTEM);
        guess(&t, all, PX_COLUMN_TOOLS);
    }
    if (kind == PX_DATA_PROMPT || kind == PX_DATA_LABEL) {
        guess(&t, all, PX_COLUMN_INPUT);
        guess(&t, all, PX_COLUMN_HISTORY);
    }
    *c = t;
    return true;
}

/* What the named columns can only mean; KINDS when they do not say. */
static px_data_kind kind_asked(const px_columns *c)
{
    if (c->asked[PX_COLUMN_CHOSEN] || c->asked[PX_COLUMN_REJECTED])
        return PX_DATA_PAIR;
    if (c->asked[PX_COLUMN_LABEL])
        return PX_DATA_LABEL;
    if (c->asked[PX_COLUMN_MESSAGES])
        return PX_DATA_CHAT;
    if (c->asked[PX_COLUMN_PROMPT] || c->asked[PX_COLUMN_COMPLETION])
        return PX_DATA_PROMPT;
    return c->asked[PX_COLUMN_TEXT] ? PX_DATA_TEXT : PX_DATA_KINDS;
}

static pith_status choose_kind(px_columns *c, const names *all, const char *kind, pith_error *err)
{
    static const px_data_kind order[] = {PX_DATA_PAIR, PX_DATA_CHAT, PX_DATA_LABEL, PX_DATA_PROMPT,
                                         PX_DATA_TEXT};
    static const char *const needs[] = {"messages", "prompt and completion", "text",
                                        "chosen and rejected", "prompt, completion and label"};
    char list[400];
    px_data_kind wanted = kind_asked(c);
    if (kind) {
        int k = 0;
        while (k < PX_DATA_KINDS && strcmp(kind_names[k], kind) != 0)
            k++;
        if (k == PX_DATA_KINDS)
            return px_fail(err, PITH_E_ARGUMENT,
                           "'%.60s' is no kind of data, expected chat, prompt, text, pair or label",
                           kind);
        wanted = (px_data_kind)k;
    }
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if ((wanted == PX_DATA_KINDS || wanted == order[i]) && fits(c, all, order[i]))
            return PITH_OK;
    list_names(all, list, sizeof list);
    if (wanted != PX_DATA_KINDS)
        return px_fail(err, PITH_E_ARGUMENT,
                       "data of kind '%s' need the columns %s; the file has %s; say which they are "
                       "with columns (--columns %s=NAME)",
                       kind_names[wanted], needs[wanted], list,
                       wanted == PX_DATA_CHAT   ? "messages"
                       : wanted == PX_DATA_PAIR ? "chosen"
                       : wanted == PX_DATA_TEXT ? "text"
                                                : "prompt");
    return px_fail(err, PITH_E_ARGUMENT,
                   "the columns %s do not say what they are; name them, for instance --columns "
                   "prompt=%.40s,completion=%.40s or --columns text=%.40s",
                   list, all->list[0], all->list[all->n > 1 ? 1 : 0], all->list[0]);
}

static void describe(px_columns *c, const names *all)
{
    size_t n = 0, size = sizeof c->used;
    for (int k = 0; k < PX_COLUMNS; k++)
        if (c->name[k] && n + 80 < size)
            n += (size_t)snprintf(c->used + n, size - n, "%s%s=%.50s", n > 0 ? ", " : "",
                                  column_names[k], c->name[k]);
    n = 0;
    size = sizeof c->unused;
    for (int i = 0; i < all->n; i++)
        if (!is_taken(c, all->list[i]) && n + 60 < size)
            n += (size_t)snprintf(c->unused + n, size - n, "%s%.50s", n > 0 ? ", " : "",
                                  all->list[i]);
}

pith_status px_columns_choose(px_records *records, const char *asked, const char *kind,
                              px_arena *arena, px_columns *out, pith_error *err)
{
    names *all = px_calloc(1, sizeof *all);
    *out = (px_columns){.kind = PX_DATA_TEXT};
    if (!all)
        return px_fail_memory(err, "the names of columns");
    all->arena = arena;
    pith_status st = look(records, all, err);
    if (st == PITH_OK && all->n == 0)
        st = px_fail(err, PITH_E_FORMAT, "the first rows are empty objects");
    if (st == PITH_OK)
        st = take_asked(out, all, asked, err);
    if (st == PITH_OK)
        st = choose_kind(out, all, kind, err);
    if (st == PITH_OK)
        describe(out, all);
    px_free(all);
    return st;
}
