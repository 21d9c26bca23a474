/* kv: layouts, and the paged cache against a naive model that keeps every sequence whole. */
#include "support/support.h"

#include "model/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Two layers, three kv heads, keys of 4 and values of 2 elements. */
static const px_hparams SMALL = {
    .n_layers = 2, .n_kv_heads = 3, .n_heads = 6, .head_dim = 4, .value_dim = 2};

static px_kv_pool *make_pool(const px_hparams *hp, int64_t n_pages, uint64_t max_bytes)
{
    pith_error err = {0};
    px_kv_layout layout;
    px_kv_pool *pool;
    assert_int_equal(px_kv_layout_make(hp, PX_F32, PX_F16, &layout, &err), PITH_OK);
    assert_int_equal(px_kv_pool_new(&layout, n_pages, max_bytes, &pool, &err), PITH_OK);
    return pool;
}

/* ---- layout */

static void lays_out_pages(void **state)
{
    (void)state;
    pith_error err = {0};
    px_kv_layout l;
    assert_int_equal(px_kv_layout_make(&SMALL, PX_F32, PX_F16, &l, &err), PITH_OK);
    assert_int_equal(l.k_row_bytes, 16);
    assert_int_equal(l.v_row_bytes, 4);
    assert_int_equal(l.v_offset, 3 * 64 * 16);
    assert_int_equal(l.layer_bytes, 3 * 64 * (16 + 4));
    assert_int_equal(l.page_bytes % (size_t)sysconf(_SC_PAGESIZE), 0);
    assert_true(l.page_bytes >= 2 * l.layer_bytes);
    assert_true(l.page_bytes < 2 * l.layer_bytes + (size_t)sysconf(_SC_PAGESIZE));

    px_hparams hp = {.n_layers = 16, .n_kv_heads = 8, .head_dim = 64, .value_dim = 64};
    assert_int_equal(px_kv_layout_make(&hp, PX_Q8_0, PX_Q8_0, &l, &err), PITH_OK);
    assert_int_equal(l.k_row_bytes, 68);
    assert_int_equal(l.page_bytes, 16 * 8 * 64 * 2 * 68);
}

static void refuses_layouts(void **state)
{
    (void)state;
    pith_error err = {0};
    px_kv_layout l;
    assert_int_equal(px_kv_layout_make(&SMALL, PX_Q8_0, PX_F16, &l, &err), PITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "multiple of 32"));
    assert_non_null(strstr(err.text, "keys have 4"));
    err = (pith_error){0};
    assert_int_equal(px_kv_layout_make(&SMALL, PX_F16, PX_Q4_0, &l, &err), PITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "values as q4_0"));
}

/* Each cell has an address of its own, where the picture in kv.h puts it. */
static void places_rows(void **state)
{
    (void)state;
    pith_error err = {0};
    px_kv_pool *pool = make_pool(&SMALL, 4, 0);
    const px_kv_layout *l = px_kv_pool_layout(pool);
    px_kv_seq seq;
    assert_int_equal(px_kv_seq_init(&seq, pool, 200, &err), PITH_OK);
    assert_int_equal(px_kv_seq_reserve(&seq, 130, &err), PITH_OK);
    assert_int_equal(seq.n_pages, 3);
    for (int64_t t = 0; t < 130; t++)
        for (int layer = 0; layer < 2; layer++)
            for (int head = 0; head < 3; head++) {
                const uint8_t *page = seq.bases[t / 64];
                size_t row = (size_t)(head * 64 + t % 64);
                assert_ptr_equal(px_kv_k_at(&seq, layer, head, t),
                                 page + (size_t)layer * l->layer_bytes + row * 16);
                assert_ptr_equal(px_kv_v_at(&seq, layer, head, t),
                                 page + (size_t)layer * l->layer_bytes + l->v_offset + row * 4);
            }
    px_kv_seq_clear(&seq);
    px_kv_pool_free(pool);
}

/* ---- the naive model */

enum { N_SEQS = 12, MAX_TOKENS = 500, N_PAGES = 60 };

typedef struct naive {
    int64_t n;
    uint32_t tokens[MAX_TOKENS];
} naive;

typedef struct world {
    px_kv_pool *pool;
    px_kv_seq seqs[N_SEQS];
    naive naives[N_SEQS];
    uint32_t next; // value of the next token written
} world;

/* What stands in the cell of a token with this value. */
static uint32_t cell(uint32_t value, int layer, int head, int v)
{
    return value * 2654435761u + (uint32_t)(layer * 100 + head * 10 + v);
}

static void append(world *w, int i, int64_t n)
{
    px_kv_seq *seq = &w->seqs[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t t = seq->n_tokens + k;
        uint32_t value = w->next++;
        w->naives[i].tokens[t] = value;
        for (int layer = 0; layer < 2; layer++)
            for (int head = 0; head < 3; head++) {
                uint32_t a = cell(value, layer, head, 0);
                uint32_t b = cell(value, layer, head, 1);
                memcpy(px_kv_k_at(seq, layer, head, t), &a, sizeof a);
                memcpy(px_kv_v_at(seq, layer, head, t), &b, sizeof b);
            }
    }
    seq->n_tokens += n;
    w->naives[i].n += n;
}

static void check_seq(const world *w, int i)
{
    const px_kv_seq *seq = &w->seqs[i];
    const naive *m = &w->naives[i];
    assert_int_equal(seq->n_tokens, m->n);
    for (int64_t t = 0; t < m->n; t++)
        for (int layer = 0; layer < 2; layer++)
            for (int head = 0; head < 3; head++) {
                uint32_t a, b;
                memcpy(&a, px_kv_k_at(seq, layer, head, t), sizeof a);
                memcpy(&b, px_kv_v_at(seq, layer, head, t), sizeof b);
                assert_int_equal(a, cell(m->tokens[t], layer, head, 0));
                assert_int_equal(b, cell(m->tokens[t], layer, head, 1));
            }
}

/* Committed bytes are those of the distinct pages in use. */
static int64_t distinct_pages(const world *w)
{
    bool seen[N_PAGES] = {false};
    int64_t n = 0;
    for (int i = 0; i < N_SEQS; i++)
        for (int64_t p = 0; p < w->seqs[i].n_pages; p++) {
            int32_t page = w->seqs[i].pages[p];
            assert_true(page >= 0 && page < N_PAGES);
            n += !seen[page];
            seen[page] = true;
        }
    return n;
}

static void try_append(world *w, int i, int64_t n)
{
    pith_error err = {0};
    px_kv_seq before = w->seqs[i];
    uint64_t bytes = px_kv_pool_bytes(w->pool);
    pith_status status = px_kv_seq_reserve(&w->seqs[i], n, &err);
    if (status == PITH_OK) {
        assert_true(px_kv_seq_has_room(&w->seqs[i], n));
        append(w, i, n);
        return;
    }
    assert_int_equal(status, before.n_tokens + n > MAX_TOKENS ? PITH_E_CONTEXT : PITH_E_MEMORY);
    assert_memory_equal(&before, &w->seqs[i], sizeof before);
    assert_int_equal(px_kv_pool_bytes(w->pool), bytes);
}

static void random_operation(world *w, test_random *r)
{
    pith_error err = {0};
    int i = (int)test_random_below(r, N_SEQS);
    int j = (int)test_random_below(r, N_SEQS);
    px_kv_seq *seq = &w->seqs[i];
    switch (test_random_below(r, 8)) {
    case 0:
    case 1:
    case 2:
        try_append(w, i, 1 + (int64_t)test_random_below(r, 3));
        break;
    case 3:
        try_append(w, i, (int64_t)test_random_below(r, 150));
        break;
    case 4: { // room that is not used at once, or never
        int64_t n = (int64_t)test_random_below(r, 100);
        if (n <= MAX_TOKENS - seq->n_tokens)
            px_kv_seq_reserve(seq, n, &err);
        break;
    }
    case 5: {
        int64_t n = (int64_t)test_random_below(r, (uint64_t)seq->n_tokens + 10);
        px_kv_seq_truncate(seq, n);
        if (n < w->naives[i].n)
            w->naives[i].n = n;
        break;
    }
    case 6:
        px_kv_seq_truncate(seq, 0);
        w->naives[i].n = 0;
        break;
    case 7:
        if (i != j && w->seqs[j].n_pages == 0) {
            int64_t n = (int64_t)test_random_below(r, (uint64_t)seq->n_tokens + 1);
            uint64_t bytes = px_kv_pool_bytes(w->pool);
            assert_int_equal(px_kv_seq_fork(&w->seqs[j], seq, n, &err), PITH_OK);
            assert_int_equal(px_kv_pool_bytes(w->pool), bytes);
            w->naives[j] = w->naives[i];
            w->naives[j].n = n;
        }
        break;
    }
}

static void agrees_with_a_naive_model(void **state)
{
    (void)state;
    pith_error err = {0};
    test_random r = test_random_start(7);
    static world w;
    w.pool = make_pool(&SMALL, N_PAGES, 0);
    size_t page_bytes = px_kv_pool_layout(w.pool)->page_bytes;
    for (int i = 0; i < N_SEQS; i++)
        assert_int_equal(px_kv_seq_init(&w.seqs[i], w.pool, MAX_TOKENS, &err), PITH_OK);
    for (int step = 0; step < 20000; step++) {
        random_operation(&w, &r);
        assert_int_equal(px_kv_pool_bytes(w.pool), (uint64_t)distinct_pages(&w) * page_bytes);
        if (step % 16 == 0)
            for (int i = 0; i < N_SEQS; i++)
                check_seq(&w, i);
    }
    for (int i = 0; i < N_SEQS; i++)
        px_kv_seq_clear(&w.seqs[i]);
    assert_int_equal(px_kv_pool_bytes(w.pool), 0);
    px_kv_pool_free(w.pool);
}

/* ---- single properties */

static void copies_a_shared_page_on_write(void **state)
{
    (void)state;
    pith_error err = {0};
    static world w;
    w.pool = make_pool(&SMALL, 8, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(px_kv_seq_init(&w.seqs[i], w.pool, 300, &err), PITH_OK);
    size_t page = px_kv_pool_layout(w.pool)->page_bytes;
    assert_int_equal(px_kv_seq_reserve(&w.seqs[0], 100, &err), PITH_OK);
    append(&w, 0, 100);
    assert_int_equal(px_kv_seq_fork(&w.seqs[1], &w.seqs[0], 80, &err), PITH_OK);
    w.naives[1] = w.naives[0];
    w.naives[1].n = 80;
    assert_int_equal(px_kv_pool_bytes(w.pool), 2 * page);
    assert_false(px_kv_seq_has_room(&w.seqs[0], 1)); // its last page is shared now
    assert_false(px_kv_seq_has_room(&w.seqs[1], 1));
    assert_int_equal(px_kv_seq_reserve(&w.seqs[1], 1, &err), PITH_OK);
    assert_int_equal(px_kv_pool_bytes(w.pool), 3 * page);
    assert_true(px_kv_seq_has_room(&w.seqs[0], 1)); // and its own again
    append(&w, 1, 1);
    append(&w, 0, 1);
    check_seq(&w, 0);
    check_seq(&w, 1);
    assert_ptr_equal(w.seqs[0].bases[0], w.seqs[1].bases[0]);
    assert_ptr_not_equal(w.seqs[0].bases[1], w.seqs[1].bases[1]);

    /* Full pages are shared for good. */
    assert_int_equal(px_kv_seq_fork(&w.seqs[2], &w.seqs[0], 64, &err), PITH_OK);
    w.naives[2] = w.naives[0];
    w.naives[2].n = 64;
    assert_int_equal(px_kv_seq_reserve(&w.seqs[2], 1, &err), PITH_OK);
    append(&w, 2, 1);
    assert_ptr_equal(w.seqs[0].bases[0], w.seqs[2].bases[0]);
    assert_int_equal(px_kv_pool_bytes(w.pool), 4 * page);
    for (int i = 0; i < 3; i++) {
        check_seq(&w, i);
        px_kv_seq_clear(&w.seqs[i]);
        w.naives[i].n = 0;
    }
    px_kv_pool_free(w.pool);
}

static void holds_its_limits(void **state)
{
    (void)state;
    pith_error err = {0};
    px_kv_pool *pool = make_pool(&SMALL, 100, 0);
    size_t page = px_kv_pool_layout(pool)->page_bytes;
    px_kv_pool *other = make_pool(&SMALL, 100, 2 * page + page / 2);
    px_kv_seq a, b, c;
    assert_int_equal(px_kv_seq_init(&a, other, 1000, &err), PITH_OK);
    assert_int_equal(px_kv_seq_init(&b, other, 100, &err), PITH_OK);
    assert_int_equal(px_kv_seq_init(&c, pool, 1000, &err), PITH_OK);
    assert_int_equal(px_kv_seq_reserve(&a, 128, &err), PITH_OK);
    assert_int_equal(px_kv_seq_reserve(&a, 129, &err), PITH_E_MEMORY); // max_bytes
    assert_non_null(strstr(err.text, "2 pages"));
    assert_int_equal(a.n_pages, 2);
    a.n_tokens = 128;

    err = (pith_error){0};
    assert_int_equal(px_kv_seq_reserve(&b, 101, &err), PITH_E_CONTEXT);
    assert_non_null(strstr(err.text, "context of 100"));
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_reserve(&b, -1, &err), PITH_E_CONTEXT);
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_fork(&b, &a, 101, &err), PITH_E_CONTEXT);
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_fork(&b, &a, 129, &err), PITH_E_ARGUMENT);
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_fork(&c, &a, 10, &err), PITH_E_ARGUMENT); // another pool
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_fork(&a, &a, 10, &err), PITH_E_ARGUMENT);
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_fork(&b, &a, 100, &err), PITH_OK);

    /* The copy that b's next token needs is a third page. */
    assert_int_equal(px_kv_seq_reserve(&b, 0, &err), PITH_OK);
    px_kv_seq_truncate(&b, 70);
    assert_int_equal(px_kv_seq_reserve(&b, 1, &err), PITH_E_MEMORY);
    assert_int_equal(b.n_tokens, 70);
    px_kv_seq_clear(&a);
    err = (pith_error){0};
    assert_int_equal(px_kv_seq_reserve(&b, 1, &err), PITH_OK);
    px_kv_seq_clear(&b);
    px_kv_seq_clear(&c);
    px_kv_pool_free(other);
    px_kv_pool_free(pool);

    px_kv_layout layout;
    assert_int_equal(px_kv_layout_make(&SMALL, PX_F32, PX_F32, &layout, &err), PITH_OK);
    assert_int_equal(px_kv_pool_new(&layout, 0, 0, &pool, &err), PITH_E_ARGUMENT);
    assert_null(pool);
}

static size_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* 64 GiB of addresses cost nothing; pages cost when touched, and no more once they are let go. */
static void gives_memory_back(void **state)
{
    (void)state;
    pith_error err = {0};
    px_hparams hp = {.n_layers = 8, .n_kv_heads = 8, .head_dim = 64, .value_dim = 64};
    size_t start = resident_bytes();
    px_kv_pool *pool = make_pool(&hp, 43690, 0);
    size_t page = px_kv_pool_layout(pool)->page_bytes;
    assert_int_equal(page, 1536 << 10);
    px_kv_seq seq;
    assert_int_equal(px_kv_seq_init(&seq, pool, 131072, &err), PITH_OK);
    assert_true(resident_bytes() < start + (4 << 20));
    assert_int_equal(px_kv_seq_reserve(&seq, 64 * 64, &err), PITH_OK);
    assert_int_equal(px_kv_pool_bytes(pool), 64 * page);
    for (int64_t t = 0; t < 64 * 64; t++)
        for (int layer = 0; layer < 8; layer++)
            for (int head = 0; head < 8; head++) {
                memset(px_kv_k_at(&seq, layer, head, t), 1, 256);
                memset(px_kv_v_at(&seq, layer, head, t), 1, 128);
            }
    seq.n_tokens = 64 * 64;
    size_t full = resident_bytes();
    assert_true(full > start + 64 * page);
    px_kv_seq_truncate(&seq, 64);
    assert_true(resident_bytes() < full - 62 * page);
    assert_int_equal(px_kv_pool_bytes(pool), page);
    px_kv_seq_clear(&seq);
    px_kv_pool_free(pool);
}

/* ---- a keeper */

typedef struct keeper {
    px_kv_pool *pool;
    int32_t kept; // or -1
    int n_evicted, n_forgotten;
} keeper;

static bool let_idle_go(void *user)
{
    keeper *k = user;
    if (k->kept < 0 || !px_kv_page_is_idle(k->pool, k->kept))
        return false;
    px_kv_page_unkeep(k->pool, k->kept);
    k->kept = -1;
    k->n_evicted++;
    return true;
}

static bool forget(void *user, int32_t page)
{
    keeper *k = user;
    if (k->kept != page)
        return false;
    px_kv_page_unkeep(k->pool, page);
    k->kept = -1;
    k->n_forgotten++;
    return true;
}

/* Kept pages outlive their sequence, are shared and copied, and make room when there is no other.
 */
static void a_keeper_keeps_pages(void **state)
{
    (void)state;
    pith_error err = {0};
    px_kv_pool *pool = make_pool(&SMALL, 8, 0);
    size_t page = px_kv_pool_layout(pool)->page_bytes;
    px_kv_pool_free(pool);
    pool = make_pool(&SMALL, 8, 3 * page);
    assert_int_equal(px_kv_pool_size(pool), 8);
    assert_int_equal(px_kv_pool_most(pool), 3);
    keeper k = {.pool = pool, .kept = -1};
    px_kv_pool_set_keeper(pool, &(px_kv_keeper){let_idle_go, forget, &k});
    px_kv_seq a, b;
    assert_int_equal(px_kv_seq_init(&a, pool, 256, &err), PITH_OK);
    assert_int_equal(px_kv_seq_init(&b, pool, 256, &err), PITH_OK);
    assert_int_equal(px_kv_seq_reserve(&a, 64, &err), PITH_OK);
    a.n_tokens = 64;
    memset(px_kv_page_at(pool, a.pages[0]), 7, page);
    k.kept = a.pages[0];
    px_kv_page_keep(pool, k.kept);
    assert_int_equal(px_kv_pool_idle(pool), 0);
    px_kv_seq_truncate(&a, 0);
    assert_int_equal(px_kv_pool_idle(pool), 1);
    assert_int_equal(px_kv_pool_used(pool), 1);
    /* Shared. */
    px_kv_seq_share_page(&b, k.kept);
    assert_int_equal(b.n_tokens, 64);
    assert_int_equal(px_kv_pool_idle(pool), 0);
    assert_ptr_equal(b.bases[0], px_kv_page_at(pool, k.kept));
    /* Copied, behind a full page and in place of a begun one. */
    assert_int_equal(px_kv_seq_copy_page(&b, k.kept, 10, &err), PITH_OK);
    assert_int_equal(b.n_tokens, 74);
    assert_int_equal(b.n_pages, 2);
    assert_int_not_equal(b.pages[1], k.kept);
    assert_memory_equal(b.bases[1], b.bases[0], page);
    memset(px_kv_page_at(pool, b.pages[1]), 1, page);
    int32_t own = b.pages[1];
    assert_int_equal(px_kv_seq_copy_page(&b, k.kept, 20, &err), PITH_OK);
    assert_int_equal(b.n_tokens, 84);
    assert_int_equal(b.pages[1], own); // its own: nobody else has it
    assert_memory_equal(b.bases[1], b.bases[0], page);
    assert_int_equal(px_kv_pool_used(pool), 2);
    /* b goes back into the kept page, which it must not write; with no page for a copy the keeper
     * forgets it, and it is b's. */
    assert_int_equal(px_kv_seq_reserve(&a, 128, &err), PITH_E_MEMORY);
    px_kv_seq_truncate(&b, 30);
    assert_int_equal(px_kv_seq_reserve(&a, 128, &err), PITH_OK);
    assert_false(px_kv_seq_has_room(&b, 1));
    assert_int_equal(px_kv_seq_reserve(&b, 1, &err), PITH_OK);
    assert_int_equal(k.n_forgotten, 1);
    assert_int_equal(k.n_evicted, 0);
    assert_true(px_kv_seq_has_room(&b, 1));
    /* An idle page goes for another. */
    k.kept = b.pages[0];
    px_kv_page_keep(pool, k.kept);
    px_kv_seq_clear(&b);
    assert_int_equal(px_kv_pool_idle(pool), 1);
    assert_int_equal(px_kv_seq_reserve(&a, 192, &err), PITH_OK);
    assert_int_equal(k.n_evicted, 1);
    assert_int_equal(px_kv_pool_idle(pool), 0);
    assert_int_equal(px_kv_pool_used(pool), 3);
    /* A page for the keeper alone. */
    int32_t taken = -1;
    assert_int_equal(px_kv_page_take(pool, &taken, &err), PITH_E_MEMORY);
    px_kv_seq_clear(&a);
    assert_int_equal(px_kv_page_take(pool, &taken, &err), PITH_OK);
    assert_true(px_kv_page_is_idle(pool, taken));
    assert_int_equal(px_kv_pool_idle(pool), 1);
    px_kv_page_unkeep(pool, taken);
    assert_int_equal(px_kv_pool_used(pool), 0);
    assert_int_equal(px_kv_pool_idle(pool), 0);
    px_kv_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_out_pages),
        cmocka_unit_test(refuses_layouts),
        cmocka_unit_test(places_rows),
        cmocka_unit_test(agrees_with_a_naive_model),
        cmocka_unit_test(copies_a_shared_page_on_write),
        cmocka_unit_test(holds_its_limits),
        cmocka_unit_test(gives_memory_back),
        cmocka_unit_test(a_keeper_keeps_pages),
    };
    return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
