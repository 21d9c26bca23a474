/* page: the web page in the program, and who gets it. */
#include "support/support.h"

#include "serve/page.h"

#include <string.h>

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void browsers_want_the_page_and_clients_do_not(void **state)
{
    (void)state;
    assert_true(
        serve_page_wanted("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
    assert_true(serve_page_wanted("application/json;q=0.9, Text/HTML;level=1;q=0.7"));
    assert_true(serve_page_wanted("text/html; q=0.001"));
    assert_false(serve_page_wanted(NULL));
    assert_false(serve_page_wanted(""));
    assert_false(serve_page_wanted("*/*"));
    assert_false(serve_page_wanted("text/*"));
    assert_false(serve_page_wanted("application/json, text/plain"));
    assert_false(serve_page_wanted("text/htmlx"));
    assert_false(serve_page_wanted("text/html;q=0"));
    assert_false(serve_page_wanted("text/html; Q=0.000, */*"));
    assert_false(serve_page_wanted(" , ,;,"));
}

static void the_page_is_whole_and_asks_nobody_else_for_anything(void **state)
{
    (void)state;
    const serve_page *page = serve_page_get();
    char *text = malloc(page->len + 1);
    assert_non_null(text);
    memcpy(text, page->html, page->len);
    text[page->len] = '\0';
    assert_int_equal(strlen(text), page->len);
    assert_int_equal(strncmp(text, "<!doctype html>", 15), 0);
    assert_string_equal(text + page->len - 8, "</html>\n");
    assert_null(strstr(text, "<script src"));
    assert_null(strstr(text, "<link rel=\"stylesheet"));
    assert_null(strstr(text, "@import"));
    free(text);
}

static void the_policy_lets_nothing_run_but_the_page(void **state)
{
    (void)state;
    const char *policy = serve_page_get()->policy;
    assert_int_equal(strncmp(policy, "default-src 'none'; script-src 'sha256-", 39), 0);
    assert_non_null(strstr(policy, "; connect-src 'self'; "));
    assert_non_null(strstr(policy, "; frame-ancestors 'none'"));
    assert_null(strstr(policy, "unsafe"));
    assert_null(strstr(policy, "*"));
    assert_null(strstr(policy, "http"));
    assert_null(strpbrk(policy, "\r\n\""));
}

static void its_tag_is_known_again(void **state)
{
    (void)state;
    const char *tag = serve_page_get()->etag;
    assert_int_equal(strlen(tag), 18);
    char header[64];
    snprintf(header, sizeof header, "\"other\", W/%s", tag);
    assert_true(serve_page_known(tag));
    assert_true(serve_page_known(header));
    assert_true(serve_page_known("*"));
    assert_false(serve_page_known(NULL));
    assert_false(serve_page_known("\"0000000000000000\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_want_the_page_and_clients_do_not),
        cmocka_unit_test(the_page_is_whole_and_asks_nobody_else_for_anything),
        cmocka_unit_test(the_policy_lets_nothing_run_but_the_page),
        cmocka_unit_test(its_tag_is_known_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
