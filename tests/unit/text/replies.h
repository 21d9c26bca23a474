/*
 * replies: what the tests of replies share: the syntax of a template, and an answer read in pieces
 * of any size as one line of text:
 *
 *   C(content) R(reasoning) F(name){"a":1}.    "." the call's end; F(name#id) where ids are wanted
 */
#ifndef PITH_TESTS_REPLIES_H
#define PITH_TESTS_REPLIES_H

#include "support/support.h"
#include "text/reply.h"

typedef struct test_syntax {
    px_arena arena;
    px_template *t;
    px_reply_syntax syntax;
} test_syntax;

/* Of a template's source; name stands in messages. */
void test_syntax_parse(test_syntax *s, const char *source);
/* Of a file of the shared folder of templates. */
void test_syntax_load(test_syntax *s, const char *file);
void test_syntax_clear(test_syntax *s);

typedef struct test_reading {
    px_reply_setup setup; // syntax and names are set by test_reply_line
    bool ids;
} test_reading;

/* The line for an answer that comes in pieces of so many bytes (0: whole). Functions that may be
 * called: get_weather, add, now. */
const char *test_reply_line(const px_reply_syntax *syntax, const test_reading *how,
                            const char *answer, size_t piece);

/* Holds the answer to the line, whole and in pieces of 1, 2, 3 and 7 bytes. */
void test_reads(const px_reply_syntax *syntax, const test_reading *how, const char *answer,
                const char *line);

#endif
