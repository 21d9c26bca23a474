/* sets: what the tests of data share: a model whose template can be made to do what templates do
 * wrong, data files, rows of plain English of which no two are near. */
#ifndef TEST_TRAIN_SETS_H
#define TEST_TRAIN_SETS_H

#include "pith.h"
#include "support/asserts.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pith_error err;
static pith_model *model;

/* Words in a turn make it misbehave: @REFUSE, @TWICE (bos), @NOEND, @HIDE, and @THINK, which is
 * shown in the last turn alone. */
static const char *const sets_template =
    "{{ bos_token }}{% if messages[0].role == 'nobody' %}{% endif %}{% for m in messages %}"
    "{% if '@REFUSE' in m.content %}{{ raise_exception('no such turn') }}{% endif %}"
    "{% if '@TWICE' in m.content %}{{ bos_token }}{% endif %}"
    "{% if not '@HIDE' in m.content %}<{{ m.role }}>\n{{ m.content if loop.last else m.content | "
    "replace('@THINK', '') }}"
    "{% if m.role == 'assistant' and not '@NOEND' in m.content %}{{ eos_token }}{% endif %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>\n{% endif %}";

static inline void need_model(void)
{
    if (model)
        return;
    pith_model_options o = PITH_INIT(pith_model_options);
    o.template_file = test_temp("sets.jinja");
    test_write(o.template_file, sets_template, strlen(sets_template));
    assert_ok(pith_model_open(test_shared("models/stories260K.gguf"), &o, &model, &err));
}

static inline int close_model(void **state)
{
    (void)state;
    pith_model_close(model);
    model = NULL;
    return 0;
}

static inline const char *set_file(const char *name, const char *text)
{
    const char *path = test_temp(name);
    test_write(path, text, strlen(text));
    return path;
}

static inline pith_dataset *set_open(const char *path, const char *columns)
{
    pith_dataset *set;
    pith_dataset_options o = PITH_INIT(pith_dataset_options);
    o.columns = columns;
    assert_ok(pith_dataset_open(path, &o, &set, &err));
    return set;
}

/* A sentence of n words that says nothing, different for each seed. */
static inline const char *sentence(uint64_t seed, int n)
{
    static const char *const words[] = {
        "river",   "stone",    "garden",   "window",  "letter",  "market",  "winter",  "summer",
        "bridge",  "engine",   "island",   "valley",  "forest",  "castle",  "kitchen", "teacher",
        "doctor",  "farmer",   "painter",  "singer",  "writer",  "driver",  "sailor",  "soldier",
        "orange",  "yellow",   "purple",   "silver",  "golden",  "quiet",   "gentle",  "narrow",
        "heavy",   "bright",   "hollow",   "ancient", "modern",  "simple",  "strange", "careful",
        "carries", "follows",  "watches",  "builds",  "opens",   "closes",  "repairs", "forgets",
        "answers", "explains", "measures", "gathers", "reaches", "crosses", "paints",  "sings",
        "writes",  "drives",   "teaches",  "between", "behind",  "under",   "above",   "around",
        "through", "without",  "during",   "before",  "after",   "toward",  "against"};
    static const char *const small[] = {"the", "of", "and", "to", "with", "that", "this", "for"};
    char *text = test_keep((size_t)n * 12);
    size_t at = 0;
    test_random r = {.state = seed * 7919 + 1};
    for (int i = 0; i < n; i++) {
        const char *word = i % 3 == 0 ? small[test_random_below(&r, 8)]
                                      : words[test_random_below(&r, sizeof words / sizeof *words)];
        at += (size_t)sprintf(text + at, i > 0 ? " %s" : "%s", word);
    }
    sprintf(text + at, ".");
    return text;
}

#endif
