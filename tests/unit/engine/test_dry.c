/* dry: penalties against a plain search over all places, and breakers in real tokens. */
#include "support/support.h"

#include "base/mem.h"
#include "engine/dry.h"
#include "engine/sampler.h"
#include "pith.h"

#include <math.h>
#include <string.h>

#include <cmocka.h>

enum { V = 12, MOST = 120 };

/* Of each token the longest match that it would lengthen, by looking everywhere. */
static void plain_lengths(const int32_t *tokens, int64_t n, int64_t window, int64_t longest,
                          int64_t length[V])
{
    memset(length, 0, V * sizeof *length);
    int64_t first = n > window ? n - window : 0;
    for (int64_t end = first; end < n - 1; end++) { // the match ends here, tokens[end + 1] follows
        int64_t k = 0;
        while (k < longest && end - k >= first && tokens[end - k] == tokens[n - 1 - k])
            k++;
        if (k > length[tokens[end + 1]])
            length[tokens[end + 1]] = k;
    }
}

static void as_a_plain_search_finds(void **state)
{
    (void)state;
    test_random r = test_random_start(21);
    px_candidates c;
    assert_int_equal(px_candidates_init(&c, V, NULL), PITH_OK);
    int32_t tokens[MOST];
    float logits[V] = {0};
    for (int round = 0; round < 5000; round++) {
        int64_t n = (int64_t)test_random_below(&r, MOST + 1);
        uint64_t letters = 1 + test_random_below(&r, round % 2 ? 3 : V);
        for (int64_t i = 0; i < n; i++)
            tokens[i] = (int32_t)test_random_below(&r, letters);
        pith_sampling o = px_sampling_defaults();
        o.dry_multiplier = 0.8f;
        o.dry_base = 1.25f;
        o.dry_allowed_length = (int32_t)test_random_below(&r, 5);
        o.dry_last_n = round % 3 == 0 ? -1 : 1 + (int32_t)test_random_below(&r, MOST);
        px_dry d;
        assert_int_equal(px_dry_init(&d, &o, NULL, MOST, NULL), PITH_OK);
        for (int64_t i = 0; i < n; i++)
            px_dry_accept(&d, tokens[i]);
        px_candidates_load(&c, logits);
        px_dry_apply(&d, &c, tokens, n);
        int64_t length[V];
        int64_t window = o.dry_last_n < 0 ? MOST + 1 : o.dry_last_n;
        plain_lengths(tokens, n, window, n, length);
        for (int i = 0; i < V; i++) {
            double expected = 0;
            if (length[i] > 0 && length[i] >= o.dry_allowed_length)
                expected = (double)o.dry_multiplier *
                           pow((double)o.dry_base, (double)(length[i] - o.dry_allowed_length));
            if (expected > 3.4e38)
                expected = 3.4028234663852886e38;
            if (!(fabs((double)c.logits[i] + expected) <= 1e-6 * expected))
                fail_msg("token %d of %lld: penalty %g, expected %g (match of %lld)", i,
                         (long long)n, -(double)c.logits[i], expected, (long long)length[i]);
            assert_int_equal(c.marks[i], 0);
        }
        px_dry_clear(&d);
    }
    px_candidates_clear(&c);
}

/* The penalty of the token that would repeat what stands at the end of text, with these breakers,
 * in the vocabulary of stories260K. */
static float penalty_in(const pith_tokenizer *tok, px_tokenizer *inner, const char *text,
                        const char *next, const char *const *breakers, int32_t n_breakers)
{
    int32_t ids[200];
    int64_t n;
    assert_int_equal(pith_tokenize(tok, text, strlen(text), 0, ids, NULL, 200, &n, NULL), PITH_OK);
    int32_t id = pith_token_find(tok, next, strlen(next));
    assert_true(id >= 0);
    pith_sampling o = px_sampling_defaults();
    o.dry_multiplier = 1;
    o.dry_base = 2;
    o.dry_allowed_length = 1;
    o.dry_breakers = breakers;
    o.n_dry_breakers = n_breakers;
    px_dry d;
    px_candidates c;
    static float logits[512];
    assert_int_equal(px_candidates_init(&c, 512, NULL), PITH_OK);
    assert_int_equal(px_dry_init(&d, &o, inner, 200, NULL), PITH_OK);
    for (int64_t i = 0; i < n; i++)
        px_dry_accept(&d, ids[i]);
    px_candidates_load(&c, logits);
    px_dry_apply(&d, &c, ids, n);
    float penalty = -c.logits[id];
    px_candidates_clear(&c);
    px_dry_clear(&d);
    return penalty;
}

static void breakers_end_matches(void **state)
{
    (void)state;
    pith_model *model;
    pith_error err = {0};
    pith_model_options o = PITH_INIT(pith_model_options);
    o.flags = PITH_OPEN_NO_WEIGHTS;
    if (pith_model_open(test_shared("models/stories260K.gguf"), &o, &model, &err) != PITH_OK)
        fail_msg("%s", err.text);
    const pith_tokenizer *tok = pith_model_tokenizer(model);
    px_tokenizer *inner = *(px_tokenizer *const *)tok; // its first member
    /* "a b c ... a b": " c" would repeat. The text is: bos, " a", " b", " c", " a", " b". */
    const char *c = "\xe2\x96\x81"
                    "c";
    assert_true(penalty_in(tok, inner, "a b c a b", c, NULL, 0) == 2); // a match of 2: 2^1
    assert_true(penalty_in(tok, inner, "d a b c d a b", c, NULL, 0) == 4);
    assert_true(penalty_in(tok, inner, "d: a b c d: a b", c, NULL, 0) == 2); // ends at ":"
    const char *const own[] = {" d"};
    assert_true(penalty_in(tok, inner, "d a b c d a b", c, own, 1) == 2);
    const char *const across[] = {"a b"}; // lies in two tokens
    assert_true(penalty_in(tok, inner, "a b c a b", c, across, 1) == 0);
    const char *const next[] = {"c"}; // the token itself is a breaker and stays free
    assert_true(penalty_in(tok, inner, "a b c a b", c, next, 1) == 0);
    const char *const none[] = {NULL};
    assert_true(penalty_in(tok, inner, "d: a b c d: a b", c, none, 0) == 8);
    pith_model_close(model);
}

static void refuses(void **state)
{
    (void)state;
    pith_sampling o = px_sampling_defaults();
    px_dry d;
    pith_error err = {0};
    o.dry_multiplier = 1;
    const char *const breakers[] = {"x", ""};
    o.dry_breakers = breakers;
    o.n_dry_breakers = 2;
    assert_int_equal(px_dry_init(&d, &o, NULL, 10, &err), PITH_E_UNSUPPORTED);
    o.n_dry_breakers = -1;
    err = (pith_error){0};
    assert_int_equal(px_dry_init(&d, &o, NULL, 10, &err), PITH_E_ARGUMENT);
}

static void long_repetitions_stay_finite(void **state)
{
    (void)state;
    enum { N = 4000 };
    static int32_t tokens[N];
    float logits[V] = {0};
    px_candidates c;
    px_dry d;
    pith_sampling o = px_sampling_defaults();
    o.dry_multiplier = 1;
    assert_int_equal(px_candidates_init(&c, V, NULL), PITH_OK);
    assert_int_equal(px_dry_init(&d, &o, NULL, N, NULL), PITH_OK);
    for (int i = 0; i < N; i++)
        px_dry_accept(&d, 0);
    px_candidates_load(&c, logits);
    px_dry_apply(&d, &c, tokens, N);
    assert_true(isfinite(c.logits[0]) && c.logits[0] < -1e38f && c.logits[1] == 0);
    px_dry_clear(&d);
    px_candidates_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_plain_search_finds),
        cmocka_unit_test(breakers_end_matches),
        cmocka_unit_test(refuses),
        cmocka_unit_test(long_repetitions_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
