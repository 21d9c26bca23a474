/*
 * support: what tests share. Paths of files, a temporary folder, running a program, repeatable
 * random numbers.
 *
 * Strings that these functions return live until the test program ends. Where something cannot be
 * done the test case fails there and then, by cmocka's means. One thread.
 */
#ifndef PITH_TESTS_SUPPORT_H
#define PITH_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What cmocka.h needs before it, so that a test includes this file first and cmocka.h after it. */
#include <setjmp.h>
#include <stdarg.h>

/* Whether this program runs in a sanitizer, which makes it many times slower: long tests take less
 * there, of sizes, not of kinds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

/* The path of a file in the source tree: test_source("tests/golden/x.json"). */
const char *test_source(const char *name);

/* The path of a file of the shared folder: test_shared("models/stories260K.gguf"). Skips the test
 * case when the whole folder is missing; a missing file in a folder that is there is a failure. */
const char *test_shared(const char *name);

/* A path inside this program's temporary folder, which is made at the first call and removed when
 * the program ends. */
const char *test_temp(const char *name);

/* A copy of the formatted text, for paths and names. */
const char *test_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Room for a string of n bytes and a zero byte, all zeros. */
char *test_keep(size_t n);

/* The whole file, with a zero byte behind it; *n (may be NULL) is its size. */
char *test_read(const char *path, size_t *n);
void test_write(const char *path, const void *bytes, size_t n);
bool test_exists(const char *path);

/* ---- programs */

typedef struct test_command {
    const char *const
        *args;         // [.., NULL]: args[0] is the program, looked up in PATH without a slash
    const void *input; // standard input; NULL is empty
    size_t input_bytes;
    const char *const *env; // [.., NULL]: "NAME=VALUE" set, "NAME" unset, on top of ours; or NULL
    const char *folder;     // working folder, or NULL
    int timeout_ms;         // 0: 60 seconds; then the program is killed
} test_command;

typedef struct test_result {
    int exit_code; // -1 when a signal ended it
    int signal;    // 0 when it exited by itself
    bool timed_out;
    char *out; // standard output, with a zero byte behind it
    size_t out_bytes;
    char *err;
    size_t err_bytes;
} test_result;

test_result test_run(const test_command *command);

/* Runs the program pith with these arguments, the last one NULL, and this text as standard input
 * (NULL: empty). */
test_result test_pith(const char *input, ...) __attribute__((sentinel));

/* The path of the program pith that this build made. */
const char *test_pith_program(void);

/* ---- random numbers: the same everywhere for a seed */

typedef struct test_random {
    uint64_t state;
} test_random;

/* Starts from PITH_TEST_SEED, or else from `seed`, and writes the seed to standard error. */
test_random test_random_start(uint64_t seed);
uint64_t test_random_u64(test_random *r);
/* 0 <= result < n; n at least 1. */
uint64_t test_random_below(test_random *r, uint64_t n);
/* 0 <= result < 1 */
double test_random_unit(test_random *r);
/* Mean 0, standard deviation 1. */
double test_random_normal(test_random *r);
/* A character: a Unicode scalar value, of ASCII, Latin, other scripts, emoji, control characters
 * and the whole range in turn. Never a surrogate. */
uint32_t test_random_char(test_random *r);
void test_random_bytes(test_random *r, void *out, size_t n);

#endif
