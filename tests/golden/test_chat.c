/*
 * Conversations to tokens against transformers: template, guards and tokenizer together, for the
 * models whose tokenizers lie in the shared folder. Cases: tests/golden/chat/make.py.
 */
#include "pith.h"
#include "unit/text/vocab_files.h"

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const pith_model *model, const char *json, const char *expected)
{
    pith_chat chat;
    pith_error err = {0};
    if (pith_chat_tokenize(model, json, strlen(json), &chat, &err) != PITH_OK)
        fail_msg("%s: %s", json, err.text);
    int64_t n = 0;
    char *end;
    for (const char *at = expected; *at; at = end, n++) {
        long id = strtol(at, &end, 10);
        if (end == at)
            break;
        if (n >= chat.n_ids || chat.ids[n] != id)
            fail_msg("%s: token %d is %d, expected %ld; the text is '%s'", json, (int)n,
                     n < chat.n_ids ? (int)chat.ids[n] : -1, id, chat.text.data);
    }
    if (n != chat.n_ids)
        fail_msg("%s: %d tokens, expected %d", json, (int)chat.n_ids, (int)n);
    pith_chat_free(&chat);
}

static void as_transformers_does(void **state)
{
    (void)state;
    char *at = test_read(test_source("tests/golden/chat/chat.txt"), NULL);
    char open_name[64] = "";
    pith_model *model = NULL;
    int n_cases = 0;
    while (*at) {
        char *name = at, *json = strchr(name, '\t');
        assert_non_null(json);
        *json++ = '\0';
        char *ids = strchr(json, '\t');
        assert_non_null(ids);
        *ids++ = '\0';
        at = ids + strcspn(ids, "\n");
        if (*at)
            *at++ = '\0';
        if (strcmp(name, open_name) != 0) {
            assert_true(strlen(name) < sizeof open_name);
            strcpy(open_name, name);
            pith_model_close(model);
            pith_model_options o = PITH_INIT(pith_model_options);
            o.flags = PITH_OPEN_NO_WEIGHTS;
            pith_error err = {0};
            if (pith_model_open(vocab_unpack(name), &o, &model, &err) != PITH_OK)
                fail_msg("%s", err.text);
        }
        check(model, json, ids);
        n_cases++;
    }
    pith_model_close(model);
    assert_int_equal(n_cases, 28);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_transformers_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
