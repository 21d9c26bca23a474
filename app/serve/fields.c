/* fields: reading the members of a request's JSON body, with sentences that name what is wrong.
 * What is absent or null keeps its default. See dialect.h. */
#include "base/mem.h"
#include "serve/dialect.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

px_str serve_slice(px_json value)
{
    return (px_str){.data = value.at, .len = value.at ? (size_t)(value.end - value.at) : 0};
}

static bool wrong_type(const char *name, px_json found, const char *expected,
                       serve_problem *problem)
{
    return serve_refuse(problem, 400, name, "'%s' is %s, expected %s", name,
                        px_json_type_name(px_json_type_of(found)), expected);
}

/* The member, or a value of type NONE when it is absent or null. */
static px_json member(px_json object, const char *name)
{
    px_json v = px_json_find(object, name);
    return px_json_type_of(v) == PX_JSON_NULL ? (px_json){0} : v;
}

static bool out_of_memory(serve_problem *problem)
{
    return serve_refuse(problem, 503, NULL, "out of memory for the request");
}

bool serve_copy(serve_job *job, const char *text, size_t len, px_str *out, serve_problem *problem)
{
    char *copy = px_arena_strndup(&job->arena, text, len);
    if (!copy)
        return out_of_memory(problem);
    *out = (px_str){copy, len};
    return true;
}

/* The text of a string value. */
static bool take_text(serve_job *job, px_json v, px_str *out, serve_problem *problem)
{
    px_buf text = {0};
    px_json_get_string(v, &text);
    bool ok = !text.failed ? serve_copy(job, text.data ? text.data : "", text.len, out, problem)
                           : out_of_memory(problem);
    px_buf_clear(&text);
    return ok;
}

bool serve_get_text(serve_job *job, px_json object, const char *name, px_str *out,
                    serve_problem *problem)
{
    px_json v = member(object, name);
    if (!v.at)
        return true;
    if (px_json_type_of(v) != PX_JSON_STRING)
        return wrong_type(name, v, "a string", problem);
    return take_text(job, v, out, problem);
}

bool serve_get_bool(px_json object, const char *name, bool *out, serve_problem *problem)
{
    px_json v = member(object, name);
    if (!v.at || px_json_get_bool(v, out))
        return true;
    return wrong_type(name, v, "true or false", problem);
}

bool serve_get_real(px_json object, const char *name, double min, double max, double *out,
                    serve_problem *problem)
{
    px_json v = member(object, name);
    double x;
    if (!v.at)
        return true;
    if (!px_json_get_double(v, &x))
        return wrong_type(name, v, "a number", problem);
    if (!(x >= min && x <= max))
        return serve_refuse(problem, 400, name, "'%s' is %.*s, expected a number from %g to %g",
                            name, PX_STR_ARG(serve_slice(v)), min, max);
    *out = x;
    return true;
}

bool serve_get_int(px_json object, const char *name, int64_t min, int64_t max, int64_t *out,
                   serve_problem *problem)
{
    px_json v = member(object, name);
    int64_t n;
    double x;
    if (!v.at)
        return true;
    if (!px_json_get_double(v, &x))
        return wrong_type(name, v, "a whole number", problem);
    if (!px_json_get_int(v, &n)) {
        /* 20.0 and 2e1 are whole numbers, too: some clients write them so. */
        if (!(x == floor(x) && fabs(x) < 9e15))
            return serve_refuse(problem, 400, name, "'%s' is %.*s, expected a whole number", name,
                                PX_STR_ARG(serve_slice(v)));
        n = (int64_t)x;
    }
    if (n < min || n > max)
        return serve_refuse(problem, 400, name,
                            "'%s' is %lld, expected a whole number from %lld to %lld", name,
                            (long long)n, (long long)min, (long long)max);
    *out = n;
    return true;
}

static const struct {
    const char *name;
    double min, max;
    bool whole;
} KNOBS[SERVE_N_KNOBS] = {
    [SERVE_TEMPERATURE] = {"temperature", 0, 100, false},
    [SERVE_TOP_K] = {"top_k", -1, 4194304, true},
    [SERVE_TOP_P] = {"top_p", 0, 1, false},
    [SERVE_MIN_P] = {"min_p", 0, 1, false},
    [SERVE_TYPICAL_P] = {"typical_p", 0, 1, false},
    [SERVE_REPEAT_PENALTY] = {"repeat_penalty", 0.01, 100, false},
    [SERVE_REPEAT_LAST_N] = {"repeat_last_n", -1, 67108864, true},
    [SERVE_FREQUENCY_PENALTY] = {"frequency_penalty", -10, 10, false},
    [SERVE_PRESENCE_PENALTY] = {"presence_penalty", -10, 10, false},
    [SERVE_XTC_PROBABILITY] = {"xtc_probability", 0, 1, false},
    [SERVE_XTC_THRESHOLD] = {"xtc_threshold", 0, 1, false},
    [SERVE_DRY_MULTIPLIER] = {"dry_multiplier", 0, 100, false},
    [SERVE_DRY_BASE] = {"dry_base", 1, 100, false},
    [SERVE_DRY_ALLOWED_LENGTH] = {"dry_allowed_length", 0, 4194304, true},
    [SERVE_DRY_LAST_N] = {"dry_penalty_last_n", -1, 67108864, true},
    [SERVE_MIROSTAT] = {"mirostat", 0, 2, true},
    [SERVE_MIROSTAT_TAU] = {"mirostat_tau", 0.01, 100, false},
    [SERVE_MIROSTAT_ETA] = {"mirostat_eta", 0.0001, 1, false},
    [SERVE_MIN_KEEP] = {"min_keep", 1, 4194304, true},
};

bool serve_get_knob(serve_job *job, px_json object, const char *name, serve_knob knob,
                    serve_problem *problem)
{
    serve_request *r = &job->request;
    if (!member(object, name).at)
        return true;
    if (KNOBS[knob].whole) {
        int64_t n = 0;
        if (!serve_get_int(object, name, (int64_t)KNOBS[knob].min, (int64_t)KNOBS[knob].max, &n,
                           problem))
            return false;
        if (knob == SERVE_MIROSTAT && n == 1)
            return serve_refuse(problem, 400, name, "'%s' is 1, expected 0 (off) or 2 (mirostat 2)",
                                name);
        r->knobs[knob] = (double)n;
    } else if (!serve_get_real(object, name, KNOBS[knob].min, KNOBS[knob].max, &r->knobs[knob],
                               problem)) {
        return false;
    }
    r->given |= 1u << knob;
    return true;
}

const char *serve_knob_name(serve_knob knob)
{
    return KNOBS[knob].name;
}

bool serve_get_knobs(serve_job *job, px_json object, serve_problem *problem)
{
    for (int k = 0; k < SERVE_N_KNOBS; k++)
        if (!serve_get_knob(job, object, KNOBS[k].name, (serve_knob)k, problem))
            return false;
    return true;
}

bool serve_get_stops(serve_job *job, px_json object, const char *name, int most,
                     serve_problem *problem)
{
    px_json v = member(object, name);
    serve_request *r = &job->request;
    px_json_type type = px_json_type_of(v);
    if (!v.at)
        return true;
    if (type != PX_JSON_STRING && type != PX_JSON_ARRAY)
        return wrong_type(name, v, "a string or an array of strings", problem);
    uint64_t n = type == PX_JSON_ARRAY ? px_json_count(v) : 1;
    if (n > (uint64_t)most)
        return serve_refuse(problem, 400, name, "'%s' has %llu strings, expected at most %d", name,
                            (unsigned long long)n, most);
    r->stops = PX_ZNEW(&job->arena, pith_str, n + 1);
    if (!r->stops)
        return out_of_memory(problem);
    px_json_walk walk = px_json_each(v);
    for (px_json item = v; type == PX_JSON_STRING || px_json_next(&walk, NULL, &item);) {
        px_str text = {0};
        if (px_json_type_of(item) != PX_JSON_STRING)
            return wrong_type(name, item, "a string or an array of strings", problem);
        if (!take_text(job, item, &text, problem))
            return false;
        if (text.len > 0)
            r->stops[r->n_stops++] = (pith_str){text.data, text.len};
        if (type == PX_JSON_STRING)
            break;
    }
    return true;
}

/* "1h30m", "300ms", "-1", "10". NAN when it is none. */
static double read_duration(const char *text)
{
    static const struct {
        const char *unit;
        double seconds;
    } UNITS[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
    double total = 0, sign = 1;
    const char *at = text;
    if (*at == '-' || *at == '+')
        sign = *at++ == '-' ? -1 : 1;
    if (!*at)
        return NAN;
    while (*at) {
        char *end;
        if (!isdigit((unsigned char)*at) && *at != '.')
            return NAN;
        double x = strtod(at, &end);
        if (end == at || end != at + strspn(at, "0123456789."))
            return NAN; // hexadecimal and exponents are no durations
        if (!*end && total == 0)
            return sign * x;
        size_t u = 0, n = sizeof UNITS / sizeof UNITS[0];
        for (; u < n; u++) {
            size_t len = strlen(UNITS[u].unit);
            if (strncmp(end, UNITS[u].unit, len) == 0 && !isalpha((unsigned char)end[len]))
                break;
        }
        if (u == n)
            return NAN;
        total += x * UNITS[u].seconds;
        at = end + strlen(UNITS[u].unit);
    }
    return sign * total;
}

bool serve_read_duration(const char *text, double *seconds)
{
    double x = strlen(text) < 64 ? read_duration(text) : NAN;
    if (isnan(x) || isinf(x))
        return false;
    *seconds = x;
    return true;
}

bool serve_get_keep_alive(serve_job *job, px_json object, const char *name, serve_problem *problem)
{
    px_json v = member(object, name);
    serve_request *r = &job->request;
    px_str text = {0};
    if (!v.at)
        return true;
    if (px_json_type_of(v) == PX_JSON_STRING) {
        if (!take_text(job, v, &text, problem))
            return false;
        if (!serve_read_duration(text.data, &r->keep_alive))
            return serve_refuse(problem, 400, name,
                                "'%s' is '%.40s', expected seconds or a duration such as \"5m\"",
                                name, text.data);
    } else if (!px_json_get_double(v, &r->keep_alive)) {
        return wrong_type(name, v, "a number of seconds or a string such as \"5m\"", problem);
    }
    r->has_keep_alive = true;
    return true;
}

static bool take_tokens(px_json array, const char *name, serve_input *out, serve_problem *problem)
{
    uint64_t n = px_json_count(array);
    if (n == 0)
        return serve_refuse(problem, 400, name, "'%s' holds an empty array of tokens", name);
    out->ids = px_malloc((size_t)n, sizeof *out->ids);
    if (!out->ids)
        return out_of_memory(problem);
    px_json_walk walk = px_json_each(array);
    for (px_json item; px_json_next(&walk, NULL, &item);) {
        int64_t id;
        if (!px_json_get_int(item, &id) || id < 0 || id > INT32_MAX)
            return serve_refuse(problem, 400, name,
                                "'%s' holds %.*s among tokens, expected a whole number from 0",
                                name, PX_STR_ARG(serve_slice(item)));
        out->ids[out->n_ids++] = (int32_t)id;
    }
    return true;
}

bool serve_get_inputs(serve_job *job, px_json object, const char *name, serve_problem *problem)
{
    static const char *const EXPECTED =
        "a string, an array of strings, an array of tokens or an array of arrays of tokens";
    px_json v = member(object, name);
    serve_request *r = &job->request;
    px_json first = {0};
    px_json_walk walk = px_json_each(v);
    px_json_type type = px_json_type_of(v);
    if (!v.at)
        return true;
    if (type != PX_JSON_STRING && type != PX_JSON_ARRAY)
        return wrong_type(name, v, EXPECTED, problem);
    if (type == PX_JSON_ARRAY && !px_json_next(&walk, NULL, &first))
        return serve_refuse(problem, 400, name, "'%s' is an empty array, expected %s", name,
                            EXPECTED);
    px_json_type inner = px_json_type_of(first);
    bool single = type == PX_JSON_STRING || inner == PX_JSON_NUMBER;
    uint64_t n = single ? 1 : px_json_count(v);
    if (n > SERVE_MAX_INPUTS)
        return serve_refuse(problem, 400, name, "'%s' has %llu inputs, expected at most %d", name,
                            (unsigned long long)n, SERVE_MAX_INPUTS);
    r->inputs = PX_ZNEW(&job->arena, serve_input, (size_t)n);
    if (!r->inputs)
        return out_of_memory(problem);
    px_json item = single ? v : first;
    px_json_walk items = px_json_each(v);
    while (single ? r->n_inputs == 0 : px_json_next(&items, NULL, &item)) {
        serve_input *in = &r->inputs[r->n_inputs++];
        px_json_type t = px_json_type_of(item);
        bool ok = t == PX_JSON_STRING  ? take_text(job, item, &in->text, problem)
                  : t == PX_JSON_ARRAY ? take_tokens(item, name, in, problem)
                                       : wrong_type(name, item, EXPECTED, problem);
        if (!ok)
            return false;
    }
    return true;
}
