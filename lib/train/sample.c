/* sample: see sample.h. */
#include "train/sample.h"

#include <stdio.h>
#include <strings.h>

typedef struct reader {
    const px_columns *columns;
    const char *system;
    int64_t line;
    px_json row;
    px_arena *arena;
    px_samples *out;
    bool no_memory;
} reader;

static bool fault(reader *r, px_fault what, const char *fmt, ...) PX_PRINTF(3, 4);

/* The first fault counts. Always false. */
static bool fault(reader *r, px_fault what, const char *fmt, ...)
{
    char text[600];
    va_list args;
    if (r->out->fault != PX_FAULT_NONE)
        return false;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r->out->fault = what;
    px_fail(&r->out->error, PITH_E_FORMAT, "line %lld: %s", (long long)r->line, text);
    return false;
}

/* What a buffer holds, in the arena; the buffer is cleared. */
static px_str keep(reader *r, px_buf *text)
{
    px_str kept = {.data = "", .len = 0};
    if (text->len > 0 && !text->failed) {
        kept.data = px_arena_strndup(r->arena, text->data, text->len);
        kept.len = kept.data ? text->len : 0;
    }
    r->no_memory |= text->failed || !kept.data;
    px_buf_clear(text);
    return kept;
}

static bool is_blank(px_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr(" \t\r\n", s.data[i]) || s.data[i] == '\0')
            return false;
    return true;
}

static bool get_string(reader *r, px_json value, px_str *out)
{
    px_buf text = {0};
    if (!px_json_get_string(value, &text))
        return false;
    *out = keep(r, &text);
    return true;
}

/* The value of a column; of a table, whose cells are strings, a cell that holds a list or an object
 * of JSON is that. */
static px_json value_of(reader *r, px_column column)
{
    px_json value = px_column_of(r->columns, column, r->row), inner;
    px_str text;
    if (px_json_type_of(value) != PX_JSON_STRING || value.end - value.at < 4 ||
        !strchr("[{ ", value.at[1]))
        return value;
    if (!get_string(r, value, &text) || !text.data)
        return value;
    if (px_json_check("cell", text.data, text.len, &inner, NULL) != PITH_OK)
        return value;
    px_json_type type = px_json_type_of(inner);
    return type == PX_JSON_ARRAY || type == PX_JSON_OBJECT ? inner : value;
}

static bool wrong_type(reader *r, px_column column, px_json value, const char *expected)
{
    px_json_type type = px_json_type_of(value);
    if (type == PX_JSON_NONE)
        return fault(r, PX_FAULT_MISSING, "there is no '%s' (%s), expected %s",
                     r->columns->name[column], px_column_name(column), expected);
    return fault(r, PX_FAULT_TYPE, "'%s' (%s) is %s, expected %s", r->columns->name[column],
                 px_column_name(column), px_json_type_name(type), expected);
}

/* A string of a column that must be there; numbers and truths are taken as they are written. */
static bool text_of(reader *r, px_column column, px_str *out)
{
    px_json value = px_column_of(r->columns, column, r->row);
    px_json_type type = px_json_type_of(value);
    if (type == PX_JSON_NUMBER || type == PX_JSON_BOOL) {
        px_buf text = {0};
        px_buf_put(&text, value.at, (size_t)(value.end - value.at));
        *out = keep(r, &text);
        return true;
    }
    return get_string(r, value, out) || wrong_type(r, column, value, "a string");
}

/* One that may be missing or null. */
static px_str optional(reader *r, px_column column)
{
    px_str text = {.data = "", .len = 0};
    get_string(r, px_column_of(r->columns, column, r->row), &text);
    return text;
}

/* ---- turns */

static const struct {
    const char *theirs, *ours;
} roles[] = {
    {"system", "system"},      {"developer", "system"},       {"user", "user"},
    {"human", "user"},         {"prompter", "user"},          {"assistant", "assistant"},
    {"gpt", "assistant"},      {"chatgpt", "assistant"},      {"bot", "assistant"},
    {"model", "assistant"},    {"chatbot", "assistant"},      {"tool", "tool"},
    {"function", "tool"},      {"observation", "tool"},       {"ipython", "tool"},
    {"tool_response", "tool"}, {"function_response", "tool"}, {"tool_results", "tool"},
    {"function_call", "call"}, {"tool_call", "call"},
};

static const char *role_of(px_str name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (name.len == strlen(roles[i].theirs) &&
            strncasecmp(name.data, roles[i].theirs, name.len) == 0)
            return roles[i].ours;
    return NULL;
}

static px_json first_of(px_json object, const char *a, const char *b, const char *c)
{
    px_json value = px_json_find(object, a);
    if (!value.at)
        value = px_json_find(object, b);
    return value.at || !c ? value : px_json_find(object, c);
}

static void put_raw(px_buf *out, px_json value)
{
    px_buf_put(out, value.at, (size_t)(value.end - value.at));
}

static void put_turn(px_buf *out, const char *role, px_str content, bool learned)
{
    px_buf_printf(out, "%s{\"role\":\"%s\",\"content\":", out->len > 0 ? "," : "", role);
    px_json_put_str(out, content.data, content.len);
    px_buf_puts(out, learned || strcmp(role, "assistant") != 0 ? "}" : ",\"train\":false}");
}

/* The value of a turn function_call: {"name": .., "arguments": ..} or a list of them, as text. */
static bool put_calls(reader *r, px_json content, px_buf *out)
{
    px_str text;
    px_json value = content, call;
    if (get_string(r, content, &text) &&
        px_json_check("call", text.data ? text.data : "", text.len, &value, NULL) != PITH_OK)
        return fault(r, PX_FAULT_TYPE,
                     "a turn function_call holds text that is no JSON, expected "
                     "{\"name\": .., \"arguments\": {..}}");
    bool list = px_json_type_of(value) == PX_JSON_ARRAY;
    px_json_walk walk = px_json_each(value);
    px_buf_puts(out, ",\"tool_calls\":[");
    for (int i = 0; list ? px_json_next(&walk, NULL, &call) : i == 0; i++) {
        call = list ? call : value;
        if (px_json_type_of(px_json_find(call, "name")) != PX_JSON_STRING)
            return fault(r, PX_FAULT_TYPE,
                         "a turn function_call names no function, expected {\"name\": .., "
                         "\"arguments\": {..}}");
        px_buf_puts(out, i > 0 ? ",{\"type\":\"function\",\"function\":"
                               : "{\"type\":\"function\",\"function\":");
        put_raw(out, call);
        px_buf_putc(out, '}');
    }
    px_buf_putc(out, ']');
    return true;
}

/* One turn of any of the ways in which they are written, in OpenAI's. */
static bool put_message(reader *r, px_json message, int i, bool learned, px_buf *out)
{
    static const char *const more[] = {"name",         "tool_calls", "function_call",
                                       "tool_call_id", "tool_name",  "reasoning_content",
                                       "reasoning",    "thinking"};
    px_str name;
    if (px_json_type_of(message) != PX_JSON_OBJECT)
        return fault(r, PX_FAULT_TYPE, "turn %d is %s, expected an object with role and content",
                     i + 1, px_json_type_name(px_json_type_of(message)));
    if (!get_string(r, first_of(message, "role", "from", "speaker"), &name))
        return fault(r, PX_FAULT_ROLE,
                     "turn %d says not whose it is, expected a member \"role\" or \"from\"", i + 1);
    const char *role = role_of(name);
    if (!role)
        return fault(r, PX_FAULT_ROLE,
                     "turn %d is of '%.60s', expected system, user, assistant or tool (or human, "
                     "gpt, function_call, observation)",
                     i + 1, name.data ? name.data : "");
    bool call = strcmp(role, "call") == 0;
    role = call ? "assistant" : role;
    px_json content = first_of(message, "content", "value", "text");
    bool calls =
        call || px_json_find(message, "tool_calls").at || px_json_find(message, "function_call").at;
    if (!content.at && !calls)
        return fault(r, PX_FAULT_MISSING, "turn %d (%s) has no content", i + 1, role);
    px_json_type type = px_json_type_of(content);
    if (type == PX_JSON_NUMBER || type == PX_JSON_BOOL)
        return fault(r, PX_FAULT_TYPE, "turn %d (%s): content is %s, expected a string", i + 1,
                     role, px_json_type_name(type));
    px_buf_printf(out, "%s{\"role\":\"%s\"", out->len > 0 ? "," : "", role);
    if (call && !put_calls(r, content, out))
        return false;
    if (!call && content.at) {
        px_buf_puts(out, ",\"content\":");
        put_raw(out, content);
    }
    for (size_t k = 0; k < sizeof more / sizeof *more; k++) {
        px_json value = px_json_find(message, more[k]);
        if (!value.at || px_json_type_of(value) == PX_JSON_NULL)
            continue;
        px_buf_printf(out, ",\"%s\":", more[k]);
        put_raw(out, value);
    }
    bool train = true;
    double weight = 1;
    px_json_get_bool(px_json_find(message, "train"), &train);
    px_json_get_double(px_json_find(message, "weight"), &weight);
    if (strcmp(role, "assistant") == 0 && (!learned || !train || !(weight > 0)))
        px_buf_puts(out, ",\"train\":false");
    px_buf_putc(out, '}');
    return true;
}

/* A list of turns, or one. */
static bool put_list(reader *r, px_json value, bool learned, px_buf *out)
{
    px_json message;
    if (px_json_type_of(value) == PX_JSON_OBJECT)
        return put_message(r, value, 0, learned, out);
    px_json_walk walk = px_json_each(value);
    int i = 0;
    while (px_json_next(&walk, NULL, &message))
        if (!put_message(r, message, i++, learned, out))
            return false;
    if (i == 0)
        return fault(r, PX_FAULT_MISSING, "the list of turns is empty");
    return true;
}

static bool is_list(px_json value)
{
    px_json_type type = px_json_type_of(value);
    return type == PX_JSON_ARRAY || type == PX_JSON_OBJECT;
}

/* The whole of a conversation around its turns. */
static px_str finish(reader *r, px_buf *turns)
{
    static const char mine[] = "{\"role\":\"system\"";
    px_buf text = {0};
    px_str system = optional(r, PX_COLUMN_SYSTEM);
    px_json tools = value_of(r, PX_COLUMN_TOOLS);
    if (system.len == 0 && r->system)
        system = px_str_of(r->system);
    bool has = turns->len >= sizeof mine - 1 && memcmp(turns->data, mine, sizeof mine - 1) == 0;
    px_buf_puts(&text, "{\"messages\":[");
    if (system.len > 0 && !has) {
        px_buf_puts(&text, "{\"role\":\"system\",\"content\":");
        px_json_put_str(&text, system.data, system.len);
        px_buf_puts(&text, turns->len > 0 ? "}," : "}");
    }
    px_buf_put(&text, turns->data ? turns->data : "", turns->len);
    px_buf_putc(&text, ']');
    if (px_json_type_of(tools) == PX_JSON_ARRAY && px_json_count(tools) > 0) {
        px_buf_puts(&text, ",\"tools\":");
        put_raw(&text, tools);
    }
    px_buf_putc(&text, '}');
    text.failed |= turns->failed;
    px_buf_clear(turns);
    return keep(r, &text);
}

/* ---- the kinds */

static bool read_chat(reader *r, px_sample *s)
{
    px_buf turns = {0};
    px_json value = value_of(r, PX_COLUMN_MESSAGES);
    if (px_json_type_of(value) != PX_JSON_ARRAY)
        return wrong_type(r, PX_COLUMN_MESSAGES, value, "a list of turns");
    if (!put_list(r, value, true, &turns)) {
        px_buf_clear(&turns);
        return false;
    }
    s->chat = finish(r, &turns);
    return true;
}

/* alpaca's history, a list of pairs. */
static bool put_history(reader *r, px_buf *turns)
{
    px_json list = value_of(r, PX_COLUMN_HISTORY), pair, part;
    px_json_walk walk = px_json_each(list);
    while (px_json_type_of(list) == PX_JSON_ARRAY && px_json_next(&walk, NULL, &pair)) {
        px_json_walk inner = px_json_each(pair);
        for (int i = 0; i < 2; i++) {
            px_str text;
            if (!px_json_next(&inner, NULL, &part) || !get_string(r, part, &text))
                return fault(r, PX_FAULT_TYPE,
                             "'%s' (history) holds something else than pairs of strings, expected "
                             "[[question, answer], ..]",
                             r->columns->name[PX_COLUMN_HISTORY]);
            put_turn(turns, i == 0 ? "user" : "assistant", text, true);
        }
    }
    return true;
}

/* The prompt with what alpaca calls input behind it. */
static px_str with_input(reader *r, px_str prompt, px_str input)
{
    px_buf text = {0};
    if (is_blank(input))
        return prompt;
    px_buf_put(&text, prompt.data, prompt.len);
    px_buf_puts(&text, "\n\n");
    px_buf_put(&text, input.data, input.len);
    return keep(r, &text);
}

/* The prompt's turns: a string or a list. */
static bool put_prompt(reader *r, px_sample *s, px_buf *turns)
{
    px_json prompt = value_of(r, PX_COLUMN_PROMPT);
    if (!put_history(r, turns))
        return false;
    if (is_list(prompt)) {
        s->strings = false;
        return put_list(r, prompt, false, turns);
    }
    if (!text_of(r, PX_COLUMN_PROMPT, &s->prompt))
        return false;
    s->prompt = with_input(r, s->prompt, optional(r, PX_COLUMN_INPUT));
    put_turn(turns, "user", s->prompt, true);
    return true;
}

/* An answer behind the prompt's turns. */
static bool put_answer(reader *r, px_sample *s, px_column column, px_buf *turns, px_str *text)
{
    px_json value = value_of(r, column);
    if (is_list(value)) {
        s->strings = false;
        return put_list(r, value, true, turns);
    }
    if (!text_of(r, column, text))
        return false;
    put_turn(turns, "assistant", *text, true);
    return true;
}

static bool with_answer(reader *r, px_sample *s, const px_buf *prompt, px_column column,
                        px_str *text, px_str *chat)
{
    px_buf turns = {0};
    px_buf_put(&turns, prompt->data ? prompt->data : "", prompt->len);
    turns.failed |= prompt->failed;
    bool ok = put_answer(r, s, column, &turns, text);
    if (ok)
        *chat = finish(r, &turns);
    px_buf_clear(&turns);
    return ok;
}

static bool truth_of(reader *r, px_json value, bool *out)
{
    double number;
    px_str word;
    if (px_json_get_bool(value, out))
        return true;
    if (px_json_get_double(value, &number) && (number == 0 || number == 1 || number == -1)) {
        *out = number > 0;
        return true;
    }
    static const char *const yes[] = {"true", "1", "yes", "good"}, *const no[] = {"false", "0",
                                                                                  "no", "bad"};
    if (get_string(r, value, &word))
        for (int i = 0; i < 4; i++)
            if (strcasecmp(word.data ? word.data : "", yes[i]) == 0 ||
                strcasecmp(word.data ? word.data : "", no[i]) == 0) {
                *out = strcasecmp(word.data, yes[i]) == 0;
                return true;
            }
    return wrong_type(r, PX_COLUMN_LABEL, value, "true or false");
}

static bool read_prompt(reader *r, px_sample *s)
{
    px_buf turns = {0};
    s->strings = true;
    bool ok = put_prompt(r, s, &turns);
    bool history = r->columns->name[PX_COLUMN_HISTORY] && turns.len > 0 &&
                   px_json_count(value_of(r, PX_COLUMN_HISTORY)) > 0;
    ok = ok && with_answer(r, s, &turns, PX_COLUMN_COMPLETION, &s->completion, &s->chat);
    if (ok && s->kind == PX_DATA_LABEL)
        ok = truth_of(r, px_column_of(r->columns, PX_COLUMN_LABEL, r->row), &s->good);
    s->strings = s->strings && !history && optional(r, PX_COLUMN_SYSTEM).len == 0;
    px_buf_clear(&turns);
    return ok;
}

/* Each instance with the one prompt (self-instruct's seed tasks). */
static bool read_instances(reader *r)
{
    px_json list = value_of(r, PX_COLUMN_INSTANCES), one;
    px_str prompt;
    if (px_json_type_of(list) != PX_JSON_ARRAY || px_json_count(list) == 0)
        return wrong_type(r, PX_COLUMN_INSTANCES, list, "a list of {input, output}");
    if (!text_of(r, PX_COLUMN_PROMPT, &prompt))
        return false;
    size_t n = (size_t)px_json_count(list);
    r->out->list = PX_ZNEW(r->arena, px_sample, n);
    if (!r->out->list) {
        r->no_memory = true;
        return false;
    }
    px_json_walk walk = px_json_each(list);
    while (px_json_next(&walk, NULL, &one)) {
        px_buf turns = {0};
        px_str input = {.data = "", .len = 0};
        px_sample *s = &r->out->list[r->out->n];
        *s = (px_sample){.line = r->line, .kind = PX_DATA_PROMPT, .strings = true};
        get_string(r, px_json_find(one, "input"), &input);
        if (!get_string(r, px_json_find(one, "output"), &s->completion))
            return fault(r, PX_FAULT_MISSING, "an instance has no string \"output\"");
        s->prompt = with_input(r, prompt, input);
        put_turn(&turns, "user", s->prompt, true);
        put_turn(&turns, "assistant", s->completion, true);
        s->chat = finish(r, &turns);
        r->out->n++;
    }
    return true;
}

/* ---- pairs */

/* How many turns both lists begin with. */
static int same_turns(px_json a, px_json b)
{
    px_json_walk wa = px_json_each(a), wb = px_json_each(b);
    px_json ma, mb;
    int n = 0;
    while (px_json_next(&wa, NULL, &ma) && px_json_next(&wb, NULL, &mb)) {
        if (ma.end - ma.at != mb.end - mb.at || memcmp(ma.at, mb.at, (size_t)(ma.end - ma.at)) != 0)
            break;
        n++;
    }
    return n;
}

/* A list of turns of which the first n are not learned. */
static bool split_list(reader *r, px_json list, int n, px_str *chat)
{
    px_buf turns = {0};
    px_json message;
    px_json_walk walk = px_json_each(list);
    bool ok = true;
    for (int i = 0; ok && px_json_next(&walk, NULL, &message); i++)
        ok = put_message(r, message, i, i >= n, &turns);
    if (ok)
        *chat = finish(r, &turns);
    px_buf_clear(&turns);
    return ok;
}

/* What both strings begin with, without the white space and the begun word at its end. */
static size_t same_text(px_str a, px_str b)
{
    size_t n = 0, most = a.len < b.len ? a.len : b.len;
    while (n < most && a.data[n] == b.data[n])
        n++;
    while (n > 0 && !strchr(" \t\n", a.data[n - 1]))
        n--;
    while (n > 0 && strchr(" \t\n", a.data[n - 1]))
        n--;
    return n;
}

/* Whether a list of turns begins with one that is no answer: it then holds the prompt too. */
static bool whole_list(reader *r, px_json list)
{
    px_json first;
    px_str name;
    px_json_walk walk = px_json_each(list);
    if (px_json_type_of(list) != PX_JSON_ARRAY || !px_json_next(&walk, NULL, &first) ||
        !get_string(r, first_of(first, "role", "from", "speaker"), &name))
        return false;
    const char *role = role_of(name);
    return role && (strcmp(role, "user") == 0 || strcmp(role, "system") == 0);
}

static bool read_pair(reader *r, px_sample *s)
{
    px_json chosen = value_of(r, PX_COLUMN_CHOSEN), rejected = value_of(r, PX_COLUMN_REJECTED);
    px_json prompt = px_column_of(r->columns, PX_COLUMN_PROMPT, r->row);
    bool none = px_json_type_of(prompt) == PX_JSON_NONE || px_json_type_of(prompt) == PX_JSON_NULL;
    s->strings = true;
    none = none || (whole_list(r, chosen) && whole_list(r, rejected));
    if (none && is_list(chosen) && is_list(rejected)) {
        int n = same_turns(chosen, rejected);
        s->strings = false;
        return split_list(r, chosen, n, &s->chat) && split_list(r, rejected, n, &s->other);
    }
    px_buf turns = {0};
    bool ok;
    if (none) {
        px_str a, b;
        ok = text_of(r, PX_COLUMN_CHOSEN, &a) && text_of(r, PX_COLUMN_REJECTED, &b);
        if (ok && a.data && b.data) {
            size_t n = same_text(a, b);
            s->prompt = (px_str){.data = a.data, .len = n};
            s->completion = (px_str){.data = a.data + n, .len = a.len - n};
            s->rejected = (px_str){.data = b.data + n, .len = b.len - n};
            px_buf other = {0};
            if (n > 0) {
                put_turn(&turns, "user", s->prompt, true);
                put_turn(&other, "user", s->prompt, true);
            }
            put_turn(&turns, "assistant", s->completion, true);
            put_turn(&other, "assistant", s->rejected, true);
            s->chat = finish(r, &turns);
            s->other = finish(r, &other);
        }
    } else {
        ok = put_prompt(r, s, &turns) &&
             with_answer(r, s, &turns, PX_COLUMN_CHOSEN, &s->completion, &s->chat) &&
             with_answer(r, s, &turns, PX_COLUMN_REJECTED, &s->rejected, &s->other);
    }
    px_buf_clear(&turns);
    return ok;
}

static bool read_one(reader *r, px_sample *s, const px_record *row)
{
    *s = (px_sample){
        .line = r->line, .kind = r->columns->kind, .begins = row->begins, .ends = row->ends};
    switch (s->kind) {
    case PX_DATA_CHAT:
        return read_chat(r, s);
    case PX_DATA_PROMPT:
    case PX_DATA_LABEL:
        return read_prompt(r, s);
    case PX_DATA_PAIR:
        return read_pair(r, s);
    default:
        s->strings = true;
        return text_of(r, PX_COLUMN_TEXT, &s->text);
    }
}

pith_status px_samples_read(const px_columns *columns, const px_record *row, const char *system,
                            px_arena *arena, px_samples *out, pith_error *err)
{
    *out = (px_samples){.n = 0};
    reader r = {.columns = columns,
                .system = system,
                .line = row->line,
                .row = row->value,
                .arena = arena,
                .out = out};
    bool ok;
    if (row->error.status != PITH_OK) {
        out->fault = PX_FAULT_PARSE;
        out->error = row->error;
        return PITH_OK;
    }
    if (columns->kind == PX_DATA_PROMPT && columns->name[PX_COLUMN_INSTANCES] &&
        !columns->name[PX_COLUMN_COMPLETION]) {
        ok = read_instances(&r);
    } else {
        out->list = PX_ZNEW(arena, px_sample, 1);
        r.no_memory = !out->list;
        ok = out->list && read_one(&r, out->list, row);
        out->n = ok;
    }
    if (r.no_memory) {
        out->n = 0;
        return px_fail_memory(err, "a row of a data file");
    }
    if (!ok)
        out->n = 0;
    return PITH_OK;
}
