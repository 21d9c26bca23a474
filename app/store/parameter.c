/*
 * parameter: the parameters that a model can be made with: Ollama's names, and what each takes. A
 * value of the wrong kind would only be found, or passed over, when the model is used.
 */
#include "store/inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { SIZE, WHOLE, NUMBER, TRUTH, TEXTS } kind;

static const struct {
    const char *names;
    kind kind;
} KNOWN[] = {
    {" num_ctx ", SIZE},
    {" num_predict num_keep seed top_k repeat_last_n mirostat dry_allowed_length "
     "dry_penalty_last_n min_keep num_batch num_gpu main_gpu num_thread num_gqa "
     "draft_num_predict ",
     WHOLE},
    {" temperature top_p min_p typical_p tfs_z repeat_penalty presence_penalty frequency_penalty "
     "mirostat_tau mirostat_eta xtc_probability xtc_threshold dry_multiplier dry_base "
     "rope_frequency_base rope_frequency_scale ",
     NUMBER},
    {" penalize_newline use_mmap use_mlock low_vram f16_kv vocab_only logits_all embedding_only "
     "numa ",
     TRUTH},
    {" stop ", TEXTS},
};

static bool holds(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; n > 0 && (at = strstr(at, name)) != NULL; at++)
        if (at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

static bool is_of(kind k, const json_t *value)
{
    size_t i;
    json_t *one;
    double d = json_number_value(value);
    switch (k) {
    case SIZE:
        return json_is_number(value) && d == floor(d) && d > 0;
    case WHOLE:
        return json_is_number(value) && d == floor(d);
    case NUMBER:
        return json_is_number(value);
    case TRUTH:
        return json_is_boolean(value);
    case TEXTS:
        break;
    }
    json_array_foreach(value, i, one)
    {
        if (!json_is_string(one))
            return false;
    }
    return json_is_string(value) || json_is_array(value);
}

pith_status store_parameter_check(const store_job *job, const char *name, const json_t *value,
                                  pith_error *err)
{
    static const char *const WANTED[] = {"a whole number above 0", "a whole number", "a number",
                                         "true or false", "a text or a list of texts"};
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (!holds(KNOWN[i].names, name))
            continue;
        if (is_of(KNOWN[i].kind, value))
            return PITH_OK;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        pith_status status =
            px_fail(err, PITH_E_ARGUMENT, "the parameter '%s' has value %.100s, expected %s", name,
                    text ? text : "?", WANTED[KNOWN[i].kind]);
        free(text);
        return status;
    }
    if (json_is_object(value) || json_is_array(value))
        return px_fail(err, PITH_E_ARGUMENT, "the parameter '%s' is no number, text or truth value",
                       name);
    return store_note(job, err, "the parameter '%s' is none that pith knows, and changes nothing",
                      name);
}
