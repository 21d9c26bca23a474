/* error: the first cause wins, sentences are safe to print, reasons are never pushed out. */
#include "support/support.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

#include <cmocka.h>

static void statuses_have_texts_and_codes(void **state)
{
    (void)state;
    static const struct {
        pith_status status;
        int value, exit_code, http;
        const char *text;
    } rows[] = {
#define ROW(name, value, text, exit_code, http) {name, value, exit_code, http, text},
        PITH_STATUS_LIST(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(rows[i].status, rows[i].value);
        assert_int_equal(rows[i].value, -(int)i);
        assert_string_equal(pith_status_text(rows[i].status), rows[i].text);
        assert_int_equal(pith_status_exit_code(rows[i].status), rows[i].exit_code);
        assert_int_equal(pith_status_http(rows[i].status), rows[i].http);
        assert_true((rows[i].exit_code == 0) == (i == 0));
        assert_in_range(rows[i].exit_code, 0, 255);
    }
    assert_string_equal(pith_status_text((pith_status)-99), "unknown status");
    assert_int_equal(pith_status_exit_code((pith_status)-99), 70);
    assert_int_equal(pith_status_http((pith_status)-99), 500);
    /* Exit codes are promised to scripts: these must never change. */
    assert_int_equal(pith_status_exit_code(PITH_E_ARGUMENT), 2);
    assert_int_equal(pith_status_exit_code(PITH_E_NOT_FOUND), 3);
    assert_int_equal(pith_status_exit_code(PITH_E_FORMAT), 4);
}

static void the_first_cause_wins(void **state)
{
    (void)state;
    pith_error err = {0};
    assert_int_equal(px_fail(&err, PITH_E_FORMAT, "key '%s' has %d", "a", 7), PITH_E_FORMAT);
    assert_int_equal(px_fail(&err, PITH_E_IO, "later"), PITH_E_FORMAT);
    assert_int_equal(px_fail_memory(&err, "more"), PITH_E_FORMAT);
    assert_int_equal(px_fail_errno(&err, ENOENT, "later"), PITH_E_FORMAT);
    assert_int_equal(err.status, PITH_E_FORMAT);
    assert_string_equal(err.text, "key 'a' has 7");
    px_prefix(&err, "file '%s'", "x.gguf");
    assert_int_equal(err.status, PITH_E_FORMAT);
    assert_string_equal(err.text, "file 'x.gguf': key 'a' has 7");
    px_error_clear(&err);
    assert_int_equal(err.status, PITH_OK);
    assert_string_equal(err.text, "");
    px_prefix(&err, "file");
    assert_int_equal(err.status, PITH_OK);
    assert_string_equal(err.text, "");
}

static void no_error_wanted(void **state)
{
    (void)state;
    px_error_clear(NULL);
    assert_int_equal(px_fail(NULL, PITH_E_BUSY, "x"), PITH_E_BUSY);
    assert_int_equal(px_fail_errno(NULL, EACCES, "x"), PITH_E_DENIED);
    assert_int_equal(px_fail_memory(NULL, "x"), PITH_E_MEMORY);
    px_prefix(NULL, "x");
}

static void errno_picks_the_status(void **state)
{
    (void)state;
    static const struct {
        int code;
        pith_status status;
        const char *text;
    } rows[] = {
        {ENOENT, PITH_E_NOT_FOUND, "cannot open 'x': No such file or directory"},
        {ENOTDIR, PITH_E_NOT_FOUND, "cannot open 'x': Not a directory"},
        {EACCES, PITH_E_DENIED, "cannot open 'x': Permission denied"},
        {EPERM, PITH_E_DENIED, "cannot open 'x': Operation not permitted"},
        {ENOMEM, PITH_E_MEMORY, "cannot open 'x': Cannot allocate memory"},
        {ENOSPC, PITH_E_IO, "cannot open 'x': No space left on device"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pith_error err = {0};
        assert_int_equal(px_fail_errno(&err, rows[i].code, "cannot open '%s'", "x"),
                         rows[i].status);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void sentences_are_safe_to_print(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain caf\xc3\xa9 \xf0\x9f\x98\x80", "plain caf\xc3\xa9 \xf0\x9f\x98\x80"},
        {"\x1b[31mred\x07\n\t\x7f", "?[31mred????"},
        {"a\xff\xc3 b", "a?? b"}, // bytes that are not UTF-8, amid a sentence
        {"csi \xc2\x9b"
         "31m",
         "csi ?31m"}, // U+009B acts as ESC [
        {"\xe2\x80\xae"
         "gpj.exe",
         "?gpj.exe"},                         // U+202E turns the order of what follows
        {"\xe2\x81\xa6x\xe2\x80\xa8", "?x?"}, // U+2066, U+2028
        {"\xed\xa0\x80", "???"},              // a surrogate
        {"cut \xf0\x9f\x98", "cut "},         // half a character at the end
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pith_error err = {0};
        px_fail(&err, PITH_E_FORMAT, "%s", rows[i].in);
        assert_string_equal(err.text, rows[i].out);
    }
}

static void long_names_do_not_hide_the_reason(void **state)
{
    (void)state;
    char name[3001];
    for (size_t i = 0; i < 3000; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    name[3000] = '\0';
    for (int shift = 0; shift < 2; shift++) { // the cut falls on both bytes of a character
        pith_error err = {0};
        px_fail_errno(&err, ENOENT, "%s%s", shift ? "x" : "", name);
        assert_true(strlen(err.text) >= sizeof err.text - 3);
        const char *end = "\xc3\xa9...: No such file or directory";
        assert_string_equal(err.text + strlen(err.text) - strlen(end), end);
        px_prefix(&err, "%s%s", shift ? "x" : "", name);
        assert_non_null(strstr(err.text, "\xc3\xa9...: "));
        assert_null(strchr(err.text, '?'));
        assert_true(strlen(err.text) >= sizeof err.text - 3);
    }
    pith_error err = {0};
    px_fail(&err, PITH_E_FORMAT, "the cause");
    px_prefix(&err, "%s", name);
    assert_string_equal(err.text + strlen(err.text) - 14, "...: the cause");
    err = (pith_error){0};
    px_fail(&err, PITH_E_FORMAT, "%s", name);
    assert_string_equal(err.text + strlen(err.text) - 5, "\xc3\xa9...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_have_texts_and_codes),
        cmocka_unit_test(the_first_cause_wins),
        cmocka_unit_test(no_error_wanted),
        cmocka_unit_test(errno_picks_the_status),
        cmocka_unit_test(sentences_are_safe_to_print),
        cmocka_unit_test(long_names_do_not_hide_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
