/* dataset: files to rows, columns and examples. What is learned in shared templates: golden-masks.
 */
#include "sets.h"

/* Everything that a file gives, as text: ids decoded, what is learned between brackets, examples
 * between bars. */
typedef struct heard {
    char text[8192];
    size_t n;
    int count;
} heard;

static void say(heard *h, const char *text, size_t n)
{
    assert_true(h->n + n < sizeof h->text);
    memcpy(h->text + h->n, text, n);
    h->n += n;
    h->text[h->n] = '\0';
}

static int hear(void *user, const pith_example *e)
{
    heard *h = user;
    int learned = 0;
    if (h->count++ > 0)
        say(h, "|", 1);
    assert_int_equal(e->learn[0], 0);
    for (int32_t t = 0; t < e->n; t++) {
        pith_str piece = pith_token_bytes(pith_model_tokenizer(model), e->ids[t], true);
        if (e->learn[t] && !e->learn[t - 1])
            say(h, "[", 1);
        if (!e->learn[t] && t > 0 && e->learn[t - 1])
            say(h, "]", 1);
        say(h, piece.data, piece.len);
        learned += e->learn[t];
    }
    if (e->learn[e->n - 1])
        say(h, "]", 1);
    if (e->rejected)
        say(h, "-", 1);
    if (e->good)
        say(h, "+", 1);
    assert_int_equal(learned, e->n_learned);
    return 0;
}

static pith_render_result render(const char *path, const char *columns,
                                 const pith_render_options *o, const char *expected)
{
    heard h = {.n = 0};
    need_model();
    pith_dataset *set = set_open(path, columns);
    pith_render_result r = PITH_INIT(pith_render_result);
    assert_ok(pith_dataset_render(set, model, o, hear, &h, &r, &err));
    pith_dataset_close(set);
    assert_string_equal(h.text, expected);
    assert_int_equal(h.count, r.n_examples);
    return r;
}

#define TALK "<s> <user>\nHi.<assistant>\n[Yes.</s>]"

static void formats(void **state)
{
    (void)state;
    render(set_file("a.jsonl", "\xef\xbb\xbf{\"prompt\":\"Hi.\",\"completion\":\"Yes.\"}\r\n\n"
                               "{\"prompt\":\"Hi.\",\"completion\":\"Yes.\"}"),
           NULL, NULL, TALK "|" TALK);
    render(set_file("a.json", " [ {\"prompt\":\"Hi.\",\"completion\":\"Yes.\"} ,\n"
                              "{\"question\":1,\"prompt\":\"Hi.\",\"completion\":\"Yes.\"}]\n"),
           NULL, NULL, TALK "|" TALK);
    render(set_file("b.json", "{\"version\":[1,2],\"data\":[{\"prompt\":\"Hi.\",\"completion\":"
                              "\"Yes.\"}],\"n\":1}"),
           NULL, NULL, TALK);
    render(set_file("a.csv", "prompt,completion\nHi.,Yes.\n\"Hi.\",\"Yes.\"\n"), NULL, NULL,
           TALK "|" TALK);
    render(set_file("b.csv", "completion;prompt\r\nYes.;Hi.\r\n"), NULL, NULL, TALK);
    render(set_file("a.tsv", "prompt\tcompletion\nHi.\tYes.\n"), NULL, NULL, TALK);
    render(set_file("c.csv", "prompt,completion\n\"a \"\"b\"\",\nc\",d\n"), NULL, NULL,
           "<s> <user>\na \"b\",\nc<assistant>\n[d</s>]");
    render(set_file("a.txt", "One.\n<|endoftext|>\n\nTwo.\n"), NULL, NULL,
           "<s>[ One.\n</s>]|<s>[ Two.\n</s>]");
}

static void kinds(void **state)
{
    (void)state;
    render(
        set_file("chat.jsonl",
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi.\"},{\"role\":\"assistant\","
                 "\"content\":\"Yes.\"},{\"role\":\"user\",\"content\":\"So?\"},{\"role\":"
                 "\"assistant\",\"content\":\"No.\"}]}"),
        NULL, NULL, TALK " <user>\nSo?<assistant>\n[No.</s>]");
    render(
        set_file("weight.jsonl",
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi.\"},{\"role\":\"assistant\","
                 "\"weight\":0,\"content\":\"Yes.\"},{\"role\":\"user\",\"content\":\"So?\"},{"
                 "\"role\":\"assistant\",\"content\":\"No.\"}]}"),
        NULL, NULL, "<s> <user>\nHi.<assistant>\nYes.</s> <user>\nSo?<assistant>\n[No.</s>]");
    render(
        set_file("sharegpt.jsonl",
                 "{\"conversations\":[{\"from\":\"system\",\"value\":\"S.\"},{\"from\":\"human\","
                 "\"value\":\"Hi.\"},{\"from\":\"gpt\",\"value\":\"Yes.\"}]}"),
        NULL, NULL, "<s> <system>\nS.<user>\nHi.<assistant>\n[Yes.</s>]");
    render(
        set_file("alpaca.jsonl",
                 "{\"instruction\":\"Add.\",\"input\":\"1 2\",\"output\":\"3\",\"system\":\"S.\","
                 "\"history\":[[\"a\",\"b\"]]}"),
        NULL, NULL,
        "<s> <system>\nS.<user>\na<assistant>\n[b</s>] <user>\nAdd.\n\n1 2<assistant>\n[3</s>]");
    render(set_file("seed.jsonl", "{\"instruction\":\"Do.\",\"instances\":[{\"input\":\"\","
                                  "\"output\":\"x\"},{\"input\":\"y\",\"output\":\"z\"}]}"),
           NULL, NULL,
           "<s> <user>\nDo.<assistant>\n[x</s>]|<s> <user>\nDo.\n\ny<assistant>\n[z</s>]");
    render(set_file("lists.jsonl",
                    "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
                    "\"content\":\"b\"},{\"role\":\"user\",\"content\":\"c\"}],\"completion\":[{"
                    "\"role\":\"assistant\",\"content\":\"d\"}]}"),
           NULL, NULL, "<s> <user>\na<assistant>\nb</s> <user>\nc<assistant>\n[d</s>]");
    render(set_file("pair.jsonl", "{\"prompt\":\"Hi.\",\"chosen\":\"Yes.\",\"rejected\":\"No.\"}"),
           NULL, NULL, TALK "|<s> <user>\nHi.<assistant>\n[No.</s>]-");
    render(set_file("implicit.jsonl",
                    "{\"chosen\":[{\"role\":\"user\",\"content\":\"Hi.\"},{\"role\":\"assistant\","
                    "\"content\":\"Yes.\"}],\"rejected\":[{\"role\":\"user\",\"content\":\"Hi.\"},{"
                    "\"role\":\"assistant\",\"content\":\"No.\"}]}"),
           NULL, NULL, TALK "|<s> <user>\nHi.<assistant>\n[No.</s>]-");
    render(set_file("label.jsonl", "{\"prompt\":\"Hi.\",\"completion\":\"Yes.\",\"label\":true}\n"
                                   "{\"prompt\":\"Hi.\",\"completion\":\"No.\",\"label\":false}"),
           NULL, NULL, TALK "+|<s> <user>\nHi.<assistant>\n[No.</s>]");
    render(set_file("named.jsonl", "{\"zip\":\"Hi.\",\"zap\":\"Yes.\"}"),
           "prompt=zip, completion=zap", NULL, TALK);
    render(set_file("list.csv",
                    "messages\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"Hi.\"\"},"
                    "{\"\"role\"\":\"\"assistant\"\",\"\"content\"\":\"\"Yes.\"\"}]\"\n"),
           NULL, NULL, TALK);
}

static void plain(void **state)
{
    (void)state;
    pith_render_options o = PITH_INIT(pith_render_options);
    o.plain = true;
    pith_render_result r =
        render(set_file("a.jsonl", "{\"prompt\":\"Q: 2+2? A:\",\"completion\":\" 4\"}"), NULL, &o,
               "<s> Q: 2+2? A:[ 4</s>]");
    assert_false(r.template_used);
    assert_int_equal(r.n_turns, 1);
    assert_int_equal(r.n_ends, 1);
    /* A text that begins with bos itself has one. */
    o.special = true;
    render(set_file("bos.jsonl", "{\"text\":\"<s>Go.\"}"), NULL, &o, "<s>[ Go.</s>]");
}

/* Turns that are shown otherwise once others follow are learned as they were when they were last.
 */
static void again(void **state)
{
    (void)state;
    pith_render_result r =
        render(set_file("again.jsonl",
                        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":"
                        "\"assistant\",\"content\":\"@THINK b\"},{\"role\":\"user\",\"content\":"
                        "\"c\"},{\"role\":\"assistant\",\"content\":\"d\"}]}"),
               NULL, NULL,
               "<s> <user>\na<assistant>\n[@THINK b</s>]|"
               "<s> <user>\na<assistant>\n b</s> <user>\nc<assistant>\n[d</s>]");
    assert_int_equal(r.n_again, 1);
    assert_int_equal(r.n_turns, 2);
    assert_int_equal(r.n_ends, 2);
}

static void left_out(void **state)
{
    (void)state;
    pith_render_options o = PITH_INIT(pith_render_options);
    o.most_tokens = 34;
    o.skip_bad = true;
    pith_render_result r = render(
        set_file("mixed.jsonl",
                 "{\"prompt\":\"Hi.\",\"completion\":\"Yes.\"}\n"
                 "{\"prompt\":\"Hi.\",\"completion\":\"A very long answer that goes on and on, and "
                 "on, and on.\"}\n"
                 "{\"prompt\":\"Hi.\",\n"
                 "{\"prompt\":\"@REFUSE\",\"completion\":\"x\"}\n"
                 "{\"prompt\":\"Hi.\",\"completion\":[{\"role\":\"assistant\",\"content\":\"x\","
                 "\"train\":false}]}\n"),
        NULL, &o, TALK);
    assert_int_equal(r.n_rows, 5);
    assert_int_equal(r.n_bad, 1);
    assert_int_equal(r.n_long, 1);
    assert_int_equal(r.n_refused, 1);
    assert_int_equal(r.n_nothing, 1);
    assert_true(r.most_tokens > 34);
    /* Without leave, the first bad row ends it. */
    heard h = {.n = 0};
    pith_dataset *set = set_open(test_temp("mixed.jsonl"), NULL);
    assert_refused(pith_dataset_render(set, model, NULL, hear, &h, NULL, &err), PITH_E_FORMAT,
                   "line 3 column");
    pith_dataset_close(set);
}

/* Pieces of a long text: each token but the first is learned, once, behind the one before it. */
typedef struct pieces {
    int32_t ids[4096];
    int64_t n;
    int count;
} pieces;

static int collect(void *user, const pith_example *e)
{
    pieces *p = user;
    assert_true(e->n <= 16);
    assert_int_equal(e->n_learned, e->n - 1);
    int32_t from = p->count++ > 0;
    if (from)
        assert_int_equal(e->ids[0], p->ids[p->n - 1]);
    for (int32_t t = from; t < e->n; t++)
        p->ids[p->n++] = e->ids[t];
    return 0;
}

static void cut(void **state)
{
    (void)state;
    static pieces p;
    int32_t whole[4096];
    int64_t n;
    need_model();
    const char *text = sentence(5, 200);
    pith_dataset *set = set_open(set_file("long.txt", text), NULL);
    pith_render_options o = PITH_INIT(pith_render_options);
    pith_render_result r = PITH_INIT(pith_render_result);
    o.most_tokens = 16;
    assert_ok(pith_dataset_render(set, model, &o, collect, &p, &r, &err));
    assert_ok(pith_tokenize(pith_model_tokenizer(model), text, strlen(text), 0, whole, NULL, 4096,
                            &n, &err));
    whole[n++] = 2; // </s>
    assert_int_equal(p.n, n);
    assert_memory_equal(p.ids, whole, (size_t)n * sizeof *whole);
    assert_int_equal(r.n_cut, 1);
    assert_int_equal(r.n_examples, p.count);
    assert_int_equal(r.n_learned, n - 1);
    pith_dataset_close(set);
}

static void refusals(void **state)
{
    (void)state;
    pith_dataset *set;
    static const struct {
        const char *name, *text, *columns, *kind;
        pith_status status;
        const char *says;
    } cases[] = {
        {"x.parquet", "PAR1....", NULL, NULL, PITH_E_UNSUPPORTED, "Parquet"},
        {"x.gz", "\x1f\x8b\x08....", NULL, NULL, PITH_E_UNSUPPORTED, "gunzip"},
        {"u.csv",
         "\xff\xfe"
         "a,b",
         NULL, NULL, PITH_E_FORMAT, "iconv -f UTF-16"},
        {"e.jsonl", "\n\n", NULL, NULL, PITH_E_FORMAT, "holds no rows"},
        {"w.jsonl", "{\"foo\":1,\"bar\":2}", NULL, NULL, PITH_E_ARGUMENT, "columns foo, bar"},
        {"c.jsonl", "{\"foo\":1}", "prompt=fox", NULL, PITH_E_ARGUMENT, "no column 'fox'"},
        {"m.jsonl", "{\"foo\":1}", "promt=foo", NULL, PITH_E_ARGUMENT, "'promt' is no meaning"},
        {"k.jsonl", "{\"text\":\"a\"}", NULL, "pair", PITH_E_ARGUMENT, "chosen and rejected"},
        {"q.jsonl", "{\"text\":\"a\"}", NULL, "prose", PITH_E_ARGUMENT, "no kind of data"},
        {"d.csv", "a,b,a\n1,2,3\n", NULL, NULL, PITH_E_FORMAT, "two columns are named 'a'"},
        {"j.json", "{\"a\":[1,2]}", NULL, NULL, PITH_E_FORMAT, "no array of objects"},
        {"b.jsonl", "{\"a\":\n{", NULL, NULL, PITH_E_FORMAT, "no row can be read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pith_dataset_options o = PITH_INIT(pith_dataset_options);
        o.columns = cases[i].columns;
        o.kind = cases[i].kind;
        assert_refused(pith_dataset_open(set_file(cases[i].name, cases[i].text), &o, &set, &err),
                       cases[i].status, cases[i].says);
        assert_null(set);
    }
    assert_refused(pith_dataset_open(test_temp("none.jsonl"), NULL, &set, &err), PITH_E_NOT_FOUND,
                   "none.jsonl");
}

/* A row of a table that is wrong is told with its line, and the next is read. */
static void bad_rows(void **state)
{
    (void)state;
    pith_render_options o = PITH_INIT(pith_render_options);
    o.skip_bad = true;
    pith_render_result r = render(set_file("bad.csv", "prompt,completion\n"
                                                      "Hi.,Yes.,more\n"
                                                      "\"Hi.\"x,Yes.\n"
                                                      "H\xfei.,Yes.\n"
                                                      "Hi.,Yes.\n"
                                                      "\"never closed,Yes.\n"),
                                  NULL, &o, TALK);
    assert_int_equal(r.n_bad, 4);
    assert_int_equal(r.n_rows, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),  cmocka_unit_test(kinds),    cmocka_unit_test(plain),
        cmocka_unit_test(again),    cmocka_unit_test(left_out), cmocka_unit_test(cut),
        cmocka_unit_test(refusals), cmocka_unit_test(bad_rows),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
