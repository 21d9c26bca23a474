/* openai_format: response_format and its kin, by whatever name clients know them. */
#include "serve/openai.h"

static bool set(serve_job *job, serve_format format, px_str text, const char *name,
                serve_problem *problem)
{
    serve_request *r = &job->request;
    if (r->format != SERVE_FREE)
        return serve_refuse(problem, 400, name,
                            "'%s' and another field both say to what the answer is held; send one",
                            name);
    r->format = format;
    r->format_text = text;
    return true;
}

static bool is_given(px_json v)
{
    return px_json_type_of(v) > PX_JSON_NULL;
}

/* A grammar or an expression: a string. */
static bool set_text(serve_job *job, serve_format format, px_json object, const char *key,
                     const char *name, serve_problem *problem)
{
    px_str text = {0};
    if (!is_given(px_json_find(object, key)))
        return true;
    return serve_get_text(job, object, key, &text, problem) &&
           (text.len == 0 || set(job, format, text, name, problem));
}

/* A schema: an object, or a string that holds one. */
static bool set_schema(serve_job *job, px_json v, const char *name, serve_problem *problem)
{
    px_buf text = {0};
    px_str copy = serve_slice(v);
    bool ok = true;
    if (px_json_get_string(v, &text)) {
        px_json checked;
        pith_error err = {0};
        ok = (!text.failed && px_json_check(name, text.data ? text.data : "", text.len, &checked,
                                            &err) == PITH_OK) ||
             serve_refuse(problem, 400, name, "the schema is not JSON: %s", err.text);
        ok = ok && serve_copy(job, text.data ? text.data : "", text.len, &copy, problem);
    } else if (px_json_type_of(v) != PX_JSON_OBJECT && px_json_type_of(v) != PX_JSON_BOOL) {
        ok = serve_refuse(problem, 400, name, "the schema is %s, expected an object",
                          px_json_type_name(px_json_type_of(v)));
    }
    px_buf_clear(&text);
    return ok && set(job, SERVE_JSON_SCHEMA, copy, name, problem);
}

static bool set_choices(serve_job *job, px_json v, const char *name, serve_problem *problem)
{
    px_json_walk walk = px_json_each(v);
    bool ok = px_json_type_of(v) == PX_JSON_ARRAY && px_json_count(v) > 0;
    for (px_json item; ok && px_json_next(&walk, NULL, &item);)
        ok = px_json_type_of(item) == PX_JSON_STRING;
    if (!ok)
        return serve_refuse(problem, 400, name, "'%s' is no array of strings", name);
    return set(job, SERVE_CHOICES, serve_slice(v), name, problem);
}

static bool get_response_format(serve_job *job, px_json body, serve_problem *problem)
{
    static const char NAME[] = "response_format";
    px_json format = px_json_find(body, NAME), type = px_json_find(format, "type");
    if (!is_given(format) || px_json_is(type, px_str_of("text")))
        return true;
    if (px_json_is(type, px_str_of("json_object"))) {
        px_json schema = px_json_find(format, "schema");
        return is_given(schema) ? set_schema(job, schema, NAME, problem)
                                : set(job, SERVE_JSON_OBJECT, (px_str){0}, NAME, problem);
    }
    if (!px_json_is(type, px_str_of("json_schema")))
        return serve_refuse(
            problem, 400, NAME,
            "'response_format' has type %.*s, expected \"text\", \"json_object\" or "
            "\"json_schema\"",
            PX_STR_ARG(serve_slice(type)));
    px_json inner = px_json_find(format, "json_schema"), schema = px_json_find(inner, "schema");
    if (!is_given(schema))
        schema = px_json_find(format, "schema");
    if (!is_given(schema))
        return serve_refuse(problem, 400, NAME, "'response_format' has no json_schema.schema");
    return set_schema(job, schema, NAME, problem);
}

/* vLLM: structured_outputs {json, regex, choice, grammar}, and guided_* of old. */
static bool get_guided(serve_job *job, px_json object, const char *json, const char *regex,
                       const char *choice, const char *grammar, const char *name,
                       serve_problem *problem)
{
    px_json v = px_json_find(object, json);
    if (is_given(v) && !set_schema(job, v, name ? name : json, problem))
        return false;
    v = px_json_find(object, choice);
    if (is_given(v) && !set_choices(job, v, name ? name : choice, problem))
        return false;
    return set_text(job, SERVE_REGEX, object, regex, name ? name : regex, problem) &&
           set_text(job, SERVE_GRAMMAR, object, grammar, name ? name : grammar, problem);
}

bool serve_openai_format(serve_job *job, px_json body, serve_problem *problem)
{
    px_json schema = px_json_find(body, "json_schema");
    if (!get_response_format(job, body, problem) ||
        (is_given(schema) && !set_schema(job, schema, "json_schema", problem)) ||
        !set_text(job, SERVE_GRAMMAR, body, "grammar", "grammar", problem))
        return false;
    return get_guided(job, px_json_find(body, "structured_outputs"), "json", "regex", "choice",
                      "grammar", "structured_outputs", problem) &&
           get_guided(job, body, "guided_json", "guided_regex", "guided_choice", "guided_grammar",
                      NULL, problem);
}
