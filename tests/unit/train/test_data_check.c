/* data_check: a file with one fault of each kind, in which each is found where it was put and
 * nothing else; a clean file, in which nothing is; what --fix leaves; splits. */
#include "sets.h"

enum { CLEAN = 60, LINE = 60000 };

typedef struct text {
    char *data;
    size_t n, cap;
    int64_t line; // of what is put next
} text;

static void put(text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(text *t, const char *fmt, ...)
{
    va_list args;
    assert_true(t->n + LINE < t->cap);
    va_start(args, fmt);
    int n = vsnprintf(t->data + t->n, LINE, fmt, args);
    va_end(args);
    assert_true(n >= 0 && n < LINE);
    t->n += (size_t)n;
    for (const char *c = t->data + t->n - n; *c; c++)
        t->line += *c == '\n';
}

static text new_text(void)
{
    size_t cap = 600000;
    return (text){.data = test_keep(cap), .cap = cap, .line = 1};
}

static void put_talk(text *t, const char *prompt, const char *answer)
{
    put(t,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"assistant\",\"content\":"
        "\"%s\"}]}\n",
        prompt, answer);
}

static void put_clean(text *t, int n)
{
    for (int i = 0; i < n; i++)
        put_talk(t, sentence(1000 + (uint64_t)i, 20), sentence(2000 + (uint64_t)i, 40));
}

static const char *save(const text *t, const char *name)
{
    const char *path = test_temp(name);
    test_write(path, t->data, t->n);
    return path;
}

static pith_data_report *check(const char *path, pith_data_check_options *o)
{
    need_model();
    pith_dataset *set = set_open(path, NULL);
    pith_data_report *report;
    pith_data_check_options none = PITH_INIT(pith_data_check_options);
    o = o ? o : &none;
    o->model = model;
    if (o->most_tokens == 0)
        o->most_tokens = 8000;
    assert_ok(pith_data_check(set, o, &report, &err));
    pith_dataset_close(set);
    return report;
}

static bool find(const pith_data_report *report, const char *code, pith_data_finding *out)
{
    *out = PITH_INIT(pith_data_finding);
    for (int32_t i = 0; pith_data_report_get(report, i, out, NULL) == PITH_OK; i++)
        if (strcmp(out->code, code) == 0)
            return true;
    return false;
}

static void assert_nothing(const pith_data_report *report)
{
    pith_data_finding f = PITH_INIT(pith_data_finding);
    if (pith_data_report_get(report, 0, &f, NULL) == PITH_OK)
        fail_msg("found %s: %s", f.code, f.sentence);
}

/* ---- the planted file */

typedef struct planted {
    const char *code;
    pith_severity severity;
    int64_t line;
} planted;

enum { MOST_PLANTED = 40 };

typedef struct plan {
    planted list[MOST_PLANTED];
    int n;
} plan;

static void expect(plan *p, const char *code, pith_severity severity, int64_t line)
{
    assert_true(p->n < MOST_PLANTED);
    p->list[p->n++] = (planted){code, severity, line};
}

static const char *user(uint64_t seed)
{
    return sentence(seed, 20);
}

static const char *reply(uint64_t seed)
{
    return sentence(seed, 40);
}

#define E PITH_SEVERITY_ERROR
#define W PITH_SEVERITY_WARNING
#define N PITH_SEVERITY_NOTE

static void plant_rows(text *t, plan *p)
{
    expect(p, "parse", E, t->line);
    put(t, "{\"messages\":[{\"role\":\"user\"\n");
    expect(p, "missing-field", E, t->line);
    put(t, "{\"turns\":[]}\n");
    expect(p, "wrong-type", E, t->line);
    put(t, "{\"messages\":\"%s\"}\n", user(1));
    expect(p, "unknown-role", E, t->line);
    put(t, "{\"messages\":[{\"role\":\"wizard\",\"content\":\"%s\"}]}\n", user(2));
    expect(p, "no-answer", E, t->line);
    put(t, "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}\n", user(3));
    expect(p, "empty-answer", E, t->line);
    put_talk(t, user(4), " ");
    expect(p, "empty-prompt", W, t->line);
    put_talk(t, "", reply(5));
    expect(p, "long-answer", W, t->line);
    put_talk(t, user(6), sentence(6, 1700));
    expect(p, "ends-with-user", W, t->line);
    put(t,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"assistant\",\"content\":"
        "\"%s\"},{\"role\":\"user\",\"content\":\"%s\"}]}\n",
        user(7), reply(8), user(9));
    expect(p, "roles-repeat", W, t->line);
    put(t,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"user\",\"content\":"
        "\"%s\"},{\"role\":\"assistant\",\"content\":\"%s\"}]}\n",
        user(10), user(11), reply(12));
    expect(p, "late-system", W, t->line);
    expect(p, "inconsistent", W, t->line);
    put(t,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"system\",\"content\":"
        "\"%s\"},{\"role\":\"assistant\",\"content\":\"%s\"}]}\n",
        user(13), user(14), reply(15));
    expect(p, "result-without-call", W, t->line);
    put(t,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"tool\",\"content\":"
        "\"%s\"},{\"role\":\"assistant\",\"content\":\"%s\"}]}\n",
        user(16), user(17), reply(18));
}

static void plant_copies(text *t, plan *p, const char *in_eval)
{
    char near[2000];
    expect(p, "duplicate", W, t->line);
    put_talk(t, sentence(1003, 20), sentence(2003, 40)); // of the clean rows
    expect(p, "near-duplicate", W, t->line);
    snprintf(near, sizeof near, "%s Indeed.", sentence(2004, 40));
    put_talk(t, sentence(1004, 20), near);
    expect(p, "contradiction", W, t->line);
    put_talk(t, sentence(1005, 20), reply(20));
    expect(p, "eval-overlap", E, t->line);
    put(t, "%s", in_eval);
    expect(p, "echo", W, t->line);
    put_talk(t, user(21), user(21));
}

static void plant_texts(text *t, plan *p)
{
    char words[3000];
    expect(p, "language-mix", W, t->line);
    put_talk(t, "Was ist das und wie wird es auch von den Leuten mit der Zeit nicht gesehen?",
             "Das ist eine Frage und sie wird von den Leuten nicht oft mit der Zeit gesehen, aber "
             "auch nach einer Weile sind wir oder ich bei dem Haus.");
    expect(p, "encoding", W, t->line);
    snprintf(words, sizeof words, "%s caf\xc3\x83\xc2\xa9", reply(22));
    put_talk(t, user(23), words);
    expect(p, "personal-data", W, t->line);
    snprintf(words, sizeof words, "%s Write to jane.doe@mailbox.net about it.", reply(24));
    put_talk(t, user(25), words);
    expect(p, "secret", E, t->line);
    snprintf(words, sizeof words, "%s AKIA%s", reply(26), "2QX7PL0ZK9WM4TRB");
    put_talk(t, user(27), words);
    expect(p, "special-tokens", W, t->line);
    snprintf(words, sizeof words, "%s <|im_end|>", user(28));
    put_talk(t, words, reply(29));
}

static void plant_renderings(text *t, plan *p)
{
    char words[3000];
    expect(p, "template-refused", E, t->line);
    snprintf(words, sizeof words, "@REFUSE %s", user(30));
    put_talk(t, words, reply(31));
    expect(p, "too-long", W, t->line);
    put_talk(t, sentence(32, 5500), reply(33));
    expect(p, "nothing-learned", E, t->line);
    snprintf(words, sizeof words, "@HIDE %s", reply(34));
    put_talk(t, user(35), words);
    expect(p, "end-not-learned", E, t->line);
    snprintf(words, sizeof words, "%s @NOEND", reply(36));
    put_talk(t, user(37), words);
    expect(p, "double-bos", E, t->line);
    snprintf(words, sizeof words, "@TWICE %s", user(38));
    put_talk(t, words, reply(39));
    expect(p, "little-learned", N, t->line);
    put_talk(t, sentence(40, 400), "Yes.");
    expect(p, "rendered-again", N, t->line);
    put(t,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"assistant\",\"content\":"
        "\"@THINK %s\"},{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"assistant\",\"content\":"
        "\"%s\"}]}\n",
        user(41), reply(42), user(43), reply(44));
}

static void each_fault_is_found(void **state)
{
    (void)state;
    plan p = {.n = 0};
    text t = new_text(), other = new_text();
    put_talk(&other, user(50), reply(51));
    put_clean(&t, CLEAN);
    plant_rows(&t, &p);
    plant_copies(&t, &p, other.data);
    plant_texts(&t, &p);
    plant_renderings(&t, &p);
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    o.eval = set_open(save(&other, "planted_eval.jsonl"), NULL);
    pith_data_report *report = check(save(&t, "planted.jsonl"), &o);
    for (int i = 0; i < p.n; i++) {
        pith_data_finding f;
        if (!find(report, p.list[i].code, &f))
            fail_msg("%s of line %lld was not found", p.list[i].code, (long long)p.list[i].line);
        if (f.severity != p.list[i].severity || f.lines[0] != p.list[i].line)
            fail_msg("%s: severity %d, first line %lld, expected %d and %lld", f.code, f.severity,
                     (long long)f.lines[0], p.list[i].severity, (long long)p.list[i].line);
        if (f.count != 1 || f.n_lines != 1)
            fail_msg("%s: %lld rows (line %lld), expected 1: %s", f.code, (long long)f.count,
                     (long long)f.lines[f.n_lines - 1], f.sentence);
        assert_true(strlen(f.sentence) > 20 && strlen(f.way_out) > 20);
    }
    pith_data_finding f = PITH_INIT(pith_data_finding);
    int n = 0;
    for (pith_severity last = E; pith_data_report_get(report, n, &f, NULL) == PITH_OK; n++) {
        bool was_planted = strcmp(f.code, "unused-columns") == 0; // "turns" of missing-field
        for (int i = 0; i < p.n; i++)
            was_planted |= strcmp(f.code, p.list[i].code) == 0;
        if (!was_planted)
            fail_msg("found what was not planted, %s: %s", f.code, f.sentence);
        assert_true(f.severity <= last);
        last = f.severity;
    }
    assert_int_equal(n, p.n + 1);
    pith_data_report_free(report);
    pith_dataset_close((pith_dataset *)o.eval);
}

static void a_clean_file_has_none(void **state)
{
    (void)state;
    text t = new_text(), other = new_text();
    put_clean(&t, CLEAN);
    put_talk(&other, user(50), reply(51));
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    o.eval = set_open(save(&other, "clean_eval.jsonl"), NULL);
    pith_data_report *report = check(save(&t, "clean.jsonl"), &o);
    assert_nothing(report);
    pith_data_stats s = PITH_INIT(pith_data_stats);
    assert_ok(pith_data_report_get_stats(report, &s, &err));
    assert_int_equal(s.n_rows, CLEAN);
    assert_int_equal(s.n_good, CLEAN);
    assert_int_equal(s.n_dropped, 0);
    assert_int_equal(s.n_turns, 2 * CLEAN);
    assert_int_equal(s.rendered.n_examples, CLEAN);
    assert_int_equal(s.rendered.n_ends, CLEAN);
    assert_true(s.has_cost && s.memory_bytes > s.model_bytes && s.seconds > 0);
    int64_t n = 0;
    for (int i = 0; i < PITH_DATA_BINS; i++)
        n += s.bins[i];
    assert_int_equal(n, CLEAN);
    pith_data_preview v = PITH_INIT(pith_data_preview);
    assert_ok(pith_data_report_get_preview(report, 2, &v, &err));
    assert_int_equal(v.line, 3);
    assert_int_equal(v.n_learned, 1);
    const char *answer = sentence(2002, 40);
    assert_int_equal(v.learned[0].len, strlen(answer) + strlen("</s>"));
    assert_memory_equal(v.learned[0].data, answer, strlen(answer));
    assert_memory_equal(v.learned[0].data + strlen(answer), "</s>", 4);
    assert_int_equal(pith_data_report_get_preview(report, 3, &v, NULL), PITH_E_NOT_FOUND);
    pith_data_report_free(report);
    pith_dataset_close((pith_dataset *)o.eval);
}

/* What needs a file of its own. */
static void assert_finds(const text *t, const char *name, const char *code, int64_t count)
{
    pith_data_finding f;
    pith_data_report *report = check(save(t, name), NULL);
    if (!find(report, code, &f) || f.count != count)
        fail_msg("%s: %lld rows of %s, expected %lld", name, (long long)f.count, code,
                 (long long)count);
    pith_data_report_free(report);
}

static void other_kinds(void **state)
{
    (void)state;
    text t = new_text();
    for (uint64_t i = 0; i < 30; i++)
        put(&t, "{\"prompt\":\"%s\",\"completion\":\"%s\"}\n", user(i + 1),
            i == 7  ? "maybe"
            : i % 2 ? "yes"
                    : "no");
    assert_finds(&t, "classes.jsonl", "coverage", 1);
    t = new_text();
    for (uint64_t i = 0; i < 30; i++)
        put(&t, "{\"prompt\":\"%s\",\"completion\":\"%s\"}\n", user(i + 1), i == 7 ? "no" : "yes");
    assert_finds(&t, "one.jsonl", "one-sided", 29);
    t = new_text();
    put(&t, "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"%s\"}\n", user(1), reply(2),
        reply(2));
    assert_finds(&t, "same.jsonl", "same-pair", 1);
    t = new_text();
    put(&t, "%s", sentence(3, 4000));
    assert_finds(&t, "cut.txt", "cut", 1);
    t = new_text();
    for (uint64_t i = 0; i < 30; i++)
        put(&t, "{\"prompt\":\"%s\",\"completion\":\"%s\",\"label\":true}\n", user(i + 1),
            reply(i + 100));
    assert_finds(&t, "labels.jsonl", "one-sided", 1);
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    o.plain = true;
    pith_data_finding f;
    pith_data_report *report =
        check(set_file("glue.jsonl", "{\"prompt\":\"Q: one\",\"completion\":\"two\"}"), &o);
    assert_true(find(report, "glued", &f) && f.count == 1);
    pith_data_report_free(report);
}

/* The cleaned file holds the rows that are good, byte for byte; what it lacks is told. */
static void fixing(void **state)
{
    (void)state;
    plan p = {.n = 0};
    text t = new_text(), want = new_text();
    put_clean(&t, CLEAN);
    want.n = t.n;
    memcpy(want.data, t.data, t.n);
    plant_rows(&t, &p);
    put_talk(&t, sentence(1003, 20), sentence(2003, 40));
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    o.fixed = test_temp("fixed.jsonl");
    pith_data_report *report = check(save(&t, "broken.jsonl"), &o);
    pith_data_stats s = PITH_INIT(pith_data_stats);
    assert_ok(pith_data_report_get_stats(report, &s, &err));
    assert_int_equal(s.n_rows, CLEAN + 13);
    pith_data_finding f;
    static const char *const dropped[] = {"parse",        "missing-field", "wrong-type",
                                          "unknown-role", "no-answer",     "empty-answer",
                                          "duplicate"};
    for (int i = 0; i < 7; i++)
        if (!find(report, dropped[i], &f) || f.n_dropped != 1)
            fail_msg("%s: %lld rows dropped", dropped[i], (long long)f.n_dropped);
    assert_true(find(report, "late-system", &f) && f.n_dropped == 0);
    assert_int_equal(s.n_dropped, 7);
    size_t n;
    char *got = test_read(o.fixed, &n);
    assert_memory_equal(got, want.data, want.n);
    int lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += got[i] == '\n';
    assert_int_equal(lines, CLEAN + 6);
    pith_data_report_free(report);
    /* The cleaned file has no errors. */
    report = check(o.fixed, NULL);
    f = PITH_INIT(pith_data_finding);
    for (int32_t i = 0; pith_data_report_get(report, i, &f, NULL) == PITH_OK; i++)
        assert_true(f.severity < PITH_SEVERITY_ERROR);
    pith_data_report_free(report);
    /* Not over the file itself. */
    pith_dataset *set = set_open(o.fixed, NULL);
    assert_refused(pith_data_check(set, &o, &report, &err), PITH_E_ARGUMENT, "the file itself");
    pith_dataset_close(set);
}

static void fixing_other_formats(void **state)
{
    (void)state;
    pith_data_check_options o = PITH_INIT(pith_data_check_options);
    o.fixed = test_temp("fixed");
    pith_data_report_free(
        check(set_file("f.json", "{\"d\": [\n {\"text\": \"a\"} ,{\"text\":\"a\"},{\"text\":3},\n"
                                 "{\"tex\":1}, {\"text\":\"b\"}]}"),
              &o));
    assert_string_equal(test_read(o.fixed, NULL),
                        "[\n{\"text\": \"a\"},\n{\"text\":3},\n{\"text\":\"b\"}\n]\n");
    pith_data_report_free(
        check(set_file("f.csv", "text;id\r\n\"a\nb\";1\r\nc\r\n\"a\nb\";1\r\nd;2\r\n"), &o));
    assert_string_equal(test_read(o.fixed, NULL), "text;id\n\"a\nb\";1\nd;2\n");
    pith_data_report_free(
        check(set_file("f.txt", "One.\n<|endoftext|>\nOne.\n<|endoftext|>\nTwo."), &o));
    assert_string_equal(test_read(o.fixed, NULL), "One.\n<|endoftext|>\nTwo.\n");
}

/* ---- splits */

static int64_t lines_of(const char *path)
{
    int64_t n = 0;
    for (const char *c = test_read(path, NULL); *c; c++)
        n += *c == '\n';
    return n;
}

static void splitting(void **state)
{
    (void)state;
    text t = new_text();
    put_clean(&t, 100);
    for (uint64_t i = 0; i < 20; i++) { // copies and near copies of the first rows
        char near[2000];
        snprintf(near, sizeof near, "%s%s", sentence(2000 + i, 40), i % 2 ? "" : " Indeed.");
        put_talk(&t, sentence(1000 + i, 20), near);
    }
    put(&t, "{\"messages\":\n");
    const char *path = save(&t, "split.jsonl"), *a = test_temp("a.jsonl"),
               *b = test_temp("b.jsonl");
    pith_dataset *set = set_open(path, NULL);
    pith_data_split_options o = PITH_INIT(pith_data_split_options);
    pith_data_splitted r = PITH_INIT(pith_data_splitted);
    o.share = 0.1;
    assert_ok(pith_data_split(set, a, b, &o, &r, &err));
    assert_int_equal(r.n_train + r.n_eval, 120);
    assert_int_equal(r.n_eval, 12);
    assert_int_equal(r.n_groups, 100);
    assert_int_equal(r.n_bad, 1);
    assert_int_equal(lines_of(a), 108);
    assert_int_equal(lines_of(b), 12);
    char *first = test_read(b, NULL);
    /* The same seed gives the same files, another one others. */
    assert_ok(pith_data_split(set, a, b, &o, NULL, &err));
    assert_string_equal(test_read(b, NULL), first);
    o.seed = 1;
    assert_ok(pith_data_split(set, a, b, &o, NULL, &err));
    assert_string_not_equal(test_read(b, NULL), first);
    /* Nothing of one is in the other. */
    pith_data_check_options co = PITH_INIT(pith_data_check_options);
    pith_data_finding f;
    co.eval = set_open(b, NULL);
    pith_data_report *report = check(a, &co);
    assert_false(find(report, "eval-overlap", &f));
    pith_data_report_free(report);
    pith_dataset_close((pith_dataset *)co.eval);
    o.n_rows = 120;
    assert_refused(pith_data_split(set, a, b, &o, NULL, &err), PITH_E_ARGUMENT, "another share");
    assert_refused(pith_data_split(set, a, path, &o, NULL, &err), PITH_E_ARGUMENT, "three files");
    pith_dataset_close(set);
}

static void splitting_by_a_column(void **state)
{
    (void)state;
    text t = new_text();
    put(&t, "prompt,completion,customer\n");
    for (uint64_t i = 0; i < 60; i++)
        put(&t, "%s,%s,c%d\n", user(i + 1), reply(i + 200), (int)(i % 12));
    const char *path = save(&t, "by.csv"), *a = test_temp("a.csv"), *b = test_temp("b.csv");
    pith_dataset *set = set_open(path, NULL);
    pith_data_split_options o = PITH_INIT(pith_data_split_options);
    pith_data_splitted r = PITH_INIT(pith_data_splitted);
    o.n_rows = 10;
    o.by = "customer";
    assert_ok(pith_data_split(set, a, b, &o, &r, &err));
    assert_int_equal(r.n_eval, 10);
    assert_int_equal(r.n_groups, 12);
    const char *train = test_read(a, NULL), *eval = test_read(b, NULL);
    assert_memory_equal(eval, "prompt,completion,customer\n", 27);
    for (int c = 0; c < 12; c++) {
        const char *name = test_format(",c%d\n", c);
        assert_true((strstr(train, name) == NULL) != (strstr(eval, name) == NULL));
    }
    o.by = "nobody";
    assert_refused(pith_data_split(set, a, b, &o, &r, &err), PITH_E_ARGUMENT, "'nobody'");
    pith_dataset_close(set);
}

/* All public sets of the shared folder can be read, without faults that would end a training. */
static void public_sets(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t rows, samples;
    } sets[] = {{"data/finetune/dolly_hhrlhf_train_small.jsonl", 1000, 1000},
                {"data/finetune/self_instruct_seed_tasks.jsonl", 175, 175},
                {"data/gsm8k/train_first500.jsonl", 500, 500},
                {"data/advbench/harmful_behaviors.csv", 520, 520}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        pith_data_report *report = check(test_shared(sets[i].path), NULL);
        pith_data_stats s = PITH_INIT(pith_data_stats);
        pith_data_finding f = PITH_INIT(pith_data_finding);
        assert_ok(pith_data_report_get_stats(report, &s, &err));
        assert_int_equal(s.n_rows, sets[i].rows);
        assert_int_equal(s.n_good, sets[i].rows);
        assert_int_equal(s.rendered.n_samples, sets[i].samples);
        assert_int_equal(s.rendered.n_examples + s.rendered.n_long, sets[i].samples);
        assert_int_equal(s.rendered.n_ends, s.rendered.n_turns);
        for (int32_t k = 0; pith_data_report_get(report, k, &f, NULL) == PITH_OK; k++)
            if (f.severity == PITH_SEVERITY_ERROR)
                fail_msg("%s: %s", sets[i].path, f.sentence);
        pith_data_report_free(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found),   cmocka_unit_test(a_clean_file_has_none),
        cmocka_unit_test(other_kinds),           cmocka_unit_test(fixing),
        cmocka_unit_test(fixing_other_formats),  cmocka_unit_test(splitting),
        cmocka_unit_test(splitting_by_a_column), cmocka_unit_test(public_sets),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
