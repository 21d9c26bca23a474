/* spec: guesses change nothing but the number of steps: greedy and sampled answers, hooks, stops,
 * limits, cancel, many at once; the distribution of what is drawn; draft models; what is measured.
 */
#include "stories.h"

#include "base/mem.h"
#include "engine/spec.h"

enum { V = 512 };

/* ---- arithmetic */

static void matches_are_the_longest_and_latest(void **state)
{
    (void)state;
    static const struct {
        int32_t tokens[16];
        int64_t n, from;
        int32_t length;
    } cases[] = {
        {{1, 2, 3, 1, 2}, 5, 2, 2},
        {{1, 2, 3, 1, 2, 4, 1, 2}, 8, 5, 2},                           // the latest
        {{9, 1, 2, 3, 8, 1, 2, 4, 9, 1, 2}, 11, 3, 3},                 // the longest
        {{1, 2, 3, 4}, 4, -1, 1},                                      // none
        {{2, 3, 2}, 3, -1, 1},                                         // one token is too few
        {{7, 7, 7}, 3, 2, 2},                                          // overlapping itself
        {{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7}, 16, 7, 7},  // seven
        {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 16, 15, 8}, // counted to eight
        {{5}, 1, -1, 1},
        {{5, 5}, 2, -1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t length;
        assert_int_equal(px_spec_match(cases[i].tokens, cases[i].n, &length), cases[i].from);
        assert_int_equal(length, cases[i].length);
    }
}

static void costs_lie_between_what_was_measured(void **state)
{
    (void)state;
    px_costs c = {0};
    assert_true(px_costs_of(&c, 4) == 0);
    px_costs_note(&c, 1, 0.010);
    px_costs_note(&c, 5, 0.018);
    assert_true(px_costs_of(&c, 1) == 0.010 && px_costs_of(&c, 5) == 0.018);
    assert_true(fabs(px_costs_of(&c, 3) - 0.014) < 1e-12);
    assert_true(px_costs_of(&c, 9) > 0.018 && px_costs_of(&c, 9) < 0.030);
    px_costs_note(&c, 1, 0.018); // of the first two the less
    assert_true(px_costs_of(&c, 1) == 0.010);
    px_costs_note(&c, 1, 0.018);
    assert_true(fabs(px_costs_of(&c, 1) - 0.011) < 1e-12); // an eighth of the way
    px_costs_note(&c, 1, 100);                             // counts as twice the average
    assert_true(fabs(px_costs_of(&c, 1) - 0.011 * 1.125) < 1e-12);
    px_costs_note(&c, 0, 1);
    px_costs_note(&c, PX_COST_COLUMNS + 1, 1);
    assert_true(px_costs_of(&c, PX_COST_COLUMNS + 1) == 0);
    px_costs none = {0};
    px_costs_note(&none, 4, 1);
    assert_true(px_costs_of(&none, 3) == 0); // nothing as small was measured
}

static void guesses_are_made_where_they_pay(void **state)
{
    (void)state;
    px_costs flat = {0}, steep = {0};
    for (int i = 1; i <= 16; i++) {
        px_costs_note(&flat, i, 0.010 + 0.001 * i);
        px_costs_note(&steep, i, 0.010 * i);
    }
    double rate;
    /* A column that costs as much as a step never pays; one that costs a tenth pays at nine of ten:
     * (1 + .9 + .. + .9^7) / 0.018 is best at all seven. */
    assert_int_equal(px_spec_best(&steep, 1, 1, 0.99, 0, 7, &rate), 0);
    assert_true(fabs(rate - 100) < 1e-9);
    assert_int_equal(px_spec_best(&flat, 1, 1, 0.9, 0, 7, &rate), 7);
    assert_true(fabs(rate - (1 - pow(0.9, 8)) / 0.1 / 0.018) < 1e-6);
    /* At half: 1 / 11, 1.5 / 12, 1.75 / 13, 1.875 / 14: two are best. */
    assert_int_equal(px_spec_best(&flat, 1, 1, 0.5, 0, 7, &rate), 2);
    assert_true(fabs(rate - 1.75 / 0.013) < 1e-6);
    assert_int_equal(px_spec_best(&flat, 1, 1, 0.05, 0, 7, &rate), 0);
    /* A draft model that takes half a step for each guess. */
    assert_int_equal(px_spec_best(&flat, 1, 1, 0.9, 0.0055, 7, &rate), 2);
    assert_int_equal(px_spec_best(&flat, 1, 1, 0.9, 0.011, 7, &rate), 0);
    /* Beside seven others a guess helps one of eight: (8 + .9) / 19 against 8 / 18. */
    assert_int_equal(px_spec_best(&flat, 8, 8, 0.9, 0, 1, &rate), 1);
    assert_int_equal(px_spec_best(&flat, 8, 8, 0.4, 0, 1, &rate), 0);
}

/* ---- answers */

typedef struct taken {
    int32_t tokens[256];
    float logprobs[256], leads[256]; // lead: of the likeliest over the next
    int64_t n;
    char text[4096];
    size_t len;
    int64_t n_hooks;
    int64_t hooked[256]; // tokens that each call of the hook saw
    pith_session *cancel;
    int64_t cancel_at; // tokens; 0: never
} taken;

static int take(void *user, const pith_event *event)
{
    taken *t = user;
    memcpy(t->text + t->len, event->text, event->len);
    t->len += event->len;
    if (event->token < 0)
        return 0;
    t->tokens[t->n] = event->token;
    t->logprobs[t->n] = event->logprob;
    t->leads[t->n++] = event->n_top > 1 ? event->top[0].logprob - event->top[1].logprob : 0;
    if (t->n == t->cancel_at)
        pith_session_cancel(t->cancel);
    return 0;
}

static int count_hooks(void *user, float *logits, int32_t n_vocab, const int32_t *tokens,
                       int64_t n_tokens)
{
    taken *t = user;
    assert_int_equal(n_vocab, V);
    if (t->n > 0)
        assert_int_equal(tokens[n_tokens - 1], t->tokens[t->n - 1]);
    t->hooked[t->n_hooks++] = n_tokens;
    logits[(n_tokens * 37) % V] -= 3; // and it has a say
    return 0;
}

static pith_request asking(const ids *context, int64_t n, pith_speculation how, taken *out)
{
    pith_request r = request(context, n, NULL);
    memset(out, 0, sizeof *out);
    r.on_event = take;
    r.user = out;
    r.logprobs = true;
    r.n_top = 2;
    r.ignore_end = true;
    r.speculation = how;
    return r;
}

/* How far log-probabilities at the end of a full context differ between levels, whose roundings of
 * keys and values to f16 fall now this way, now that: 3e-3 was seen. */
static const float NEAR = 5e-3f;

/* The first n tokens are the same, as far as each was chosen by a lead that no rounding overturns.
 * Returns how many were compared. */
static int64_t assert_same_taken(const taken *plain, const taken *got)
{
    assert_int_equal(plain->n, got->n);
    int64_t i = 0;
    for (; i < plain->n && plain->leads[i] > 2 * NEAR; i++) {
        assert_int_equal(plain->tokens[i], got->tokens[i]);
        if (!(fabsf(plain->logprobs[i] - got->logprobs[i]) <= NEAR))
            fail_msg("token %d: log-probability %g and %g", (int)i, (double)plain->logprobs[i],
                     (double)got->logprobs[i]);
    }
    return i;
}

static const char *const TEXTS[] = {
    "Once upon a time",
    "One day Tim and Tim and Tim and Tim and Tim",
    "Lily had a cat. Lily had a dog. Lily had a",
    "a b c d a b c d a b c d a b",
    "The sun was hot. The sand was hot. The sea was",
    "no no no no no no no no",
    "He ran and ran and ran and ran and",
    "\"Yes,\" said mom. \"Yes,\" said dad. \"Yes,\" said",
    "Ben has a red car. Anna has a red car. Ben likes his red",
    "It",
};
enum { N_TEXTS = sizeof TEXTS / sizeof TEXTS[0] };

static const pith_speculation MODES[] = {PITH_SPECULATE_NGRAM, PITH_SPECULATE_DRAFT,
                                         PITH_SPECULATE_AUTO};

/* The model as its own draft, so that DRAFT has one. */
static pith_engine *engine_with_itself(pith_engine_options o)
{
    pith_engine *e = engine_with(o);
    assert_ok(pith_engine_set_draft(e, model, &err));
    return e;
}

static void greedy_answers_are_the_same(void **state)
{
    (void)state;
    need_model();
    static taken plain[N_TEXTS], got;
    pith_engine *e = engine_with(engine_options(0));
    for (int i = 0; i < N_TEXTS; i++) {
        ids context = ids_of(TEXTS[i]);
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = asking(&context, 80, PITH_SPECULATE_OFF, &plain[i]);
        pith_result result = PITH_INIT(pith_result);
        assert_ok(pith_generate(s, &r, &result, &err));
        assert_int_equal(result.n_drafted, 0);
        pith_session_free(s);
    }
    pith_engine_free(e);
    bool runs;
    for (int32_t level = 0; pith_cpu_level(level, &runs); level++)
        for (int mode = 0; runs && mode < 3; mode++) {
            pith_engine_options o = engine_options(0);
            o.cpu = pith_cpu_level(level, NULL);
            o.n_threads = 1 + mode % 2;
            e = engine_with_itself(o);
            int64_t compared = 0, drafted = 0, accepted = 0, steps = 0;
            for (int i = 0; i < N_TEXTS; i++) {
                ids context = ids_of(TEXTS[i]);
                pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
                pith_request r = asking(&context, 80, MODES[mode], &got);
                r.max_draft = i % 5 == 0 ? 0 : 3 * i;
                pith_result result = PITH_INIT(pith_result);
                pith_engine_info before = PITH_INIT(pith_engine_info), after = before;
                assert_ok(pith_engine_get_info(e, &before, &err));
                assert_ok(pith_generate(s, &r, &result, &err));
                assert_ok(pith_engine_get_info(e, &after, &err));
                compared += assert_same_taken(&plain[i], &got);
                drafted += result.n_drafted;
                accepted += result.n_accepted;
                assert_true(result.n_accepted <= result.n_drafted);
                assert_int_equal(result.n_generated, 80);
                assert_int_equal(result.finish, PITH_FINISH_LENGTH);
                steps += (int64_t)(after.n_steps - before.n_steps);
                assert_int_equal(after.n_drafted - before.n_drafted, result.n_drafted);
                assert_int_equal(after.n_accepted - before.n_accepted, result.n_accepted);
                /* Each step writes one token and those that were guessed. */
                assert_int_equal(after.n_steps - before.n_steps, 80 - result.n_accepted);
                pith_session_free(s);
            }
            assert_in_range(compared, N_TEXTS * 80 / 2, N_TEXTS * 80);
            if (MODES[mode] != PITH_SPECULATE_AUTO) {
                assert_true(drafted > 100 && accepted > 50);
                assert_true(steps < N_TEXTS * 80 - 50);
            }
            /* The model is right about itself, but for ties. */
            if (MODES[mode] == PITH_SPECULATE_DRAFT)
                assert_true(accepted >= drafted * 9 / 10);
            pith_engine_free(e);
        }
}

/* Unless max_draft says otherwise, no bit of the logits changes: at each level, for f16 keys too.
 */
static void guesses_by_default_change_no_bit(void **state)
{
    (void)state;
    need_model();
    static taken plain, got;
    bool runs;
    for (int32_t level = 0; pith_cpu_level(level, &runs); level++)
        for (int kv = 0; runs && kv < 2; kv++) {
            pith_engine_options o = engine_options(0);
            o.cpu = pith_cpu_level(level, NULL);
            o.k_type = o.v_type = kv ? "f16" : "f32";
            o.no_prefix_cache = true; // a context read in other pieces has other last bits
            pith_engine *e = engine_with_itself(o);
            int64_t accepted = 0;
            for (int i = 0; i < N_TEXTS; i++) {
                ids context = ids_of(TEXTS[i]);
                for (int mode = -1; mode < 2; mode++) {
                    taken *out = mode < 0 ? &plain : &got;
                    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
                    pith_request r =
                        asking(&context, 40, mode < 0 ? PITH_SPECULATE_OFF : MODES[mode], out);
                    pith_result result = PITH_INIT(pith_result);
                    assert_ok(pith_generate(s, &r, &result, &err));
                    accepted += result.n_accepted;
                    pith_session_free(s);
                    if (mode < 0)
                        continue;
                    assert_memory_equal(got.tokens, plain.tokens, sizeof got.tokens);
                    assert_memory_equal(got.logprobs, plain.logprobs, sizeof got.logprobs);
                    assert_memory_equal(got.leads, plain.leads, sizeof got.leads);
                }
            }
            assert_true(accepted > 100);
            pith_engine_free(e);
        }
}

static void seeds_and_options_give_the_same(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with_itself(engine_options(0));
    static taken plain, got;
    static const pith_logit_bias bias = {.token = 300, .bias = 1};
    static const pith_str stop = {"Lily", 4};
    int64_t accepted[3] = {0};
    for (uint64_t seed = 0; seed < 24; seed++) {
        ids context = ids_of(TEXTS[seed % N_TEXTS]);
        pith_sampling o = sampling(0.3f + 0.05f * (float)(seed % 8), seed);
        o.repeat_penalty = seed % 3 == 1 ? 1.1f : 1;
        o.dry_multiplier = seed % 4 == 1 ? 0.5f : 0;
        o.xtc_probability = seed % 5 == 1 ? 0.3f : 0;
        o.mirostat = seed % 6 == 5 ? 2 : 0;
        for (int mode = -1; mode < 3; mode++) {
            taken *out = mode < 0 ? &plain : &got;
            pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = asking(&context, 50, mode < 0 ? PITH_SPECULATE_OFF : MODES[mode], out);
            r.sampling = &o;
            r.bias = &bias;
            r.n_bias = (int32_t)(seed % 2);
            r.stops = &stop;
            r.n_stops = seed % 4 == 3;
            r.on_logits = seed % 3 == 2 ? count_hooks : NULL;
            pith_result result = PITH_INIT(pith_result);
            assert_ok(pith_generate(s, &r, &result, &err));
            int64_t n;
            const int32_t *held = pith_session_get_tokens(s, &n);
            assert_int_equal(n, context.n + out->n);
            assert_memory_equal(held + context.n, out->tokens, (size_t)out->n * sizeof *held);
            if (mode >= 0) {
                assert_int_equal(got.n, plain.n);
                assert_memory_equal(got.tokens, plain.tokens, (size_t)got.n * sizeof *held);
                assert_memory_equal(got.text, plain.text, plain.len + 1);
                assert_int_equal(got.n_hooks, plain.n_hooks);
                assert_memory_equal(got.hooked, plain.hooked,
                                    (size_t)got.n_hooks * sizeof got.hooked[0]);
                accepted[mode] += result.n_accepted;
            }
            pith_session_free(s);
        }
    }
    assert_true(accepted[0] > 20 && accepted[1] > 500);
    pith_engine_free(e);
}

/* ---- distribution */

enum { KEEP = 3, CELLS = KEEP * KEEP * KEEP, DRAWS = 1000 };

typedef struct choice {
    int32_t ids[KEEP]; // that top_k leaves
    double p[KEEP];
} choice;

static choice choice_after(pith_session *s, const ids *text)
{
    const float *logits;
    assert_ok(pith_session_set(s, text->id, text->n, 1, &logits, &err));
    choice c;
    double sum = 0;
    bool used[V] = {false};
    for (int k = 0; k < KEEP; k++) {
        int best = -1;
        for (int t = 0; t < V; t++)
            if (!used[t] && (best < 0 || logits[t] > logits[best]))
                best = t;
        used[best] = true;
        c.ids[k] = best;
        sum += c.p[k] = exp((double)logits[best]);
    }
    for (int k = 0; k < KEEP; k++)
        c.p[k] /= sum;
    return c;
}

static int which(const choice *c, int32_t token)
{
    for (int k = 0; k < KEEP; k++)
        if (c->ids[k] == token)
            return k;
    fail_msg("token %d is none of the %d likeliest", token, KEEP);
    return -1;
}

/* Pearson's statistic of three tokens drawn with guesses, against the product of the model's own
 * probabilities. 26 degrees of freedom at most; 70 is passed with a chance of under 1e-5. */
static void what_is_drawn_is_distributed_as_the_model_says(void **state)
{
    (void)state;
    need_model();
    ids context = ids_of("Tim had a ball. Sam had a ball. Tim had a dog. Sam had a");
    for (int mode = 0; mode < 2; mode++) {
        pith_engine *e = engine_with_itself(engine_options(0));
        pith_session *probe = session_of(e, PITH_OVERFLOW_ERROR, 0);
        choice first, second[KEEP], third[KEEP][KEEP];
        ids text = context;
        first = choice_after(probe, &text);
        for (int i = 0; i < KEEP; i++) {
            text.n = context.n;
            text.id[text.n++] = first.ids[i];
            second[i] = choice_after(probe, &text);
            for (int j = 0; j < KEEP; j++) {
                text.n = context.n + 1;
                text.id[text.n++] = second[i].ids[j];
                third[i][j] = choice_after(probe, &text);
            }
        }
        int64_t seen[CELLS] = {0}, drafted = 0, accepted = 0;
        static taken out;
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        for (int draw = 0; draw < DRAWS; draw++) {
            pith_sampling o = sampling(1, 1000 + (uint64_t)draw);
            o.top_k = KEEP;
            o.top_p = 1;
            o.min_p = 0;
            pith_request r = asking(&context, 4, MODES[mode], &out);
            r.sampling = &o;
            pith_result result = PITH_INIT(pith_result);
            assert_ok(pith_generate(s, &r, &result, &err));
            drafted += result.n_drafted;
            accepted += result.n_accepted;
            int i = which(&first, out.tokens[0]);
            int j = which(&second[i], out.tokens[1]);
            int k = which(&third[i][j], out.tokens[2]);
            seen[(i * KEEP + j) * KEEP + k]++;
        }
        assert_true(drafted > DRAWS / 2 && accepted > DRAWS / 20);
        if (MODES[mode] == PITH_SPECULATE_NGRAM)
            assert_true(accepted < drafted); // some are wrong: both ways are taken
        double statistic = 0, rare = 0, rare_seen = 0;
        for (int i = 0; i < CELLS; i++) {
            int a = i / (KEEP * KEEP), b = i / KEEP % KEEP, c = i % KEEP;
            double expected = DRAWS * first.p[a] * second[a].p[b] * third[a][b].p[c];
            if (expected < 5) { // together, as is usual
                rare += expected;
                rare_seen += (double)seen[i];
                continue;
            }
            statistic += ((double)seen[i] - expected) * ((double)seen[i] - expected) / expected;
        }
        if (rare > 0)
            statistic += (rare_seen - rare) * (rare_seen - rare) / rare;
        if (!(statistic < 70))
            fail_msg("chi square of mode %d is %g", mode, statistic);
        pith_session_free(probe);
        pith_session_free(s);
        pith_engine_free(e);
    }
}

/* ---- limits */

static void sessions_are_rolled_back(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with_itself(engine_options(0));
    for (int mode = 0; mode < 3; mode++)
        for (int i = 0; i < N_TEXTS; i++) {
            ids context = ids_of(TEXTS[i]);
            static taken out;
            pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_session *fresh = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = asking(&context, 21 + 5 * i, MODES[mode], &out);
            assert_ok(pith_generate(s, &r, NULL, &err));
            int64_t n;
            const int32_t *held = pith_session_get_tokens(s, &n);
            assert_int_equal(n, context.n + 21 + 5 * i);
            ids whole = {.n = n};
            memcpy(whole.id, held, (size_t)n * sizeof *held);
            const float *logits;
            float got[V];
            assert_ok(pith_session_set(s, whole.id, n, 1, &logits, &err));
            memcpy(got, logits, sizeof got);
            assert_ok(pith_session_set(fresh, whole.id, n, 1, &logits, &err));
            for (int t = 0; t < V; t++)
                assert_true(fabsf(got[t] - logits[t]) <= 1e-3f);
            pith_session_free(s);
            pith_session_free(fresh);
        }
    pith_engine_free(e);
}

static void full_contexts_end_or_shift_as_without(void **state)
{
    (void)state;
    need_model();
    static taken plain, got;
    static const pith_overflow POLICIES[] = {PITH_OVERFLOW_ERROR, PITH_OVERFLOW_SHIFT,
                                             PITH_OVERFLOW_TRUNCATE};
    for (int policy = 0; policy < 3; policy++)
        for (int mode = 0; mode < 3; mode++) {
            pith_engine *e = engine_with_itself(engine_options(32));
            ids context = ids_of("no no no no no no");
            pith_result results[2];
            pith_status st[2];
            for (int with = 0; with < 2; with++) {
                pith_session *s = session_of(e, POLICIES[policy], 2);
                taken *out = with ? &got : &plain;
                pith_request r =
                    asking(&context, 100, with ? MODES[mode] : PITH_SPECULATE_OFF, out);
                results[with] = PITH_INIT(pith_result);
                st[with] = pith_generate(s, &r, &results[with], NULL);
                pith_session_free(s);
            }
            assert_int_equal(st[0], st[1]);
            assert_int_equal(st[0], policy == 0 ? PITH_E_CONTEXT : PITH_OK);
            assert_int_equal(results[0].finish, results[1].finish);
            assert_int_equal(results[0].n_generated, results[1].n_generated);
            assert_int_equal(results[0].n_dropped, results[1].n_dropped);
            assert_true(assert_same_taken(&plain, &got) >= 10);
            pith_engine_free(e);
        }
}

static void a_cancel_ends_it_between_two_tokens(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with_itself(engine_options(0));
    static taken out;
    ids context = ids_of("no no no no no no no no");
    for (int mode = 0; mode < 3; mode++)
        for (int64_t at = 1; at < 12; at++) {
            pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = asking(&context, 60, MODES[mode], &out);
            out.cancel = s;
            out.cancel_at = at;
            pith_result result = PITH_INIT(pith_result);
            assert_ok(pith_generate(s, &r, &result, &err));
            assert_int_equal(result.finish, PITH_FINISH_CANCELLED);
            assert_int_equal(out.n, at);
            int64_t n;
            pith_session_get_tokens(s, &n);
            assert_int_equal(n, context.n + at);
            pith_session_free(s);
        }
    pith_engine_free(e);
}

static void many_at_once_with_guesses(void **state)
{
    (void)state;
    need_model();
    static taken plain[N_TEXTS], got[N_TEXTS];
    pith_sampling o[N_TEXTS];
    for (int run = 0; run < 4; run++) {
        pith_engine_options eo = engine_options(0);
        eo.n_threads = 1 + run % 2;
        eo.n_batch = run == 3 ? 24 : 0;
        eo.max_logits = run >= 2 ? 11 : 0;
        pith_engine *e = engine_with_itself(eo);
        pith_session *s[N_TEXTS];
        pith_answer *a[N_TEXTS];
        int64_t accepted = 0;
        for (int i = 0; i < N_TEXTS; i++) {
            ids context = ids_of(TEXTS[i]);
            o[i] = sampling(i % 2 ? 0.5f : 0, (uint64_t)i);
            pith_speculation how = run == 0 ? PITH_SPECULATE_OFF : MODES[(i + run) % 3];
            s[i] = session_of(e, PITH_OVERFLOW_ERROR, 0);
            pith_request r = asking(&context, 30 + i, how, run == 0 ? &plain[i] : &got[i]);
            r.sampling = &o[i];
            assert_ok(pith_session_submit(s[i], &r, &a[i], &err));
        }
        for (int32_t left = 1; left > 0;)
            assert_ok(pith_engine_run(e, &left, &err));
        for (int i = 0; i < N_TEXTS; i++) {
            pith_result result = PITH_INIT(pith_result);
            assert_ok(pith_answer_get_result(a[i], &result, &err));
            accepted += result.n_accepted;
            if (run > 0 && i % 2 == 0)
                assert_true(assert_same_taken(&plain[i], &got[i]) >= 10);
            else if (run > 0)
                assert_memory_equal(plain[i].tokens, got[i].tokens, sizeof got[i].tokens);
            pith_answer_free(a[i]);
            pith_session_free(s[i]);
        }
        assert_int_equal(accepted > 0, run > 0);
        pith_engine_free(e);
    }
}

/* ---- draft models */

/* A copy of the model's file with a change. */
static const char *changed_copy(const char *name, void (*change)(uint8_t *bytes, size_t n))
{
    size_t n;
    uint8_t *bytes = (uint8_t *)test_read(stories_path(), &n);
    assert_non_null(bytes);
    change(bytes, n);
    const char *path = test_temp(name);
    test_write(path, bytes, n);
    return path;
}

/* The last layer adds nothing: a worse model with the same vocabulary. */
static void silence_last_layer(uint8_t *bytes, size_t n)
{
    static const char *const names[] = {"blk.4.attn_output.weight", "blk.4.ffn_down.weight"};
    pith_tensor_info info;
    int found = 0;
    for (int64_t i = 0; info = PITH_INIT(pith_tensor_info),
                 pith_model_get_tensor(model, i, &info, NULL) == PITH_OK;
         i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(info.name, names[k]) == 0) {
                assert_true(info.offset + info.bytes <= n);
                memset(bytes + info.offset, 0, info.bytes);
                found++;
            }
    assert_int_equal(found, 2);
}

static void rename_a_token(uint8_t *bytes, size_t n)
{
    uint8_t *at = memmem(bytes, n, "\xe2\x96\x81upon", 7);
    if (!at)
        at = memmem(bytes, n, "\xe2\x96\x81the", 6);
    assert_non_null(at);
    at[3] = 'q';
}

static void a_worse_model_guesses_for_a_better_one(void **state)
{
    (void)state;
    need_model();
    pith_model *worse;
    assert_ok(pith_model_open(changed_copy("worse.gguf", silence_last_layer), NULL, &worse, &err));
    pith_engine *e = engine_with(engine_options(0));
    assert_ok(pith_engine_set_draft(e, worse, &err));
    static taken plain, got;
    int64_t compared = 0, drafted = 0, accepted = 0;
    for (int i = 0; i < N_TEXTS; i++) {
        ids context = ids_of(TEXTS[i]);
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = asking(&context, 80, PITH_SPECULATE_OFF, &plain);
        assert_ok(pith_generate(s, &r, NULL, &err));
        r = asking(&context, 80, PITH_SPECULATE_DRAFT, &got);
        r.max_draft = 4;
        pith_result result = PITH_INIT(pith_result);
        assert_ok(pith_generate(s, &r, &result, &err));
        compared += assert_same_taken(&plain, &got);
        drafted += result.n_drafted;
        accepted += result.n_accepted;
        pith_session_free(s);
    }
    assert_in_range(compared, N_TEXTS * 80 / 2, N_TEXTS * 80);
    assert_true(accepted > drafted / 10 && accepted < drafted); // right at times, wrong at times
    assert_ok(pith_engine_set_draft(e, NULL, &err));
    pith_engine_free(e);
    pith_model_close(worse);
}

static void draft_models_are_checked(void **state)
{
    (void)state;
    need_model();
    pith_engine *e = engine_with(engine_options(0));
    pith_model *other;
    assert_ok(pith_model_open(changed_copy("renamed.gguf", rename_a_token), NULL, &other, &err));
    assert_refused(pith_engine_set_draft(e, other, &err), PITH_E_MISMATCH,
                   "a draft model needs the same vocabulary");
    assert_non_null(strstr(err.text, "\xe2\x96\x81q"));
    pith_model_close(other);
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_TOKENIZER;
    assert_ok(pith_model_open(stories_path(), &mo, &other, &err));
    assert_refused(pith_engine_set_draft(e, other, &err), PITH_E_UNSUPPORTED, "no tokenizer");
    pith_model_close(other);
    mo.flags = PITH_OPEN_NO_WEIGHTS;
    assert_ok(pith_model_open(stories_path(), &mo, &other, &err));
    assert_refused(pith_engine_set_draft(e, other, &err), PITH_E_UNSUPPORTED, "without weights");
    pith_model_close(other);
    assert_refused(pith_engine_set_draft(NULL, model, &err), PITH_E_ARGUMENT, "NULL");
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    assert_refused(pith_engine_set_draft(e, model, &err), PITH_E_BUSY, "1 sessions");
    /* Without a draft model DRAFT guesses nothing. */
    static taken out;
    ids context = ids_of(PROMPT);
    pith_request r = asking(&context, 10, PITH_SPECULATE_DRAFT, &out);
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    assert_int_equal(result.n_drafted, 0);
    r.speculation = (pith_speculation)4;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT, "speculation is 4");
    r.speculation = PITH_SPECULATE_NGRAM;
    r.max_draft = 32;
    assert_refused(pith_generate(s, &r, NULL, &err), PITH_E_ARGUMENT,
                   "max_draft is 32, expected 0 to 31");
    pith_session_free(s);
    pith_engine_free(e);
}

static void nothing_from_the_heap_while_guessing(void **state)
{
    (void)state;
    need_model();
    uint64_t before = px_heap_violations();
    pith_engine *e = engine_with_itself(engine_options(0));
    static taken out;
    ids context = ids_of(TEXTS[1]);
    for (int mode = 0; mode < 3; mode++) {
        pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
        pith_request r = asking(&context, 60, MODES[mode], &out);
        assert_ok(pith_generate(s, &r, NULL, &err));
        pith_session_free(s);
    }
    assert_int_equal(px_heap_violations() - before, 0);
    pith_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_are_the_longest_and_latest),
        cmocka_unit_test(costs_lie_between_what_was_measured),
        cmocka_unit_test(guesses_are_made_where_they_pay),
        cmocka_unit_test(greedy_answers_are_the_same),
        cmocka_unit_test(guesses_by_default_change_no_bit),
        cmocka_unit_test(seeds_and_options_give_the_same),
        cmocka_unit_test(what_is_drawn_is_distributed_as_the_model_says),
        cmocka_unit_test(sessions_are_rolled_back),
        cmocka_unit_test(full_contexts_end_or_shift_as_without),
        cmocka_unit_test(a_cancel_ends_it_between_two_tokens),
        cmocka_unit_test(many_at_once_with_guesses),
        cmocka_unit_test(a_worse_model_guesses_for_a_better_one),
        cmocka_unit_test(draft_models_are_checked),
        cmocka_unit_test(nothing_from_the_heap_while_guessing),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
