/*
 * reply_syntax: what a template can do, put together from probes, and the ways to write calls that
 * are read besides the template's own: models write what they were trained on, and not all of that
 * is printed by the template that they come with.
 */
#include "text/reply_syntax.h"

#include "text/reply_probe.h"

#include <stdio.h>

/* ---- reading */

px_str px_reply_trim(px_str text)
{
    while (text.len > 0 && px_reply_space(text.data[text.len - 1]))
        text.len--;
    while (text.len > 0 && px_reply_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

px_seen px_reply_match(const char *text, size_t n, px_str pattern, size_t *used)
{
    size_t i = 0, last = 0;
    for (size_t k = 0; k < pattern.len; k++) {
        if (px_reply_space(pattern.data[k]))
            continue;
        while (i < n && px_reply_space(text[i]))
            i++;
        if (i == n)
            return PX_SEEN_PART;
        if (text[i] != pattern.data[k])
            return PX_SEEN_NO;
        last = ++i;
    }
    *used = last;
    return PX_SEEN_YES;
}

/* ---- forms that are read where something hints at them */

#define TEXT(s)                           \
    {                                     \
        .data = (s), .len = sizeof(s) - 1 \
    }
#define HOLE(kind)     \
    {                  \
        .hole = (kind) \
    }
#define TEXT_PIECE(s)                         \
    {                                         \
        .hole = PX_HOLE_TEXT, .text = TEXT(s) \
    }
#define JSON_PIECES(key)                                                                         \
    .pieces = {TEXT_PIECE("{\"name\": \""), HOLE(PX_HOLE_NAME), TEXT_PIECE("\", \"" key "\": "), \
               HOLE(PX_HOLE_ARGUMENTS), TEXT_PIECE("}")},                                        \
    .n_pieces = 5

typedef struct alias {
    const char *hint; // in the template or the vocabulary; "": always, NULL: tools are told by pith
    px_reply_form form;
} alias;

static const alias aliases[] = {
    {"", {.core = PX_CORE_JSON, .begin = TEXT("<tool_call>"), .end = TEXT("</tool_call>")}},
    {"<|python_tag|>", {.core = PX_CORE_JSON, .begin = TEXT("<|python_tag|>"), .sep = TEXT(";")}},
    {"<|python_tag|>", {.core = PX_CORE_BUILTIN, .begin = TEXT("<|python_tag|>")}},
    {"<|python_tag|>",
     {.core = PX_CORE_NAMED,
      .begin = TEXT("<function="),
      .end = TEXT("</function>"),
      .pieces = {HOLE(PX_HOLE_NAME), TEXT_PIECE(">"), HOLE(PX_HOLE_ARGUMENTS)},
      .n_pieces = 3}},
    {"[TOOL_CALLS]",
     {.core = PX_CORE_JSON, .begin = TEXT("[TOOL_CALLS]["), .sep = TEXT(","), .end = TEXT("]")}},
    {"[TOOL_CALLS]",
     {.core = PX_CORE_NAMED,
      .begin = TEXT("[TOOL_CALLS]"),
      .pieces = {HOLE(PX_HOLE_NAME), TEXT_PIECE("[ARGS]"), HOLE(PX_HOLE_ARGUMENTS)},
      .n_pieces = 3}},
    {"<|tool_call|>",
     {.core = PX_CORE_JSON,
      .begin = TEXT("<|tool_call|>["),
      .sep = TEXT(","),
      .end = TEXT("]<|/tool_call|>")}},
    {"<|tool_call|>",
     {.core = PX_CORE_JSON, .begin = TEXT("functools["), .sep = TEXT(","), .end = TEXT("]")}},
    {NULL, {.core = PX_CORE_JSON, .begin = TEXT("```tool_code"), .end = TEXT("```")}},
    {NULL, {.core = PX_CORE_PYTHON, .begin = TEXT("```tool_code"), .end = TEXT("```")}},
    {NULL, {.core = PX_CORE_JSON, .begin = TEXT("```tool_call"), .end = TEXT("```")}},
    {NULL, {.core = PX_CORE_JSON, .begin = TEXT("```json"), .end = TEXT("```")}},
    {"", {.core = PX_CORE_JSON}},
    {"<|python_tag|>",
     {.core = PX_CORE_PYTHON, .begin = TEXT("["), .sep = TEXT(","), .end = TEXT("]")}},
    {NULL, {.core = PX_CORE_PYTHON, .begin = TEXT("["), .sep = TEXT(","), .end = TEXT("]")}},
};

/* What is told and enforced where the template has no syntax of its own. */
static const px_reply_form plain_form = {.core = PX_CORE_JSON,
                                         .begin = TEXT("<tool_call>\n"),
                                         .sep = TEXT("\n</tool_call>\n<tool_call>\n"),
                                         .end = TEXT("\n</tool_call>"),
                                         JSON_PIECES("arguments")};
static const px_reply_form phi_form = {.core = PX_CORE_JSON,
                                       .begin = TEXT("<|tool_call|>["),
                                       .sep = TEXT(", "),
                                       .end = TEXT("]<|/tool_call|>"),
                                       JSON_PIECES("arguments")};

static bool has_token(const px_probe *p, const char *text)
{
    return p->tok && px_tokenizer_find(p->tok, px_str_of(text)) >= 0;
}

static bool hinted(const px_probe *p, const char *hint)
{
    if (!hint)
        return p->out->tools == PX_TOOLS_TOLD;
    return !*hint || has_token(p, hint) || px_probe_find(px_template_source(p->t), hint, 0) >= 0;
}

static bool same_form(const px_reply_form *a, const px_reply_form *b)
{
    size_t used;
    px_str x = px_reply_trim(a->begin), y = px_reply_trim(b->begin);
    return a->core == b->core && (a->begin.len > 0) == (b->begin.len > 0) &&
           px_reply_match(x.data, x.len, y, &used) == PX_SEEN_YES && used == x.len;
}

static void add_aliases(const px_probe *p)
{
    px_reply_syntax *out = p->out;
    if (out->n_forms == 0)
        out->forms[out->n_forms++] = has_token(p, "<|tool_call|>") ? phi_form : plain_form;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        bool known = !hinted(p, aliases[i].hint);
        for (int f = 0; f < out->n_forms && !known; f++)
            known = same_form(&out->forms[f], &aliases[i].form);
        if (!known && out->n_forms < PX_REPLY_FORMS)
            out->forms[out->n_forms++] = aliases[i].form;
    }
}

/* ---- reasoning */

static const char *const think_marks[][2] = {
    {"<think>", "</think>"},         {"[THINK]", "[/THINK]"},
    {"<reasoning>", "</reasoning>"}, {"<thinking>", "</thinking>"},
    {"<thought>", "</thought>"},     {"<|START_THINKING|>", "<|END_THINKING|>"},
};

/* Reasoning that a turn is given, as the template prints it. */
static void think_as_given(px_probe *p)
{
    px_str text;
    if (!px_probe_printf(p, "", false, &text, "%s",
                         "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER
                         "\"},{\"role\":\"assistant\",\"content\":\"" PX_PROBE_ANSWER
                         "\",\"reasoning_content\":\"" PX_PROBE_REASON
                         "\",\"reasoning\":\"" PX_PROBE_REASON "\",\"thinking\":\"" PX_PROBE_REASON
                         "\"}"))
        return;
    int64_t at = px_probe_find(text, PX_PROBE_REASON, 0);
    if (at < 0)
        return;
    p->out->think_given = true;
    size_t behind = (size_t)at + sizeof PX_PROBE_REASON - 1;
    int64_t answer = px_probe_find(text, PX_PROBE_ANSWER, behind);
    size_t from = px_probe_same_head(p->prompt, text);
    if (answer < 0 || from > (size_t)at)
        return;
    px_str open = px_reply_trim(px_probe_cut(text, from, (size_t)at));
    px_str close = px_reply_trim(px_probe_cut(text, behind, (size_t)answer));
    /* A prompt that opens the block hides where it begins. */
    if (open.len > 0 && close.len > 0) {
        p->out->think_open = open;
        p->out->think_close = close;
    }
}

static void find_think(px_probe *p)
{
    px_reply_syntax *out = p->out;
    think_as_given(p);
    size_t n = sizeof think_marks / sizeof *think_marks;
    for (size_t i = 0; i < n && out->think_close.len == 0; i++) {
        const char *open = think_marks[i][0], *close = think_marks[i][1];
        if (px_probe_find(px_template_source(p->t), close, 0) >= 0 ||
            (has_token(p, open) && has_token(p, close))) {
            out->think_open = px_str_of(open);
            out->think_close = px_str_of(close);
        }
    }
    static const char *const switches[] = {"enable_thinking", "thinking"};
    for (int i = 0; i < 2 && out->think_close.len > 0 && !out->think_switch; i++) {
        px_str on, off;
        char set[64];
        snprintf(set, sizeof set, "\"%s\":true,", switches[i]);
        bool ok = px_probe_render(p, "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}", set,
                                  true, &on);
        snprintf(set, sizeof set, "\"%s\":false,", switches[i]);
        ok = ok && px_probe_render(p, "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}", set,
                                   true, &off);
        out->think_switch = ok && !px_str_eq(on, off);
        out->think_name = px_str_of(switches[i]);
    }
    if (!out->think_switch)
        out->think_name = (px_str){0};
}

/* ---- roles and tools */

static bool prints(px_probe *p, const char *messages, const char *word)
{
    px_str text;
    return px_probe_render(p, messages, "", true, &text) && px_probe_find(text, word, 0) >= 0;
}

static void find_roles(px_probe *p)
{
    px_reply_syntax *out = p->out;
    out->parts =
        !prints(p, "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}", PX_PROBE_USER) &&
        prints(p,
               "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" PX_PROBE_USER
               "\"}]}",
               PX_PROBE_USER);
    out->system =
        prints(p,
               "{\"role\":\"system\",\"content\":\"" PX_PROBE_SYSTEM
               "\"},{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}",
               PX_PROBE_SYSTEM) ||
        (out->parts &&
         prints(p,
                "{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"" PX_PROBE_SYSTEM
                "\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" PX_PROBE_USER
                "\"}]}",
                PX_PROBE_SYSTEM));
    out->late_system = prints(p,
                              "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER
                              "\"},{\"role\":\"assistant\",\"content\":\"" PX_PROBE_ANSWER
                              "\"},{\"role\":\"system\",\"content\":\"" PX_PROBE_SYSTEM
                              "\"},{\"role\":\"user\",\"content\":\"Again\"}",
                              PX_PROBE_SYSTEM);
    out->repeats = prints(p,
                          "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER
                          "\"},{\"role\":\"user\",\"content\":\"" PX_PROBE_ANSWER "\"}",
                          PX_PROBE_ANSWER);
}

static void find_tools(px_probe *p)
{
    px_reply_syntax *out = p->out;
    out->tools = PX_TOOLS_NATIVE;
    if (prints(p, "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}", PX_PROBE_TOOL))
        return;
    out->tools = PX_TOOLS_SYSTEM;
    if (prints(p,
               "{\"role\":\"system\",\"content\":\"" PX_PROBE_SYSTEM
               "\",\"tools\":\"[{\\\"name\\\": \\\"" PX_PROBE_TOOL
               "\\\"}]\"},{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}",
               PX_PROBE_TOOL))
        return;
    out->tools = PX_TOOLS_TOLD;
}

static void find_turn(px_probe *p)
{
    px_str text;
    if (!px_probe_render(p, "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER "\"}", "", true,
                         &p->prompt))
        return;
    if (!px_probe_render(p,
                         "{\"role\":\"user\",\"content\":\"" PX_PROBE_USER
                         "\"},{\"role\":\"assistant\",\"content\":\"" PX_PROBE_ANSWER "\"}",
                         "", false, &text))
        return;
    int64_t at = px_probe_find(text, PX_PROBE_ANSWER, 0);
    if (at >= 0)
        p->turn_end = px_probe_cut(text, (size_t)at + sizeof PX_PROBE_ANSWER - 1, text.len);
}

/* ---- tokens */

static void find_ends(px_probe *p)
{
    if (!p->tok)
        return;
    const px_vocab_def *def = px_tokenizer_def(p->tok);
    p->bos = px_token_bytes(p->tok, def->bos, true);
    p->eos = px_token_bytes(p->tok, def->eos, true);
    px_reply_syntax *out = p->out;
    for (int32_t id = 0; id < def->n_tokens && out->n_ends < 8; id++)
        if (px_token_ends(p->tok, id) && px_token_bytes(p->tok, id, true).len > 0)
            out->ends[out->n_ends++] = px_token_bytes(p->tok, id, true);
}

static bool holds(px_str text, px_str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (memcmp(text.data + i, word.data, word.len) == 0)
            return true;
    return false;
}

static bool form_holds(const px_reply_form *form, px_str word)
{
    bool any = holds(form->begin, word) || holds(form->sep, word) || holds(form->end, word);
    for (int i = 0; i < form->n_pieces; i++)
        any |= holds(form->pieces[i].text, word);
    return any;
}

/* Special tokens among the markers. Control tokens are not shown in an answer unless asked for. */
static void find_tokens(px_probe *p)
{
    if (!p->tok)
        return;
    const px_vocab_def *def = px_tokenizer_def(p->tok);
    px_reply_syntax *out = p->out;
    for (int32_t id = 0; id < def->n_tokens; id++) {
        const px_vocab_token *token = &def->tokens[id];
        if ((token->type != PX_TOKEN_CONTROL && token->type != PX_TOKEN_USER_DEFINED) ||
            token->text.len < 3 || px_token_ends(p->tok, id))
            continue;
        bool used = holds(out->think_open, token->text) || holds(out->think_close, token->text);
        for (int f = 0; f < out->n_forms && !used; f++)
            used = form_holds(&out->forms[f], token->text);
        if (!used)
            continue;
        out->special |= token->type == PX_TOKEN_CONTROL;
        if (out->n_tokens < 16)
            out->tokens[out->n_tokens++] = token->text;
    }
}

pith_status px_reply_syntax_find(const px_template *t, const px_tokenizer *tok, px_arena *arena,
                                 px_reply_syntax *out, pith_error *err)
{
    px_probe p = {.t = t, .tok = tok, .arena = arena, .out = out};
    *out = (px_reply_syntax){.tools = PX_TOOLS_TOLD};
    find_ends(&p);
    find_roles(&p);
    find_tools(&p);
    find_turn(&p);
    find_think(&p);
    px_probe_calls(&p);
    add_aliases(&p);
    find_tokens(&p);
    return p.status == PITH_OK ? PITH_OK : px_fail_memory(err, "the syntax of a chat template");
}
