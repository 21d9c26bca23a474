/*
 * reply_probe: what a template prints for an assistant's calls.
 *
 * A turn with one call and one with two are rendered, their names, arguments and ids being words
 * that stand nowhere else. What the model would have written is the text behind the prompt; a call
 * in it is the JSON object around the name, or else the stretch from the name to the end of the
 * arguments, and the words in it are the holes. Ways to give a call (arguments as an object or as
 * text, ids of nine or of many characters, content empty, null or missing) are tried until one is
 * printed.
 */
#include "text/reply_probe.h"

#include "base/json.h"

#include <stdio.h>

#define CALL_A "pith_probe_call_a"
#define CALL_B "pith_probe_call_b"
#define ARGS_A "{\"pith_probe_arg\": \"pith_a\"}"
#define ARGS_B "{\"pith_probe_arg\": \"pith_b\"}"

static const char TOOLS[] =
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"" PX_PROBE_TOOL
    "\",\"description\":\"Does.\",\"parameters\":{\"type\":\"object\",\"properties\":{\"word\":{"
    "\"type\":\"string\",\"description\":\"A word.\"}},\"required\":[\"word\"]}}}],";

bool px_probe_render(px_probe *p, const char *messages, const char *variables, bool prompt,
                     px_str *out)
{
    *out = (px_str){0};
    if (p->status != PITH_OK)
        return false;
    px_buf json = {0};
    px_rendered r = {0};
    bool tools = p->out->tools == PX_TOOLS_NATIVE;
    px_buf_printf(&json,
                  "{\"messages\":[%s],%s%s\"add_generation_prompt\":%s,\"bos_token\":", messages,
                  variables, tools ? TOOLS : "", prompt ? "true" : "false");
    px_json_put_str(&json, p->bos.data, p->bos.len);
    px_buf_puts(&json, ",\"eos_token\":");
    px_json_put_str(&json, p->eos.data, p->eos.len);
    px_buf_putc(&json, '}');
    pith_status st = px_buf_status(&json, "a probe", NULL);
    if (st == PITH_OK)
        st = px_template_render(p->t, json.data, json.len, 0, &r, NULL);
    if (st == PITH_OK) {
        char *copy = px_arena_strndup(p->arena, r.text.data ? r.text.data : "", r.text.len);
        *out = (px_str){.data = copy, .len = r.text.len};
        if (!copy)
            st = PITH_E_MEMORY;
    }
    px_rendered_clear(&r);
    px_buf_clear(&json);
    if (st == PITH_E_MEMORY)
        p->status = st;
    return st == PITH_OK;
}

bool px_probe_printf(px_probe *p, const char *variables, bool prompt, px_str *out,
                     const char *messages, ...)
{
    px_buf text = {0};
    va_list args;
    va_start(args, messages);
    px_buf_vprintf(&text, messages, args);
    va_end(args);
    *out = (px_str){0};
    bool ok = false;
    if (text.failed)
        p->status = PITH_E_MEMORY;
    else
        ok = px_probe_render(p, text.data, variables, prompt, out);
    px_buf_clear(&text);
    return ok;
}

int64_t px_probe_find(px_str text, const char *word, size_t from)
{
    size_t n = strlen(word);
    for (size_t i = from; n > 0 && i + n <= text.len; i++)
        if (text.data[i] == word[0] && memcmp(text.data + i, word, n) == 0)
            return (int64_t)i;
    return -1;
}

size_t px_probe_same_head(px_str a, px_str b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.data[n] == b.data[n])
        n++;
    return n;
}

size_t px_probe_same_tail(px_str a, px_str b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.data[a.len - 1 - n] == b.data[b.len - 1 - n])
        n++;
    return n;
}

/* ---- a call in a printed text */

typedef struct found_call {
    size_t start, end;     // of the call
    size_t name, name_end; // of the name
    size_t args, args_end; // of the arguments
    size_t id, id_end;     // both 0: not printed
    bool json;
} found_call;

/* Behind the bracket that closes the one at `at`, or 0. */
static size_t balanced(px_str text, size_t at)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = at; i < text.len; i++) {
        char c = text.data[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '{' || c == '[')) {
            depth++;
        } else if (!quoted && (c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool is_object(px_str text, size_t from, size_t to)
{
    px_json value;
    return px_json_check("probe", text.data + from, to - from, &value, NULL) == PITH_OK &&
           px_json_type_of(value) == PX_JSON_OBJECT;
}

/* The object of arguments that holds a value, which stands at or behind from. */
static bool find_args(px_str text, const char *value, size_t from, found_call *call)
{
    int64_t at = px_probe_find(text, value, from);
    int64_t key = px_probe_find(text, "\"pith_probe_arg\"", from);
    if (at < 0 || key < 0 || key > at)
        return false;
    for (int64_t next;
         (next = px_probe_find(text, "\"pith_probe_arg\"", (size_t)key + 1)) >= 0 && next < at;)
        key = next;
    size_t open = (size_t)key;
    while (open > from && text.data[open - 1] != '{')
        open--;
    if (open == from)
        return false;
    call->args = open - 1;
    call->args_end = balanced(text, open - 1);
    return call->args_end > (size_t)at && is_object(text, call->args, call->args_end);
}

static bool find_call(px_str text, const char *name, const char *value, const char *id, size_t from,
                      found_call *call)
{
    *call = (found_call){0};
    int64_t at = px_probe_find(text, name, from);
    if (at < 0 || !find_args(text, value, from, call))
        return false;
    call->name = (size_t)at;
    call->name_end = call->name + strlen(name);
    size_t first = call->name < call->args ? call->name : call->args;
    for (size_t i = from; i < first && !call->json; i++) {
        size_t end = text.data[i] == '{' ? balanced(text, i) : 0;
        if (end > call->name_end && end > call->args_end && is_object(text, i, end)) {
            call->json = true;
            call->start = i;
            call->end = end;
        }
    }
    if (!call->json) {
        if (call->args < call->name_end)
            return false;
        call->start = call->name;
        call->end = call->args_end;
    }
    int64_t id_at = px_probe_find(text, id, call->start);
    if (id_at >= 0 && (size_t)id_at < call->end) {
        call->id = (size_t)id_at;
        call->id_end = call->id + strlen(id);
    }
    return true;
}

/* ---- a form from two printed turns */

static void put_piece(px_reply_form *form, px_hole hole, px_str text)
{
    if ((hole != PX_HOLE_TEXT || text.len > 0) && form->n_pieces < PX_REPLY_PIECES)
        form->pieces[form->n_pieces++] = (px_reply_piece){.hole = hole, .text = text};
}

static void put_pieces(px_str text, const found_call *call, px_reply_form *form)
{
    struct {
        px_hole hole;
        size_t from, to;
    } holes[3] = {{PX_HOLE_NAME, call->name, call->name_end},
                  {PX_HOLE_ARGUMENTS, call->args, call->args_end},
                  {PX_HOLE_ID, call->id, call->id_end}};
    size_t at = call->start;
    form->has_id = call->id_end > 0;
    form->core = call->json ? PX_CORE_JSON : PX_CORE_NAMED;
    for (;;) {
        int next = -1;
        for (int i = 0; i < 3; i++)
            if (holes[i].to > 0 && holes[i].from >= at &&
                (next < 0 || holes[i].from < holes[next].from))
                next = i;
        if (next < 0)
            break;
        put_piece(form, PX_HOLE_TEXT, px_probe_cut(text, at, holes[next].from));
        put_piece(form, holes[next].hole, (px_str){0});
        at = holes[next].to;
        holes[next].to = 0;
    }
    put_piece(form, PX_HOLE_TEXT, px_probe_cut(text, at, call->end));
}

/* Where an answer ends in what stands behind its last call. */
static size_t turn_end(const px_probe *p, px_str rest)
{
    size_t n = rest.len;
    px_str end = px_reply_trim(p->turn_end);
    for (size_t i = 0; end.len > 0 && i + end.len <= n; i++)
        if (memcmp(rest.data + i, end.data, end.len) == 0)
            return i;
    for (int e = 0; e < p->out->n_ends; e++)
        for (size_t i = 0; i + p->out->ends[e].len <= n; i++)
            if (memcmp(rest.data + i, p->out->ends[e].data, p->out->ends[e].len) == 0)
                n = i;
    return n;
}

/* Without an empty block of reasoning that a template puts before calls. */
static px_str without_think(const px_probe *p, px_str begin)
{
    px_str close = p->out->think_close;
    if (close.len == 0)
        return begin;
    for (size_t i = 0; i + close.len <= begin.len; i++)
        if (memcmp(begin.data + i, close.data, close.len) == 0) {
            i += close.len;
            while (i < begin.len && px_reply_space(begin.data[i]))
                i++;
            return px_probe_cut(begin, i, begin.len);
        }
    return begin;
}

typedef struct way {
    const char *id_a, *id_b; // at least one
    const char *content;     // member, with a comma, or ""
    bool text;               // arguments as text
} way;

static void put_call(px_buf *out, const char *name, const char *args, const char *id, bool text)
{
    px_buf_printf(out,
                  "{\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":\"%s\","
                  "\"arguments\":",
                  id, name);
    if (text)
        px_json_put_str(out, args, strlen(args));
    else
        px_buf_puts(out, args);
    px_buf_puts(out, "}}");
}

static bool render_calls(px_probe *p, const way *w, bool two, const char *behind, px_str *out)
{
    px_buf calls = {0};
    put_call(&calls, CALL_A, ARGS_A, w->id_a, w->text);
    if (two) {
        px_buf_putc(&calls, ',');
        put_call(&calls, CALL_B, ARGS_B, w->id_b, w->text);
    }
    bool ok = false;
    if (calls.failed)
        p->status = PITH_E_MEMORY;
    else
        ok = px_probe_printf(p, "", false, out,
                             "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER
                             "\"},{\"role\":\"assistant\",%s\"tool_calls\":[%s]}%s",
                             w->content, calls.data, behind);
    px_buf_clear(&calls);
    return ok;
}

/* Whether a way is printed; then what it looks like. */
static bool try_way(px_probe *p, const way *w)
{
    px_str one, two;
    found_call a, b;
    if (!render_calls(p, w, false, "", &one))
        return false;
    size_t from = px_probe_same_head(p->prompt, one);
    if (!find_call(one, CALL_A, "pith_a", w->id_a, from, &a))
        return false;
    px_reply_syntax *out = p->out;
    px_reply_form *form = &out->forms[0];
    *form = (px_reply_form){0};
    put_pieces(one, &a, form);
    form->begin = without_think(p, px_probe_cut(one, from, a.start));
    px_str rest = px_probe_cut(one, a.end, one.len);
    form->end = px_probe_cut(rest, 0, turn_end(p, rest));
    if (render_calls(p, w, true, "", &two) && find_call(two, CALL_A, "pith_a", w->id_a, from, &a) &&
        find_call(two, CALL_B, "pith_b", w->id_b, a.end, &b))
        form->sep = px_probe_cut(two, a.end, b.start);
    out->n_forms = 1;
    out->calls_native = true;
    out->arguments_string = w->text;
    out->no_content = w->content[0] == '\0';
    return true;
}

void px_probe_calls(px_probe *p)
{
    static const char *const ids[][2] = {{"call_pithprobe_a", "call_pithprobe_b"},
                                         {"pithprobA", "pithprobB"}};
    static const char *const contents[] = {"\"content\":\"\",", "\"content\":null,", ""};
    way w = {0};
    bool found = false;
    for (int i = 0; i < 12 && !found && p->status == PITH_OK; i++) {
        w = (way){.id_a = ids[i / 6][0],
                  .id_b = ids[i / 6][1],
                  .content = contents[i / 2 % 3],
                  .text = i % 2 == 1};
        found = try_way(p, &w);
        if (found && i >= 6)
            p->out->id_length = 9;
    }
    if (!found)
        w = (way){.id_a = ids[1][0], .id_b = ids[1][1], .content = contents[0]};
    char behind[256];
    snprintf(behind, sizeof behind,
             ",{\"role\":\"tool\",\"name\":\"" CALL_A
             "\",\"tool_call_id\":\"%s\",\"content\":\"" PX_PROBE_RESULT "\"}",
             w.id_a);
    px_str text;
    p->out->results_native =
        render_calls(p, &w, false, behind, &text) && px_probe_find(text, PX_PROBE_RESULT, 0) >= 0;
}
