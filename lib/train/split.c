/*
 * split: a set as two, with copies and near copies of a row on one side. Rows are joined to groups
 * (a forest over their numbers, 4 bytes a row), groups are drawn until enough rows are in the
 * evaluation set, and the file is read again to write both.
 */
#include "base/file.h"
#include "base/mem.h"
#include "engine/options.h"
#include "train/dataset.h"
#include "train/facts.h"
#include "train/near.h"
#include "train/rewrite.h"

#include <sys/stat.h>

typedef struct splitter {
    pith_dataset *set;
    pith_data_split_options options;
    px_facts facts;
    px_near near;
    px_map64 seen, by;
    int32_t *parent; // [n] of the forest; -1: the row is bad
    uint8_t *eval;   // [n] of a group's root
    int64_t n, cap, n_bad, n_groups, n_eval;
    uint64_t bytes_before, bytes_all;
} splitter;

static int32_t root_of(splitter *s, int32_t i)
{
    while (s->parent[i] != i)
        i = s->parent[i] = s->parent[s->parent[i]];
    return i;
}

static void join(splitter *s, int32_t a, int32_t b)
{
    a = root_of(s, a);
    b = root_of(s, b);
    if (a < b)
        s->parent[b] = a;
    else
        s->parent[a] = b;
}

static bool add_row(splitter *s, bool bad)
{
    if (s->n == s->cap) {
        int64_t cap = s->cap > 0 ? 2 * s->cap : 1024;
        int32_t *parent =
            cap < INT32_MAX ? px_realloc(s->parent, (size_t)cap, sizeof *parent) : NULL;
        if (!parent)
            return false;
        s->parent = parent;
        s->cap = cap;
    }
    s->parent[s->n] = bad ? -1 : (int32_t)s->n;
    s->n_bad += bad;
    s->n++;
    return true;
}

static pith_status tell(const splitter *s, pith_error *err)
{
    uint64_t done;
    px_records_bytes(s->set->records, &done);
    if (s->options.progress &&
        s->options.progress(s->options.user, s->bytes_before + done, s->bytes_all) != 0)
        return px_fail(err, PITH_E_CANCELLED, "the split of '%s' was cancelled", s->set->path);
    return PITH_OK;
}

/* Joins the last row to whatever it must stay with. */
static pith_status group(splitter *s, const px_record *row, const px_sample *sample,
                         pith_error *err)
{
    bool is_new;
    px_signature sign;
    int32_t i = (int32_t)(s->n - 1);
    pith_status st = px_facts_read(&s->facts, sample, err);
    if (st != PITH_OK)
        return st;
    int64_t *first = px_map64_put(&s->seen, px_facts_whole(&s->facts), i, &is_new);
    if (!first)
        return px_fail_memory(err, "the hashes of rows");
    if (!is_new)
        join(s, i, (int32_t)*first);
    if (!row->begins && i > 0 && s->parent[i - 1] >= 0)
        join(s, i, i - 1); // pieces of one document
    px_signature_of(px_facts_str(&s->facts.text), &sign);
    int64_t near = px_near_find(&s->near, &sign);
    if (near > 0)
        join(s, i, (int32_t)(near - 1));
    if (is_new && !px_near_add(&s->near, &sign, i + 1))
        return px_fail_memory(err, "the signatures of rows");
    if (!s->options.by)
        return PITH_OK;
    px_json value = px_json_find(row->value, s->options.by);
    if (!value.at)
        return px_fail(err, PITH_E_ARGUMENT, "'%s' line %lld has no column '%.60s' to split by",
                       s->set->path, (long long)row->line, s->options.by);
    uint64_t key = px_hash64(value.at, (size_t)(value.end - value.at), 7);
    first = px_map64_put(&s->by, key, i, &is_new);
    if (!first)
        return px_fail_memory(err, "the values to split by");
    if (!is_new)
        join(s, i, (int32_t)*first);
    return PITH_OK;
}

static pith_status read_rows(splitter *s, pith_error *err)
{
    px_record row;
    px_samples samples;
    bool more = true;
    pith_status st = px_dataset_rewind(s->set, err);
    while (st == PITH_OK) {
        st = px_dataset_next(s->set, &row, &samples, &more, err);
        if (st != PITH_OK || !more)
            break;
        if (!add_row(s, samples.fault != PX_FAULT_NONE))
            return px_fail_memory(err, "the rows of a split");
        for (int i = 0; st == PITH_OK && i < samples.n; i++)
            st = group(s, &row, &samples.list[i], err);
        if (st == PITH_OK && s->n % 64 == 0)
            st = tell(s, err);
    }
    uint64_t done;
    s->bytes_before += px_records_bytes(s->set->records, &done);
    return st;
}

/* Draws groups for the evaluation set, in an order that the seed alone decides. */
static pith_status draw(splitter *s, pith_error *err)
{
    int64_t n_good = s->n - s->n_bad, n_roots = 0;
    double share = s->options.share > 0 ? s->options.share : 0.05;
    int64_t wanted =
        s->options.n_rows > 0 ? s->options.n_rows : (int64_t)(share * (double)n_good + 0.5);
    int32_t *size = px_calloc((size_t)s->n + 1, sizeof *size);
    int32_t *roots = px_malloc((size_t)s->n + 1, sizeof *roots);
    s->eval = px_calloc((size_t)s->n + 1, 1);
    if (!size || !roots || !s->eval) {
        px_free(size);
        px_free(roots);
        return px_fail_memory(err, "the groups of a split");
    }
    for (int64_t i = 0; i < s->n; i++)
        if (s->parent[i] >= 0)
            size[root_of(s, (int32_t)i)]++;
    for (int64_t i = 0; i < s->n; i++)
        if (size[i] > 0)
            roots[n_roots++] = (int32_t)i;
    uint64_t state = px_mix64(s->options.seed + 0x9e3779b97f4a7c15u);
    for (int64_t i = n_roots - 1; i > 0; i--) {
        state += 0x9e3779b97f4a7c15u;
        int64_t k = (int64_t)(px_mix64(state) % (uint64_t)(i + 1));
        int32_t t = roots[i];
        roots[i] = roots[k];
        roots[k] = t;
    }
    /* A group goes there while it fits, so that a large one does not make the set much larger. */
    for (int64_t i = 0; i < n_roots && s->n_eval < wanted; i++)
        if (s->n_eval + size[roots[i]] <= wanted || (s->n_eval == 0 && i == n_roots - 1)) {
            s->eval[roots[i]] = 1;
            s->n_eval += size[roots[i]];
        }
    s->n_groups = n_roots;
    px_free(size);
    px_free(roots);
    if (s->n_eval > 0 && s->n_eval < n_good)
        return PITH_OK;
    return px_fail(err, PITH_E_ARGUMENT,
                   "'%s': %lld good rows in %lld groups cannot give an evaluation set of %lld rows "
                   "and leave some to learn; ask for another share",
                   s->set->path, (long long)n_good, (long long)n_roots, (long long)wanted);
}

static pith_status write_both(splitter *s, const char *train, const char *eval, pith_error *err)
{
    px_rewrite w[2] = {{.n = 0}};
    px_record row;
    bool more = true;
    pith_status st = px_dataset_rewind(s->set, err);
    if (st == PITH_OK)
        st = px_rewrite_open(&w[0], train, s->set->records, err);
    if (st == PITH_OK)
        st = px_rewrite_open(&w[1], eval, s->set->records, err);
    for (int64_t i = 0; st == PITH_OK && i < s->n; i++) {
        st = px_records_next(s->set->records, &row, &more, err);
        if (st != PITH_OK || !more)
            break;
        if (s->parent[i] >= 0)
            st = px_rewrite_put(&w[s->eval[root_of(s, (int32_t)i)]], &row, err);
        if (st == PITH_OK && i % 64 == 0)
            st = tell(s, err);
    }
    if (st == PITH_OK)
        st = px_rewrite_commit(&w[0], err);
    if (st == PITH_OK)
        st = px_rewrite_commit(&w[1], err);
    px_rewrite_abort(&w[0]);
    px_rewrite_abort(&w[1]);
    return st == PITH_OK ? tell(s, err) : st;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static pith_status run(splitter *s, const char *train, const char *eval, pith_error *err)
{
    uint64_t done;
    if (same_file(train, eval) || same_file(train, s->set->path) || same_file(eval, s->set->path))
        return px_fail(err, PITH_E_ARGUMENT,
                       "'%s', '%s' and '%s' must be three files; give them other names",
                       s->set->path, train, eval);
    s->bytes_all = 2 * px_records_bytes(s->set->records, &done);
    pith_status st = read_rows(s, err);
    if (st == PITH_OK)
        st = draw(s, err);
    return st == PITH_OK ? write_both(s, train, eval, err) : st;
}

pith_status pith_data_split(pith_dataset *dataset, const char *train, const char *eval,
                            const pith_data_split_options *options, pith_data_splitted *result,
                            pith_error *err)
{
    pith_error own = {0};
    err = err ? err : &own;
    px_error_clear(err);
    if (!dataset || !train || !eval)
        return px_fail(err, PITH_E_ARGUMENT, "pith_data_split: an argument is NULL");
    splitter s = {.set = dataset, .options = {.size = sizeof s.options}};
    pith_status st =
        px_options_read(options, "pith_data_split_options", &s.options, sizeof s.options, err);
    if (st == PITH_OK && (!(s.options.share >= 0 && s.options.share < 1) || s.options.n_rows < 0))
        st = px_fail(err, PITH_E_ARGUMENT,
                     "pith_data_split_options: a share of %g and %lld rows, expected a share "
                     "between 0 and 1 and no negative number",
                     s.options.share, (long long)s.options.n_rows);
    if (st == PITH_OK)
        st = run(&s, train, eval, err);
    if (st == PITH_OK && result) {
        pith_data_splitted sum = {.n_train = s.n - s.n_bad - s.n_eval,
                                  .n_eval = s.n_eval,
                                  .n_groups = s.n_groups,
                                  .n_bad = s.n_bad};
        st = px_options_write(result, "pith_data_splitted", &sum, sizeof sum, err);
    }
    px_facts_clear(&s.facts);
    px_near_clear(&s.near);
    px_map64_clear(&s.seen);
    px_map64_clear(&s.by);
    px_free(s.parent);
    px_free(s.eval);
    return st;
}
