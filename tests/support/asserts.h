/*
 * asserts: on calls that return a pith_status. The file that includes this has a `static pith_error
 * err`, to which the calls are given.
 */
#ifndef PITH_TESTS_ASSERTS_H
#define PITH_TESTS_ASSERTS_H

#include "support/support.h"

#include <string.h>

#include <cmocka.h>

/* The call succeeds; otherwise its sentence is shown. */
#define assert_ok(call)                          \
    do {                                         \
        err = (pith_error){0};                   \
        if ((call) != PITH_OK)                   \
            fail_msg("%s: %s", #call, err.text); \
    } while (0)

/* The call fails with that status, and its sentence holds that text. */
#define assert_refused(call, expected, text_in_it)                                               \
    do {                                                                                         \
        err = (pith_error){0};                                                                   \
        pith_status got_ = (call);                                                               \
        if (got_ != (expected) || err.status != (expected) || !strstr(err.text, text_in_it))     \
            fail_msg("%s: expected %s with '%s', got %s: %s", #call, pith_status_text(expected), \
                     text_in_it, pith_status_text(got_), err.text);                              \
    } while (0)

#endif
