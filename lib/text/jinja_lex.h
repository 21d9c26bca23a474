/*
 * jinja_lex: the source of a template as a stream of tokens, white space control applied.
 *
 * Dialect: the default delimiters, trim_blocks and lstrip_blocks on, one newline at the end of the
 * source dropped, \r\n and \r read as \n. Tokens are made when asked for, one ahead, so that the
 * depth limit of the parser also bounds what the lexer keeps.
 *
 * A jbuild is what lexer, parser and scopes share while a template is made: the arena that will be
 * the template's, the interned strings and the failure. One thread.
 */
#ifndef PX_TEXT_JINJA_LEX_H
#define PX_TEXT_JINJA_LEX_H

#include "text/jinja_value.h"

/* An interned string: equal texts are one object, with `chars` and `hash` filled in. */
typedef struct jname {
    jstr str;
    struct jbinding *bound; // while scopes are worked out: what the name means here, or NULL
} jname;

typedef struct jbuild {
    px_arena *arena;
    pith_error *err;
    const char *name; // of the template
    uint64_t seed;
    jname **names; // by hash, NULL for free
    uint32_t n_names, cap_names;
} jbuild;

/* Records "NAME: line N: ..." as TEMPLATE or LIMIT; returns false. */
bool px_jbuild_fail(jbuild *b, uint32_t line, const char *fmt, ...) PX_PRINTF(3, 4);
bool px_jbuild_over(jbuild *b, uint32_t line, const char *fmt, ...) PX_PRINTF(3, 4);
/* Zeroed; NULL after recording MEMORY or LIMIT. */
void *px_jbuild_alloc(jbuild *b, size_t n, size_t size);
/* The interned copy of a text; NULL after recording MEMORY or LIMIT. */
jname *px_jbuild_intern(jbuild *b, const char *text, size_t len);

typedef enum jtok {
    JT_EOF,
    JT_DATA, // text of the template: value
    JT_BLOCK_BEGIN,
    JT_BLOCK_END,
    JT_VAR_BEGIN,
    JT_VAR_END,
    JT_NAME,    // name
    JT_STRING,  // name
    JT_INTEGER, // value
    JT_FLOAT,   // value
    JT_ADD,
    JT_SUB,
    JT_MUL,
    JT_DIV,
    JT_FLOORDIV,
    JT_MOD,
    JT_POW,
    JT_TILDE,
    JT_EQ,
    JT_NE,
    JT_LT,
    JT_LE,
    JT_GT,
    JT_GE,
    JT_ASSIGN,
    JT_DOT,
    JT_COLON,
    JT_PIPE,
    JT_COMMA,
    JT_SEMICOLON,
    JT_LPAREN,
    JT_RPAREN,
    JT_LBRACKET,
    JT_RBRACKET,
    JT_LBRACE,
    JT_RBRACE
} jtok;

typedef struct jtoken {
    jtok type;
    uint32_t line;
    jname *name;
    jv value;
} jtoken;

typedef struct jlex {
    jbuild *build;
    const char *src; // newlines normalised
    size_t len, pos;
    uint32_t line;
    bool line_start; // the last tag ended with a newline, or nothing was read yet
    char mode;       // 0: text, '%': in a block tag, '{': in an expression tag, 'r': in raw text
    char pending;    // the mode whose opening bracket stands at pos, or 0
    int n_open;
    char open[PX_MAX_TEMPLATE_DEPTH + 8]; // brackets not yet closed, by what closes them
    jtoken current, ahead;
    bool has_ahead;
} jlex;

/* Starts on a source (valid UTF-8, lent until the build ends) and reads the first token. */
bool px_jlex_start(jlex *lex, jbuild *build, const char *src, size_t len);
/* Moves to the next token. */
bool px_jlex_next(jlex *lex);
/* Reads the token behind the current one, into lex->ahead. */
bool px_jlex_look(jlex *lex);
/* What a token is called in messages. */
const char *px_jlex_describe(const jtoken *token, char *room, size_t n);

#endif
