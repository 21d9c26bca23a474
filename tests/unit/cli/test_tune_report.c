/* tune_report: the page of a run: what it shows, that texts cannot leave their places, odd numbers.
 */
#include "cli/tune_report.h"

#include "support/support.h"

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

static char *page_of(const char *json)
{
    json_error_t at;
    json_t *run = json_loads(json, 0, &at);
    if (!run)
        fail_msg("%s", at.text);
    px_buf out = {0};
    pith_error err = {0};
    assert_int_equal(cli_tune_report(run, &out, &err), PITH_OK);
    json_decref(run);
    char *kept = test_keep(out.len);
    memcpy(kept, out.data, out.len);
    px_buf_clear(&out);
    return kept;
}

static int count(const char *page, const char *what)
{
    int n = 0;
    for (const char *p = page; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void a_run_is_shown(void **state)
{
    (void)state;
    const char *page = page_of(
        "{\"name\": \"poems\", \"base\": \"m.gguf\", \"verdict\": \"Better.\", \"better\": true,"
        "\"updates\": [{\"update\": 1, \"loss\": 4.0, \"lr\": 1e-4}, {\"update\": 2, \"loss\": "
        "3.0, \"lr\": 2e-4}, {\"update\": 3, \"loss\": 2.0, \"lr\": 1e-4}],"
        "\"evaluations\": [{\"update\": 0, \"loss\": 4.5}, {\"update\": 3, \"loss\": 2.5}],"
        "\"samples\": [{\"prompt\": \"hi\", \"before\": \"x\", \"after\": \"y\"}],"
        "\"checks\": [{\"name\": \"not zero\", \"ok\": true, \"text\": \"norm 3\"},"
        "{\"name\": \"loads back\", \"ok\": false, \"text\": \"no\"}],"
        "\"config\": {\"rank\": 16}}");
    assert_int_equal(count(page, "<svg"), 2); // loss and lr: of norm and tokens/s there is nothing
    assert_int_equal(count(page, "<polyline"), 3);
    assert_int_equal(count(page, "<circle"), 2);
    // Updates 0 to 3 and losses 2 to 4.5 fill the plot.
    assert_non_null(strstr(page, "points=\"330.7,57.6 597.3,140.8 864.0,224.0\""));
    assert_non_null(strstr(page, "class=\"verdict\">Better."));
    assert_non_null(strstr(page, "class=\"ok\">passed"));
    assert_non_null(strstr(page, "class=\"no\">failed"));
    assert_non_null(strstr(page, "<th>rank</th><td>16</td>"));
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
}

static void texts_stay_texts(void **state)
{
    (void)state;
    const char *page = page_of(
        "{\"name\": \"</title><script>alert(1)</script>\", \"verdict\": \"<b onclick=\\\"x"
        "\\\">\", \"better\": false, \"samples\": [{\"prompt\": \"<img src=x>\", \"before\": "
        "\"a & b\", \"after\": \"\\u0007\"}], \"config\": {\"<i>\": {\"k\": \"<u>\"}}}");
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "<b "));
    assert_null(strstr(page, "<i>"));
    assert_null(strstr(page, "<u>"));
    assert_non_null(strstr(page, "&lt;img src=x&gt;"));
    assert_non_null(strstr(page, "a &amp; b"));
    assert_non_null(strstr(page, "&#xfffd;"));
    assert_non_null(strstr(page, "class=\"verdict worse\""));
}

static void odd_numbers(void **state)
{
    (void)state;
    const char *flat = page_of("{\"updates\": [{\"update\": 1, \"loss\": 0}, {\"update\": 2, "
                               "\"loss\": 0}, {\"update\": 3}, {\"loss\": \"x\"}]}");
    assert_null(strstr(flat, "nan"));
    assert_null(strstr(flat, "inf"));
    assert_int_equal(count(flat, "<polyline"), 1);
    const char *one = page_of("{\"updates\": [{\"update\": 7, \"loss\": 1e300}]}");
    assert_null(strstr(one, "nan"));
    assert_int_equal(count(one, "<circle"), 1);
    assert_int_equal(count(page_of("{}"), "<svg"), 0);
}

static void long_runs_are_thinned(void **state)
{
    (void)state;
    json_t *updates = json_array();
    for (int i = 0; i < 100000; i++)
        json_array_append_new(updates, json_pack("{s:i, s:f}", "update", i, "loss", 1.0 / (i + 1)));
    json_t *run = json_pack("{s:o}", "updates", updates);
    px_buf out = {0};
    pith_error err = {0};
    assert_int_equal(cli_tune_report(run, &out, &err), PITH_OK);
    assert_true(out.len < 40000);
    json_decref(run);
    px_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_shown),
        cmocka_unit_test(texts_stay_texts),
        cmocka_unit_test(odd_numbers),
        cmocka_unit_test(long_runs_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
