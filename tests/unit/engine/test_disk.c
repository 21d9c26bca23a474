/* disk: computed prefixes that outlive the engine: found again and the same; damaged, foreign and
 * odd files are never used; the folder stays in its bounds; a killed writer and a disk that does
 * not take anything harm nobody. */
#include "stories.h"

#include "engine/session.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 64, LENGTH = 300, PAGES = 4, HEADER = 56 };

static pith_engine *engine_at(const char *folder, uint64_t most_bytes)
{
    pith_engine_options o = engine_options(512);
    o.kv_dir = folder;
    o.kv_dir_bytes = most_bytes;
    o.n_batch = 512; // a context in one step, or later pages are found on the way
    return engine_with(o);
}

/* Answers in a session of its own; how much was found. */
static int64_t answer(pith_engine *e, const ids *text, said *out)
{
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_request r = request(text, 10, out);
    r.ignore_end = true;
    pith_result result = PITH_INIT(pith_result);
    assert_ok(pith_generate(s, &r, &result, &err));
    pith_session_free(s);
    return result.n_reused;
}

typedef struct files {
    char name[256][300];
    int n;
    uint64_t bytes;
} files;

static files files_in(const char *folder)
{
    files f = {.n = 0};
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        const char *path = test_format("%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || lstat(path, &st) != 0)
            continue;
        assert_true(f.n < 256);
        f.bytes += (uint64_t)st.st_size;
        snprintf(f.name[f.n++], sizeof f.name[0], "%s", path);
    }
    closedir(dir);
    return f;
}

static said expected; // what is said after text_of(1, LENGTH)

/* A folder that holds the pages of text_of(1, LENGTH). */
static const char *filled(const char *name)
{
    const char *folder = test_temp(name);
    ids text = text_of(1, LENGTH);
    pith_engine *e = engine_at(folder, 0);
    assert_int_equal(answer(e, &text, &expected), 0);
    assert_int_equal(info_of(e).n_disk_saved, 0);
    assert_ok(pith_engine_save_cache(e, &err));
    assert_int_equal(info_of(e).n_disk_saved, PAGES);
    assert_ok(pith_engine_save_cache(e, &err)); // they are there
    assert_int_equal(info_of(e).n_disk_saved, PAGES);
    files f = files_in(folder);
    assert_int_equal(f.n, PAGES);
    assert_int_equal(info_of(e).disk_bytes, f.bytes);
    pith_engine_free(e);
    assert_int_equal(files_in(folder).n, PAGES);
    return folder;
}

static void what_is_saved_is_found(void **state)
{
    (void)state;
    need_model();
    static said got;
    const char *folder = filled("found");
    ids text = text_of(1, LENGTH), other = text, begun = text;
    other.id[130] = 7; // in the third page
    begun.n = 2 * PAGE;
    pith_engine *e = engine_at(folder, 0);
    assert_int_equal(answer(e, &text, &got), PAGES * PAGE);
    assert_int_equal(info_of(e).n_disk_loaded, PAGES);
    assert_int_equal(info_of(e).n_disk_refused, 0);
    assert_string_equal(info_of(e).disk_note, "");
    assert_memory_equal(got.tokens, expected.tokens, 10 * sizeof got.tokens[0]);
    assert_int_equal(answer(e, &text, &got), LENGTH - 1); // from memory now, the last page too
    assert_int_equal(info_of(e).n_disk_loaded, PAGES);
    pith_engine_free(e);
    /* Two pages, and what is alike of the third, which is on disk, is not looked for. */
    e = engine_at(folder, 0);
    assert_int_equal(answer(e, &other, &got), 2 * PAGE);
    assert_int_equal(answer(e, &begun, &got), 2 * PAGE - 1);
    pith_engine_free(e);
    /* What was computed meanwhile was saved when the engine went. */
    assert_int_equal(files_in(folder).n, PAGES + 2);
}

/* Other adapters, another form of the cache. */
static void what_is_foreign_is_not(void **state)
{
    (void)state;
    need_model();
    const char *folder = filled("foreign");
    ids text = text_of(1, LENGTH);
    pith_engine *e = engine_at(folder, 0);
    pith_session *s = session_of(e, PITH_OVERFLOW_ERROR, 0);
    s->adapter_key = 99;
    px_placing how = {.most_reused = INT64_MAX};
    px_placed placed;
    assert_ok(px_session_place(s, text.id, text.n, &how, &placed, &err));
    assert_int_equal(placed.n_reused, 0);
    pith_session_free(s);
    pith_engine_free(e);
    pith_engine_options o = engine_options(512);
    o.kv_dir = folder;
    o.k_type = "f16";
    e = engine_with(o);
    assert_int_equal(answer(e, &text, NULL), 0);
    assert_int_equal(info_of(e).n_disk_refused, 0); // it looks for other names
    pith_engine_free(e);
    assert_int_equal(files_in(folder).n, 2 * PAGES);
    /* A file under a name that is not its own. */
    e = engine_at(folder, 0);
    assert_int_equal(answer(e, &text, NULL), PAGES * PAGE);
    pith_engine_free(e);
}

/* Every part of a file, damaged in turn. */
static void what_is_damaged_is_refused(void **state)
{
    (void)state;
    need_model();
    static said got;
    ids text = text_of(1, LENGTH);
    const char *folder = filled("damaged");
    files f = files_in(folder);
    size_t size;
    char *original[PAGES];
    size_t sizes[PAGES];
    int first = -1; // the first page's file: the shortest, as it has the fewest tokens
    for (int i = 0; i < f.n; i++) {
        original[i] = test_read(f.name[i], &sizes[i]);
        if (first < 0 || sizes[i] < sizes[first])
            first = i;
    }
    size = sizes[first];
    char *bad = test_keep(size + 1);
    enum { CUT = 60, EMPTY, LONGER, ZEROS, OTHER_PAGE, MOST };
    for (int kind = 0; kind < MOST; kind++) {
        memcpy(bad, original[first], size);
        size_t at = 0, n = size;
        if (kind < HEADER) {
            at = (size_t)kind; // each byte of the header
        } else if (kind < CUT) {
            static const size_t AT[] = {0, 255, 256, 0};
            at = kind == CUT - 1 ? size - 1 : HEADER + AT[kind - HEADER];
        }
        if (kind < CUT)
            bad[at] = (char)(bad[at] ^ 0x10);
        else if (kind == CUT)
            n = size - 1;
        else if (kind == EMPTY)
            n = 0;
        else if (kind == LONGER)
            n = size + 1;
        else if (kind == ZEROS)
            memset(bad, 0, size);
        const char *from = kind == OTHER_PAGE ? original[(first + 1) % PAGES] : bad;
        n = kind == OTHER_PAGE ? sizes[(first + 1) % PAGES] : n;
        for (int i = 0; i < f.n; i++)
            test_write(f.name[i], i == first ? from : original[i], i == first ? n : sizes[i]);
        pith_engine *e = engine_at(folder, 0);
        if (answer(e, &text, &got) != 0) // without its first page nothing counts
            fail_msg("damage %d was not noticed: %s; %s %d", kind, info_of(e).disk_note,
                     f.name[first], (int)sizes[first]);
        pith_engine_info info = info_of(e);
        if (info.n_disk_refused != 1 || info.n_disk_loaded != 0)
            fail_msg("damage %d: refused %d, loaded %d", kind, (int)info.n_disk_refused,
                     (int)info.n_disk_loaded);
        assert_non_null(strstr(info.disk_note, "is not used"));
        assert_false(test_exists(f.name[first]));
        assert_memory_equal(got.tokens, expected.tokens, 10 * sizeof got.tokens[0]);
        pith_engine_free(e);
    }
    /* Odd things in place of a file. */
    for (int kind = 0; kind < 3; kind++) {
        unlink(f.name[first]);
        if (kind == 0)
            assert_int_equal(mkdir(f.name[first], 0700), 0);
        else if (kind == 1)
            assert_int_equal(symlink("/dev/zero", f.name[first]), 0);
        else
            assert_int_equal(mkfifo(f.name[first], 0600), 0);
        pith_engine *e = engine_at(folder, 0);
        assert_int_equal(answer(e, &text, NULL), 0);
        pith_engine_free(e);
        if (kind == 0)
            rmdir(f.name[first]);
    }
}

/* The folder's files stay below the limit, those that were used last stay. */
static void the_folder_is_bounded(void **state)
{
    (void)state;
    need_model();
    const char *folder = filled("bounded");
    files f = files_in(folder);
    uint64_t each = f.bytes / PAGES, most = each * 10;
    pith_engine *e = engine_at(folder, most);
    for (uint64_t seed = 2; seed < 8; seed++) {
        ids text = text_of(seed, LENGTH);
        answer(e, &text, NULL);
        assert_ok(pith_engine_save_cache(e, &err));
        assert_true(files_in(folder).bytes <= most);
        struct timespec wait = {.tv_nsec = 20000000}; // files' times differ
        nanosleep(&wait, NULL);
    }
    assert_true(files_in(folder).n >= 2 * PAGES);
    pith_engine_free(e);
    e = engine_at(folder, most);
    ids last = text_of(7, LENGTH), first = text_of(2, LENGTH);
    assert_int_equal(answer(e, &last, NULL), PAGES * PAGE);
    assert_int_equal(answer(e, &first, NULL), 0);
    pith_engine_free(e);
    e = engine_at(folder, each / 2); // not one fits; what is there goes
    assert_int_equal(files_in(folder).n, 0);
    answer(e, &last, NULL);
    assert_ok(pith_engine_save_cache(e, &err));
    assert_int_equal(files_in(folder).n, 0);
    pith_engine_free(e);
}

/* Pages that memory has no room for go to the folder and come back. */
static void evicted_pages_come_back(void **state)
{
    (void)state;
    need_model();
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 6 * PAGE;
    plan.kv_type = "f32";
    assert_ok(pith_model_plan(model, &plan, &err));
    pith_engine_options o = engine_options(512);
    o.kv_dir = test_temp("evicted");
    o.kv_bytes = plan.kv_bytes; // six pages
    pith_engine *e = engine_with(o);
    static said first[4], again;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 4; i++) {
            ids text = text_of(20 + (uint64_t)i, LENGTH);
            int64_t found = answer(e, &text, round == 0 ? &first[i] : &again);
            assert_int_equal(found, round == 0 ? 0 : PAGES * PAGE);
            assert_true(info_of(e).kv_bytes <= plan.kv_bytes);
            if (round == 1)
                assert_memory_equal(again.tokens, first[i].tokens, 10 * sizeof again.tokens[0]);
        }
    assert_true(info_of(e).n_disk_loaded >= 12);
    assert_int_equal(info_of(e).n_disk_refused, 0);
    pith_engine_free(e);
}

/* Of a prefix that two sessions computed at once the cache has one's pages; where room for the next
 * page, which the folder has, costs just that page, the tree stays whole. */
static void the_page_before_may_go_for_the_next(void **state)
{
    (void)state;
    need_model();
    const char *folder = test_temp("next");
    pith_plan plan = PITH_INIT(pith_plan);
    plan.n_ctx = 4 * PAGE;
    plan.kv_type = "f32";
    assert_ok(pith_model_plan(model, &plan, &err));
    ids text = text_of(40, 3 * PAGE), other = text_of(41, 2 * PAGE);
    pith_engine *e = engine_at(folder, 0);
    answer(e, &text, NULL);
    pith_engine_free(e);
    pith_engine_options o = engine_options(512);
    o.kv_dir = folder;
    o.kv_bytes = plan.kv_bytes; // four pages
    o.n_batch = 512;
    e = engine_with(o);
    pith_session *a = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *b = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_session *c = session_of(e, PITH_OVERFLOW_ERROR, 0);
    pith_step_item items[] = {{.session = a, .tokens = text.id, .n = PAGE},
                              {.session = b, .tokens = text.id, .n = PAGE},
                              {.session = c, .tokens = other.id, .n = 2 * PAGE}};
    assert_ok(pith_engine_step(e, items, 3, &err));
    pith_session_free(a); // its page is the one that can go
    assert_ok(pith_session_set(b, text.id, 2 * PAGE, 0, NULL, &err));
    assert_int_equal(info_of(e).cache_tokens, 4 * PAGE);
    assert_int_equal(files_in(folder).n, 3);
    assert_ok(pith_engine_save_cache(e, &err)); // all pages, in the order of their use
    assert_int_equal(files_in(folder).n, 5);
    pith_session_free(b);
    pith_session_free(c);
    pith_engine_free(e);
}

/* A process that writes and evicts without end, killed somewhere. */
static void write_till_killed(const char *folder, uint64_t most_bytes)
{
    pith_engine *e = engine_at(folder, most_bytes);
    for (uint64_t seed = 1;; seed++) {
        ids text = text_of(seed % 6 + 1, LENGTH);
        answer(e, &text, NULL);
        pith_engine_save_cache(e, NULL);
        pith_engine_clear_cache(e, NULL);
    }
}

static void killed_at_any_point(void **state)
{
    (void)state;
    need_model();
    filled("killed"); // sets what is expected
    const char *folder = test_temp("killed-too");
    static said got;
    test_random rng = test_random_start(11);
    for (int round = 0; round < 12; round++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_till_killed(folder, 400000); // some nine pages: they come and go
        struct timespec wait = {.tv_nsec = 20000000 + (long)test_random_below(&rng, 80000000)};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        pith_engine *e = engine_at(folder, 400000);
        ids text = text_of(1, LENGTH);
        answer(e, &text, &got);
        assert_memory_equal(got.tokens, expected.tokens, 10 * sizeof got.tokens[0]);
        assert_int_equal(info_of(e).n_disk_refused, 0);
        pith_engine_free(e);
    }
}

/* A disk that takes no more, by the limit on a file's size. */
static void a_full_disk_is_survived(void **state)
{
    (void)state;
    need_model();
    static said got;
    filled("roomy");
    const char *folder = test_temp("full");
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = before;
    small.rlim_cur = 5000;
    pith_engine *e = engine_at(folder, 0);
    ids text = text_of(1, LENGTH);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    answer(e, &text, &got);
    pith_status st = pith_engine_save_cache(e, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(st, PITH_E_IO);
    assert_non_null(strstr(err.text, "4 pages of the KV cache were not saved"));
    assert_int_equal(info_of(e).n_disk_failed, PAGES);
    assert_int_equal(files_in(folder).n, 0);
    assert_memory_equal(got.tokens, expected.tokens, 10 * sizeof got.tokens[0]);
    pith_engine_free(e);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    need_model();
    pith_engine_options o = engine_options(512);
    pith_engine *e = engine_with(o);
    assert_refused(pith_engine_save_cache(e, &err), PITH_E_ARGUMENT, "kv_dir");
    assert_refused(pith_engine_save_cache(NULL, &err), PITH_E_ARGUMENT, "NULL");
    assert_refused(pith_engine_clear_cache(NULL, &err), PITH_E_ARGUMENT, "NULL");
    pith_engine_free(e);
    o.kv_dir = test_temp("a-file");
    test_write(o.kv_dir, "x", 1);
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_NOT_FOUND, "a-file");
    o.kv_dir = test_temp("none/below");
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_NOT_FOUND, "none/below");
    o.kv_dir = test_temp("fine");
    o.no_prefix_cache = true;
    assert_refused(pith_engine_new(model, &o, &e, &err), PITH_E_ARGUMENT, "no_prefix_cache");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_found),
        cmocka_unit_test(what_is_foreign_is_not),
        cmocka_unit_test(what_is_damaged_is_refused),
        cmocka_unit_test(the_folder_is_bounded),
        cmocka_unit_test(evicted_pages_come_back),
        cmocka_unit_test(killed_at_any_point),
        cmocka_unit_test(the_page_before_may_go_for_the_next),
        cmocka_unit_test(a_full_disk_is_survived),
        cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, close_model);
}
