/* record: see record.h. */
#include "serve/record.h"

#include "serve/dialect.h"

#include <stdlib.h>
#include <string.h>

static bool take_stops(serve_job *job, const json_t *stops, serve_problem *problem)
{
    serve_request *r = &job->request;
    size_t n = json_is_array(stops) ? json_array_size(stops) : json_is_string(stops) ? 1 : 0;
    if (r->n_stops > 0 || n == 0 || n > SERVE_MAX_STOPS)
        return true;
    r->stops = PX_ZNEW(&job->arena, pith_str, n);
    for (size_t i = 0; r->stops && i < n; i++) {
        const json_t *v = json_is_array(stops) ? json_array_get(stops, i) : stops;
        px_str text;
        if (!json_is_string(v) || json_string_length(v) == 0)
            continue;
        if (!serve_copy(job, json_string_value(v), json_string_length(v), &text, problem))
            return false;
        r->stops[r->n_stops++] = (pith_str){text.data, text.len};
    }
    return r->stops || serve_refuse(problem, 503, NULL, "out of memory for the request");
}

bool serve_record_apply(serve_job *job, serve_problem *problem)
{
    serve_request *r = &job->request;
    const json_t *p = job->model->record.parameters;
    for (int k = 0; k < SERVE_N_KNOBS; k++) {
        const json_t *v = json_object_get(p, serve_knob_name((serve_knob)k));
        /* Mirostat of records may be of the version that is not here. */
        if (k == SERVE_MIROSTAT || !json_is_number(v) || (r->given & (1u << k)))
            continue;
        r->knobs[k] = json_number_value(v);
        r->given |= 1u << k;
    }
    const json_t *most = json_object_get(p, "num_predict"), *ctx = json_object_get(p, "num_ctx"),
                 *keep = json_object_get(p, "num_keep"), *seed = json_object_get(p, "seed");
    if (r->max_tokens < 0 && json_is_integer(most) && json_integer_value(most) >= 0)
        r->max_tokens = json_integer_value(most);
    if (r->n_ctx == 0 && json_is_integer(ctx) && json_integer_value(ctx) > 0)
        r->n_ctx = json_integer_value(ctx);
    if (r->n_keep == 0 && json_is_integer(keep) && json_integer_value(keep) > 0 &&
        json_integer_value(keep) < INT32_MAX)
        r->n_keep = (int32_t)json_integer_value(keep);
    if (r->seed == PITH_SEED_RANDOM && json_is_integer(seed) && json_integer_value(seed) >= 0)
        r->seed = (uint64_t)json_integer_value(seed);
    return take_stops(job, json_object_get(p, "stop"), problem);
}

static bool has_system(px_json messages)
{
    px_json_walk walk = px_json_each(messages);
    for (px_json m; px_json_next(&walk, NULL, &m);) {
        px_json role = px_json_find(m, "role");
        if (px_json_is(role, px_str_of("system")) || px_json_is(role, px_str_of("developer")))
            return true;
    }
    return false;
}

void serve_record_messages(const store_model *record, px_json messages, px_buf *out)
{
    if (record->system && *record->system && !has_system(messages)) {
        px_buf_puts(out, "{\"role\":\"system\",\"content\":");
        serve_put_text(out, record->system);
        px_buf_puts(out, "},");
    }
    for (size_t i = 0; i < json_array_size(record->messages); i++) {
        const json_t *m = json_array_get(record->messages, i);
        const char *role = json_string_value(json_object_get(m, "role"));
        const json_t *content = json_object_get(m, "content");
        if (!role || !json_is_string(content))
            continue;
        px_buf_puts(out, "{\"role\":");
        serve_put_text(out, role);
        px_buf_puts(out, ",\"content\":");
        serve_put_string(out, json_string_value(content), json_string_length(content));
        px_buf_puts(out, "},");
    }
}
