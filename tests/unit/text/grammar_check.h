/* grammar_check: what the tests of grammars share: a text is of a grammar, or a grammar is refused
 * with a sentence. */
#ifndef TEST_TEXT_GRAMMAR_CHECK_H
#define TEST_TEXT_GRAMMAR_CHECK_H

#include "support/support.h"
#include "text/grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline px_grammar *make_grammar(px_grammar_kind kind, const char *text)
{
    px_grammar *g;
    pith_error err = {0};
    if (px_grammar_new(NULL, kind, "test", px_str_of(text), &g, &err) != PITH_OK)
        fail_msg("%s: %s", text, err.text);
    return g;
}

/* Whether the text is whole; *n is how much of it could begin one that is. */
static inline bool is_of(const px_grammar *g, const char *text, size_t *n)
{
    px_gmatch m;
    pith_error err = {0};
    if (px_gmatch_init(&m, g, true, &err) != PITH_OK ||
        px_gmatch_bytes(&m, px_str_of(text), n, &err) != PITH_OK)
        fail_msg("%s: %s", text, err.text);
    bool whole = *n == strlen(text) && px_gmatch_whole(&m);
    px_gmatch_clear(&m);
    return whole;
}

/* Texts, each followed by how it fares: '+' it is of the grammar, '-' it is not, '~' it is not and
 * could become so. The list ends with NULL. */
static inline void check_grammar(px_grammar_kind kind, const char *grammar,
                                 const char *const *texts)
{
    px_grammar *g = make_grammar(kind, grammar);
    for (; *texts; texts++) {
        size_t n, len = strlen(*texts + 1);
        bool whole = is_of(g, *texts + 1, &n);
        char got = whole ? '+' : n == len ? '~' : '-';
        if (got != **texts)
            fail_msg("%s: '%s' is '%c' (%zu bytes), expected '%c'", grammar, *texts + 1, got, n,
                     **texts);
    }
    px_grammar_free(g);
}

static inline void check_refused(px_grammar_kind kind, const char *grammar, pith_status status,
                                 const char *sentence)
{
    px_grammar *g;
    pith_error err = {0};
    pith_status st = px_grammar_new(NULL, kind, "test", px_str_of(grammar), &g, &err);
    assert_null(g);
    if (st != status || err.status != status || !strstr(err.text, sentence))
        fail_msg("%.200s: expected %s with '%s', got %s: %s", grammar, pith_status_text(status),
                 sentence, pith_status_text(st), err.text);
}

#define TEXTS(...)                \
    (const char *const[])         \
    {                             \
        __VA_ARGS__, (void *)NULL \
    }

#endif
