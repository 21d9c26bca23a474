/* replies: see replies.h. */
#include "replies.h"

#include "base/buf.h"

#include <string.h>

#include <cmocka.h>

void test_syntax_parse(test_syntax *s, const char *source)
{
    pith_error err = {0};
    *s = (test_syntax){0};
    px_arena_init(&s->arena, 0, 0);
    if (px_template_parse("template", source, strlen(source), &s->t, &err) != PITH_OK)
        fail_msg("%s", err.text);
    assert_int_equal(px_reply_syntax_find(s->t, NULL, &s->arena, &s->syntax, &err), PITH_OK);
}

void test_syntax_load(test_syntax *s, const char *file)
{
    test_syntax_parse(s, test_read(test_shared(test_format("templates/%s", file)), NULL));
}

void test_syntax_clear(test_syntax *s)
{
    px_template_free(s->t);
    px_arena_clear(&s->arena);
}

typedef struct line {
    px_buf text;
    int last; // part kind that is open
    bool ids;
} line;

static int put_part(void *user, const pith_part *part)
{
    line *l = user;
    assert_int_equal(part->size, sizeof *part);
    if ((int)part->kind != l->last &&
        (l->last == PITH_PART_CONTENT || l->last == PITH_PART_REASONING))
        px_buf_putc(&l->text, ')');
    switch (part->kind) {
    case PITH_PART_CONTENT:
    case PITH_PART_REASONING:
        if ((int)part->kind != l->last)
            px_buf_puts(&l->text, part->kind == PITH_PART_CONTENT ? "C(" : "R(");
        break;
    case PITH_PART_CALL:
        px_buf_printf(&l->text, l->ids ? "F(%s#%s)" : "F(%s)", part->name, part->id);
        break;
    case PITH_PART_ARGUMENTS:
        break;
    case PITH_PART_CALL_END:
        px_buf_putc(&l->text, '.');
        break;
    }
    px_buf_put(&l->text, part->text, part->len);
    l->last = (int)part->kind;
    return 0;
}

const char *test_reply_line(const px_reply_syntax *syntax, const test_reading *how,
                            const char *answer, size_t piece)
{
    static const px_str names[] = {{"get_weather", 11}, {"add", 3}, {"now", 3}};
    px_reply_setup setup = how ? how->setup : (px_reply_setup){0};
    setup.syntax = syntax;
    setup.names = names;
    setup.n_names = 3;
    px_reply *r = NULL;
    pith_error err = {0};
    line l = {.last = -1, .ids = how && how->ids};
    size_t n = strlen(answer);
    assert_int_equal(px_reply_new(&setup, &r, &err), PITH_OK);
    for (size_t i = 0; i < n; i += piece ? piece : n) {
        size_t m = piece && n - i > piece ? piece : n - i;
        assert_int_equal(px_reply_push(r, answer + i, m, put_part, &l, &err), PITH_OK);
    }
    assert_int_equal(px_reply_finish(r, put_part, &l, &err), PITH_OK);
    if (l.last == PITH_PART_CONTENT || l.last == PITH_PART_REASONING)
        px_buf_putc(&l.text, ')');
    px_reply_free(r);
    const char *made = test_format("%s", l.text.data ? l.text.data : "");
    px_buf_clear(&l.text);
    return made;
}

void test_reads(const px_reply_syntax *syntax, const test_reading *how, const char *answer,
                const char *expected)
{
    static const size_t pieces[] = {0, 1, 2, 3, 7};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        assert_string_equal(test_reply_line(syntax, how, answer, pieces[i]), expected);
}
