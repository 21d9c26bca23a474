/* file: maps, whole reads, and outputs that replace a file whole or not at all. */
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int entries(const char *folder)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static const char *fresh_folder(const char *name)
{
    const char *folder = test_temp(name);
    assert_int_equal(mkdir(folder, 0777), 0);
    return folder;
}

static void tells_kinds(void **state)
{
    (void)state;
    const char *folder = fresh_folder("kinds");
    const char *file = test_format("%s/file", folder), *fifo = test_format("%s/fifo", folder),
               *link = test_format("%s/link", folder), *lost = test_format("%s/lost", folder);
    test_write(file, "x", 1);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(symlink("nothing", lost), 0);
    assert_int_equal(px_file_kind_of(file), PX_FILE_REGULAR);
    assert_int_equal(px_file_kind_of(link), PX_FILE_REGULAR);
    assert_int_equal(px_file_kind_of(folder), PX_FILE_FOLDER);
    assert_int_equal(px_file_kind_of(fifo), PX_FILE_OTHER);
    assert_int_equal(px_file_kind_of(lost), PX_FILE_NONE);
    assert_int_equal(px_file_kind_of(""), PX_FILE_NONE);
}

static void maps_and_reads(void **state)
{
    (void)state;
    const char *path = test_temp("map"), *empty = test_temp("empty");
    test_write(path, "hello\0world", 11);
    test_write(empty, NULL, 0);
    px_map map;
    assert_int_equal(px_map_open(path, &map, NULL), PITH_OK);
    assert_int_equal(map.size, 11);
    assert_memory_equal(map.data, "hello\0world", 11);
    px_map_close(&map);
    assert_null(map.data);
    px_map_close(&map);
    assert_int_equal(px_map_open(empty, &map, NULL), PITH_OK);
    assert_int_equal(map.size, 0);
    px_map_close(&map);

    px_buf buf = {0};
    assert_true(px_buf_puts(&buf, "> "));
    assert_int_equal(px_file_read(path, 11, &buf, NULL), PITH_OK);
    assert_int_equal(buf.len, 13);
    assert_memory_equal(buf.data, "> hello\0world", 14);
    pith_error err = {0};
    assert_int_equal(px_file_read(path, 10, &buf, &err), PITH_E_LIMIT);
    assert_string_equal(err.text, test_format("'%s' has 11 bytes, expected at most 10", path));
    assert_int_equal(buf.len, 13);
    assert_int_equal(px_file_read(empty, 0, &buf, NULL), PITH_OK);
    assert_int_equal(buf.len, 13);
    px_buf_clear(&buf);
    buf = (px_buf){.limit = 5};
    assert_int_equal(px_file_read(path, 100, &buf, NULL), PITH_E_LIMIT);
    px_buf_clear(&buf);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    const char *folder = fresh_folder("odd");
    const char *fifo = test_format("%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    struct {
        const char *path, *text;
        pith_status status;
    } rows[] = {
        {folder, "is a folder, expected a regular file", PITH_E_ARGUMENT},
        {fifo, "is not a file, expected a regular file", PITH_E_ARGUMENT}, // and does not hang
        {"/dev/null", "is not a file, expected a regular file", PITH_E_ARGUMENT},
        {test_temp("nothing"), "No such file or directory", PITH_E_NOT_FOUND},
        {"/dev/null/x", "Not a directory", PITH_E_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        px_map map;
        px_buf buf = {0};
        pith_error err = {0};
        assert_int_equal(px_map_open(rows[i].path, &map, &err), rows[i].status);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_non_null(strstr(err.text, rows[i].path));
        assert_null(map.data);
        err = (pith_error){0};
        assert_int_equal(px_file_read(rows[i].path, 100, &buf, &err), rows[i].status);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_null(buf.data);
    }
}

static void replaces_whole(void **state)
{
    (void)state;
    const char *folder = fresh_folder("replace");
    const char *path = test_format("%s/out", folder);
    assert_int_equal(px_file_replace(path, "one", 3, NULL), PITH_OK);
    assert_string_equal(test_read(path, NULL), "one");
    assert_int_equal(chmod(path, 0600), 0);
    px_out out;
    assert_int_equal(px_out_open(path, &out, NULL), PITH_OK);
    assert_int_equal(px_out_write(&out, "two", 3, NULL), PITH_OK);
    assert_int_equal(px_out_pad(&out, 8, NULL), PITH_OK);
    assert_int_equal(px_out_pad(&out, 8, NULL), PITH_OK);
    assert_int_equal(out.written, 8);
    assert_int_equal(px_out_write(&out, "!", 1, NULL), PITH_OK);
    assert_int_equal(px_out_pad(&out, 4096, NULL), PITH_OK);
    assert_string_equal(test_read(path, NULL), "one"); // until commit
    assert_int_equal(entries(folder), 2);
    assert_int_equal(px_out_commit(&out, NULL), PITH_OK);
    px_out_abort(&out);
    assert_int_equal(entries(folder), 1);
    size_t n = 0;
    const char *text = test_read(path, &n);
    assert_int_equal(n, 4096);
    assert_memory_equal(text, "two\0\0\0\0\0!\0", 10);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); // a private file stays private
}

static void abort_leaves_the_old_one(void **state)
{
    (void)state;
    const char *folder = fresh_folder("abort");
    const char *path = test_format("%s/out", folder);
    test_write(path, "old", 3);
    px_out out, twin;
    assert_int_equal(px_out_open(path, &out, NULL), PITH_OK);
    assert_int_equal(px_out_open(path, &twin, NULL), PITH_OK);
    assert_string_not_equal(out.partial, twin.partial);
    assert_int_equal(px_out_write(&out, "new", 3, NULL), PITH_OK);
    px_out_abort(&out);
    px_out_abort(&out);
    px_out_abort(&twin);
    assert_string_equal(test_read(path, NULL), "old");
    assert_int_equal(entries(folder), 1);
    px_out never = {0};
    px_out_abort(&never); // must not close descriptor 0
    assert_true(dup2(0, 0) == 0);
}

static void follows_links_and_spares_devices(void **state)
{
    (void)state;
    const char *folder = fresh_folder("links");
    const char *real = test_format("%s/real", folder), *link = test_format("%s/link", folder),
               *lost = test_format("%s/lost", folder), *fifo = test_format("%s/fifo", folder);
    test_write(real, "old", 3);
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(symlink("nothing", lost), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(px_file_replace(link, "new", 3, NULL), PITH_OK);
    assert_string_equal(test_read(real, NULL), "new");
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    struct {
        const char *path, *text;
        pith_status status;
    } rows[] = {
        {"/dev/null", "is not a file, expected a regular file or a new name", PITH_E_ARGUMENT},
        {fifo, "is not a file", PITH_E_ARGUMENT},
        {folder, "is a folder", PITH_E_ARGUMENT},
        {lost, "cannot follow the link", PITH_E_NOT_FOUND},
        {test_format("%s/no/out", folder), "No such file or directory", PITH_E_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pith_error err = {0};
        assert_int_equal(px_file_replace(rows[i].path, "x", 1, &err), rows[i].status);
        assert_non_null(strstr(err.text, rows[i].text));
    }
    assert_int_equal(entries(folder), 4);
    assert_int_equal(lstat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

/* A file size limit stands in for a full disk: write(2) fails after a part was written. */
static void a_full_disk_leaves_the_old_one(void **state)
{
    (void)state;
    const char *folder = fresh_folder("full");
    const char *path = test_format("%s/out", folder);
    test_write(path, "old", 3);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1 << 20;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    char *bytes = calloc(1, 3 << 20);
    pith_error err = {0};
    px_out out;
    pith_status opened = px_out_open(path, &out, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    pith_status written = px_out_write(&out, bytes, 3 << 20, &err);
    px_out_abort(&out);
    pith_status replaced = px_file_replace(path, bytes, 3 << 20, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(opened, PITH_OK);
    assert_int_equal(written, PITH_E_IO);
    assert_string_equal(err.text,
                        test_format("cannot write '%s' after 1048576 bytes: File too large", path));
    assert_int_equal(replaced, PITH_E_IO);
    assert_string_equal(test_read(path, NULL), "old");
    assert_int_equal(entries(folder), 1);
    free(bytes);
}

static void commit_reports_a_target_that_became_a_folder(void **state)
{
    (void)state;
    const char *folder = fresh_folder("became");
    const char *path = test_format("%s/out", folder);
    px_out out;
    assert_int_equal(px_out_open(path, &out, NULL), PITH_OK);
    assert_int_equal(mkdir(path, 0777), 0);
    pith_error err = {0};
    assert_int_equal(px_out_commit(&out, &err), PITH_E_IO);
    assert_non_null(strstr(err.text, "cannot rename '"));
    assert_int_equal(entries(folder), 1);
}

static void joins_paths(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}, {"a", "", "a/"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        px_buf buf = {0};
        assert_true(px_path_join(&buf, rows[i][0], rows[i][1]));
        assert_string_equal(buf.data, rows[i][2]);
        px_buf_clear(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_kinds),
        cmocka_unit_test(maps_and_reads),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(replaces_whole),
        cmocka_unit_test(abort_leaves_the_old_one),
        cmocka_unit_test(follows_links_and_spares_devices),
        cmocka_unit_test(a_full_disk_leaves_the_old_one),
        cmocka_unit_test(commit_reports_a_target_that_became_a_folder),
        cmocka_unit_test(joins_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
