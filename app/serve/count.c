/* count: see count.h. */
#include "serve/count.h"

#include "serve/prepare.h"
#include "serve/server.h"

bool serve_count_tokens(serve_call *call, const serve_dialect *dialect, int64_t *n,
                        serve_problem *problem)
{
    px_json body;
    pith_error err = {0};
    serve_job *job = serve_job_new(dialect);
    if (!job)
        return serve_refuse(problem, 503, NULL, "out of memory for the request");
    bool ok = px_json_check("body", call->body ? call->body : "", call->body_len, &body, &err) ==
                  PITH_OK ||
              serve_refuse(problem, 400, NULL, "the body is not JSON: %s", err.text);
    ok = ok && dialect->parse(job, body, problem) &&
         serve_prepare(call->server->models, job, problem);
    *n = 0;
    for (int i = 0; ok && i < job->request.n_inputs; i++)
        *n += job->request.inputs[i].n_ids;
    serve_job_leave(job);
    return ok;
}
