/* jinja_tests: what may stand behind `is`; see jbuiltin. Each sets *out to a bool. */
#include "text/jinja_ast.h"

#include "text/jinja_iter.h"
#include "text/jinja_ops.h"
#include "text/jinja_print.h"
#include "text/jinja_text.h"

#define TEST(name) static bool name(jrun *run, jv self, const jv *a, const jargs *more, jv *out)
#define UNUSED     (void)run, (void)self, (void)a, (void)more

/* Tests of the type alone. */
#define TYPE_TEST(name, condition)      \
    TEST(name)                          \
    {                                   \
        UNUSED;                         \
        *out = px_jv_bool((condition)); \
        return true;                    \
    }
TYPE_TEST(is_defined, self.type != JV_UNDEFINED)
TYPE_TEST(is_undefined, self.type == JV_UNDEFINED)
TYPE_TEST(is_none, self.type == JV_NONE)
TYPE_TEST(is_boolean, self.type == JV_BOOL)
TYPE_TEST(is_true, self.type == JV_BOOL && self.b)
TYPE_TEST(is_false, self.type == JV_BOOL && !self.b)
TYPE_TEST(is_integer, self.type == JV_INT)
TYPE_TEST(is_float, self.type == JV_FLOAT)
TYPE_TEST(is_number, px_jv_is_number(self))
TYPE_TEST(is_string, self.type == JV_STR)
TYPE_TEST(is_mapping, self.type == JV_DICT)
TYPE_TEST(is_iterable, px_jv_is_iterable(self) || self.type == JV_LOOP)
TYPE_TEST(is_sequence, self.type == JV_STR || self.type == JV_LIST || self.type == JV_TUPLE ||
                           self.type == JV_DICT || self.type == JV_RANGE ||
                           self.type == JV_UNDEFINED)
TYPE_TEST(is_callable, self.type == JV_MACRO || self.type == JV_FUNCTION ||
                           self.type == JV_METHOD || self.type == JV_LOOP ||
                           self.type == JV_JOINER || self.type == JV_UNDEFINED)
TYPE_TEST(is_escaped, self.type == JV_STR && self.s->markup)
TYPE_TEST(is_sameas, px_jv_same(self, a[0]))

/* Names are looked up in a table, so that what has no hash cannot be asked for. */
static bool is_known(jrun *run, jv self, const jbuiltin *(*find)(const char *, size_t), jv *out)
{
    uint64_t hash;
    *out = px_jv_bool(self.type == JV_STR && find(self.s->data, self.s->len));
    return px_jv_hash(run, self, &hash);
}

TEST(is_filter)
{
    UNUSED;
    return is_known(run, self, px_jinja_find_filter, out);
}

TEST(is_test)
{
    UNUSED;
    return is_known(run, self, px_jinja_find_test, out);
}

static bool remainder_is(jrun *run, jv v, jv by, int64_t wanted, jv *out)
{
    jv rest;
    bool same;
    if (!px_jv_math(run, JT_MOD, v, by, &rest) || !px_jv_equal(run, rest, px_jv_int(wanted), &same))
        return false;
    *out = px_jv_bool(same);
    return true;
}

TEST(is_odd)
{
    UNUSED;
    return remainder_is(run, self, px_jv_int(2), 1, out);
}

TEST(is_even)
{
    UNUSED;
    return remainder_is(run, self, px_jv_int(2), 0, out);
}

TEST(is_divisibleby)
{
    UNUSED;
    return remainder_is(run, self, a[0], 0, out);
}

static bool has_class(jrun *run, jv self, jclass which, jv *out)
{
    bool is = false;
    jv text;
    bool ok = px_jv_text(run, self, &text) && px_jtext_is(run, text.s, which, &is);
    *out = px_jv_bool(is);
    return ok;
}

/* The text of an undefined is empty. */
TEST(is_lower)
{
    UNUSED;
    return has_class(run, self, JCLASS_LOWER, out);
}

TEST(is_upper)
{
    UNUSED;
    return has_class(run, self, JCLASS_UPPER, out);
}

TEST(is_in)
{
    UNUSED;
    bool is = false;
    bool ok = px_jv_contains(run, self, a[0], &is);
    *out = px_jv_bool(is);
    return ok;
}

TEST(is_eq)
{
    UNUSED;
    bool is = false;
    bool ok = px_jv_equal(run, self, a[0], &is);
    *out = px_jv_bool(is);
    return ok;
}

TEST(is_ne)
{
    UNUSED;
    bool is = false;
    bool ok = px_jv_equal(run, self, a[0], &is);
    *out = px_jv_bool(!is);
    return ok;
}

#define ORDER_TEST(name, order)                               \
    TEST(name)                                                \
    {                                                         \
        UNUSED;                                               \
        bool is = false;                                      \
        bool ok = px_jv_order(run, (order), self, a[0], &is); \
        *out = px_jv_bool(is);                                \
        return ok;                                            \
    }
ORDER_TEST(is_lt, JORDER_LT)
ORDER_TEST(is_le, JORDER_LE)
ORDER_TEST(is_gt, JORDER_GT)
ORDER_TEST(is_ge, JORDER_GE)

static const jbuiltin tests[] = {
    {"!=", is_ne, 1, 1, false, {0}},
    {"<", is_lt, 1, 1, false, {0}},
    {"<=", is_le, 1, 1, false, {0}},
    {"==", is_eq, 1, 1, false, {0}},
    {">", is_gt, 1, 1, false, {0}},
    {">=", is_ge, 1, 1, false, {0}},
    {"boolean", is_boolean, 0, 0, false, {0}},
    {"callable", is_callable, 0, 0, false, {0}},
    {"defined", is_defined, 0, 0, false, {0}},
    {"divisibleby", is_divisibleby, 1, 1, false, {"num"}},
    {"eq", is_eq, 1, 1, false, {0}},
    {"equalto", is_eq, 1, 1, false, {0}},
    {"escaped", is_escaped, 0, 0, false, {0}},
    {"even", is_even, 0, 0, false, {0}},
    {"false", is_false, 0, 0, false, {0}},
    {"filter", is_filter, 0, 0, false, {0}},
    {"float", is_float, 0, 0, false, {0}},
    {"ge", is_ge, 1, 1, false, {0}},
    {"greaterthan", is_gt, 1, 1, false, {0}},
    {"gt", is_gt, 1, 1, false, {0}},
    {"in", is_in, 1, 1, false, {"seq"}},
    {"integer", is_integer, 0, 0, false, {0}},
    {"iterable", is_iterable, 0, 0, false, {0}},
    {"le", is_le, 1, 1, false, {0}},
    {"lessthan", is_lt, 1, 1, false, {0}},
    {"lower", is_lower, 0, 0, false, {0}},
    {"lt", is_lt, 1, 1, false, {0}},
    {"mapping", is_mapping, 0, 0, false, {0}},
    {"ne", is_ne, 1, 1, false, {0}},
    {"none", is_none, 0, 0, false, {0}},
    {"number", is_number, 0, 0, false, {0}},
    {"odd", is_odd, 0, 0, false, {0}},
    {"sameas", is_sameas, 1, 1, false, {"other"}},
    {"sequence", is_sequence, 0, 0, false, {0}},
    {"string", is_string, 0, 0, false, {0}},
    {"test", is_test, 0, 0, false, {0}},
    {"true", is_true, 0, 0, false, {0}},
    {"undefined", is_undefined, 0, 0, false, {0}},
    {"upper", is_upper, 0, 0, false, {0}},
};

const jbuiltin *px_jinja_find_test(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strlen(tests[i].name) == len && memcmp(tests[i].name, name, len) == 0)
            return &tests[i];
    return NULL;
}
