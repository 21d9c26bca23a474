/* grammar_gbnf: what the notation means, what is refused and how, and that nothing hostile costs
 * much. */
#include "grammar_check.h"

static void gbnf(const char *grammar, const char *const *texts)
{
    check_grammar(PX_GRAMMAR_GBNF, grammar, texts);
}

static void refused(const char *grammar, pith_status status, const char *sentence)
{
    check_refused(PX_GRAMMAR_GBNF, grammar, status, sentence);
}

static void texts_and_rules(void **state)
{
    (void)state;
    gbnf("root ::= \"yes\" | \"no\"", TEXTS("+yes", "+no", "~y", "~", "-yes!", "-maybe"));
    gbnf("root ::= a b # comment\na ::= \"x\"\n\nb ::=\n  \"y\"\n | \"z\"\n",
         TEXTS("+xy", "+xz", "~x", "-y"));
    gbnf("root ::= \"a\" (\"b\" | \"c\" \"d\")? \"e\"", TEXTS("+ae", "+abe", "+acde", "-ace"));
    gbnf("root ::= \"\\n\\t\\\"\\\\\\x41\\u00e4\\U0001f600\"",
         TEXTS("+\n\t\"\\A\xc3\xa4\xf0\x9f\x98\x80"));
    gbnf("root ::= \"\\xff\"", TEXTS("+\xff", "-\xc3\xbf"));
    gbnf("root ::= ", TEXTS("+", "-a"));
    gbnf("root ::= \"\" \"a\"", TEXTS("+a", "~"));
}

static void sets(void **state)
{
    (void)state;
    gbnf("root ::= [a-c0-]", TEXTS("+a", "+c", "+0", "+-", "-d"));
    gbnf("root ::= [^a-c]", TEXTS("-a", "+d", "+\n", "+\xc3\xa4", "+\xf4\x8f\xbf\xbf"));
    gbnf("root ::= .", TEXTS("+a", "+\xe2\x82\xac", "-\x80", "-\xed\xa0\x80", "-\xc0\x80",
                             "-\xf4\x90", "~\xe2\x82"));
    gbnf("root ::= [\xce\xb1-\xcf\x89]", TEXTS("+\xce\xb1", "+\xcf\x89", "-\xce\xb0", "-\xcf\x8a"));
    gbnf("root ::= [\\]\\\\\\-]", TEXTS("+]", "+\\", "+-", "-a"));
    gbnf("root ::= [\\u0100-\\U00010fff]",
         TEXTS("+\xc4\x80", "+\xf0\x90\xbf\xbf", "-\xc3\xbf", "-\xf0\x91\x80", "+\xee\x80\x80",
               "+\xed\x9f\xbf"));
}

static void repetitions(void **state)
{
    (void)state;
    gbnf("root ::= \"a\"*", TEXTS("+", "+a", "+aaaa", "-b"));
    gbnf("root ::= \"a\"+ \"b\"?", TEXTS("~", "+a", "+ab", "-abb"));
    gbnf("root ::= \"a\"{2}", TEXTS("~a", "+aa", "-aaa"));
    gbnf("root ::= \"a\"{2,3}", TEXTS("~a", "+aa", "+aaa", "-aaaa"));
    gbnf("root ::= \"a\"{ 2 , 3 }", TEXTS("~a", "+aa", "+aaa", "-aaaa"));
    gbnf("root ::= \"a\"{ 2 , }", TEXTS("~a", "+aa", "+aaaaa"));
    gbnf("root ::= \"a\"{2,}", TEXTS("~a", "+aa", "+aaaaa"));
    gbnf("root ::= \"a\"{,2} \"b\"", TEXTS("+b", "+aab", "-aaab"));
    gbnf("root ::= \"a\"{0,0} \"b\"", TEXTS("+b", "-ab"));
    gbnf("root ::= (\"a\" | \"b\" \"c\"){5,20} \"!\"",
         TEXTS("~aaaa", "+aaaaa!", "-aaaa!", "+bcabcabca!", "+aaaaaaaaaaaaaaaaaaaa!",
               "-aaaaaaaaaaaaaaaaaaaaa"));
    gbnf("root ::= (\"a\"? \"b\"*)* \"c\"", TEXTS("+c", "+abbac", "-d"));
    gbnf("root ::= (\"a\"*)* (\"\")*", TEXTS("+", "+aaa", "-b"));
    gbnf("root ::= (\"a\"?){3}", TEXTS("+", "+a", "+aaa", "-aaaa"));
}

static void recursion(void **state)
{
    (void)state;
    gbnf("root ::= \"(\" root \")\" | \"\"", TEXTS("+", "+()", "+((()))", "~((", "-())"));
    gbnf("root ::= item (\",\" root)?\nitem ::= [a-z]", TEXTS("+a", "+a,b,c", "~a,", "-,"));
    gbnf("root ::= root \"+\" t | t\nt ::= t \"*\" f | f\nf ::= \"(\" root \")\" | [0-9]",
         TEXTS("+1", "+1+2*3", "+(1+2)*3", "~(1", "-+", "~1+"));
    gbnf("root ::= root root | \"a\"", TEXTS("~", "+a", "+aaaaaaaaaaaa", "-b"));
    gbnf("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"\"",
         TEXTS("+", "+aabc", "+aaacbc", "-aad", "-abc"));
    gbnf("root ::= x \"!\"\nx ::= y y\ny ::= z | \"\"\nz ::= \"b\" x?", TEXTS("+!", "+bbb!", "~b"));
    gbnf("root ::= a | \"k\"\na ::= \"x\" a", TEXTS("+k", "-x")); // what cannot end is no beginning
}

static void untils(void **state)
{
    (void)state;
    gbnf("root ::= until(\"</t>\") \"</t>\" [0-9]",
         TEXTS("+</t>1", "+ab<c</t</t>2", "~a<", "~a</t>", "-a</t>b", "+\n\xff</t>3"));
    gbnf("root ::= until(\"ab\", @\"bc\")", TEXTS("+", "+a", "+acb", "-ab", "-xbc", "+b"));
    gbnf("root ::= until(\"aab\") (\"aab\" \"!\")?", TEXTS("+aaa", "+aaaab!", "~aaaab", "-aab?"));
    gbnf("root ::= @\"<call>\" \"x\" @\"</call>\"", TEXTS("+<call>x</call>", "~<ca", "-x"));
}

static void refusals(void **state)
{
    (void)state;
    refused("a ::= \"x\"", PITH_E_FORMAT, "no rule 'root'");
    refused("root ::= b", PITH_E_FORMAT, "'b' is used and not defined");
    refused("root ::= \"a\"\nroot ::= \"b\"", PITH_E_FORMAT,
            "line 2: rule 'root' is defined twice");
    refused("root ::= \"a", PITH_E_FORMAT, "line 1: found the end, expected the closing \"");
    refused("root ::= [a", PITH_E_FORMAT, "expected the closing ]");
    refused("root ::= (\"a\"", PITH_E_FORMAT, "expected ')'");
    refused("root ::= \"a\")", PITH_E_FORMAT, "expected a ( before");
    refused("root ::= \"a\n\"", PITH_E_FORMAT, "line 1");
    refused("\n\nroot ::= *", PITH_E_FORMAT, "line 3: found '*'");
    refused("root ::= \"\\q\"", PITH_E_FORMAT, "an escape");
    refused("root ::= \"\\ud800\"", PITH_E_FORMAT, "the code of a character");
    refused("root ::= [b-a]", PITH_E_FORMAT, "a range");
    refused("root ::= \"a\"{3,2}", PITH_E_FORMAT, "greatest number");
    refused("root ::= \"a\"{ }", PITH_E_FORMAT, "found '}', expected a number of times");
    refused("root ::= until()", PITH_E_FORMAT, "double quotes");
    refused("root ::= until(\"\")", PITH_E_FORMAT, "not empty");
    refused("root ::= a\na ::= b \"x\" | \"z\"\nb ::= \"\" a", PITH_E_FORMAT, "left recursion");
    refused("root ::= \"a\" root", PITH_E_FORMAT, "no text is of this grammar");
    refused("root ::= [^\\U00000000-\\U0010ffff]", PITH_E_FORMAT, "no text is of this grammar");
    refused("root ::= \"a\"{1000000}", PITH_E_LIMIT, "1000000");
    refused("root ::= (\"a\"{1000} \"b\"){5000,5001} [a-z]{599999}", PITH_E_LIMIT, "states");
}

static char *repeated(const char *head, const char *part, size_t n, const char *tail)
{
    char *text = test_keep(strlen(head) + n * strlen(part) + strlen(tail));
    char *at = stpcpy(text, head);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, part);
    stpcpy(at, tail);
    return text;
}

static void hostile(void **state)
{
    (void)state;
    refused(repeated("root ::= ", "(", 300, "\"a\""), PITH_E_LIMIT, "brackets");
    px_grammar *g = make_grammar(PX_GRAMMAR_GBNF, "root ::= ((\"a\"{100}){100}){100}");
    size_t n;
    assert_false(is_of(g, "aaaa", &n));
    assert_int_equal(n, 4);
    px_grammar_free(g);
    /* 2^30 ways to begin, and to read each text. */
    char *text = test_keep(10000), *at = text;
    at += sprintf(at, "root ::= r0\n");
    for (int i = 0; i < 30; i++)
        at += sprintf(at, "r%d ::= r%d \"x\" | r%d \"y\"\n", i, i + 1, i + 1);
    sprintf(at, "r30 ::= \"a\"\n");
    g = make_grammar(PX_GRAMMAR_GBNF, text);
    assert_true(is_of(g, repeated("a", "xy", 15, ""), &n));
    px_grammar_free(g);
    g = make_grammar(PX_GRAMMAR_GBNF, "root ::= s \"b\"?\ns ::= \"a\" | \"aa\" | s s");
    assert_true(is_of(g, repeated("", "a", 300, "b"), &n));
    px_grammar_free(g);
    g = make_grammar(PX_GRAMMAR_GBNF, "root ::= \"(\" root \")\" | \"\"");
    assert_true(is_of(g, repeated(repeated("", "(", 50000, ""), ")", 50000, ""), &n));
    px_grammar_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_rules), cmocka_unit_test(sets),   cmocka_unit_test(repetitions),
        cmocka_unit_test(recursion),       cmocka_unit_test(untils), cmocka_unit_test(refusals),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
