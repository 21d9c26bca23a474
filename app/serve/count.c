/* count: see count.h. */
#include "serve/count.h"

#include "serve/prepare.h"
#include "serve/server.h"

bool serve_count_tokens(serve_call *call, const serve_dialect *dialect, int64_t *n,
                        serve_problem *problem)
{
    serve_job *job = serve_job_new(dialect);
    if (!job)
        return serve_refuse(problem, 503, NULL, "out of memory for the request");
    bool ok = dialect->parse(job, call->json, problem) &&
              serve_prepare(call->server->models, job, problem);
    *n = 0;
    for (int i = 0; ok && i < job->request.n_inputs; i++)
        *n += job->request.inputs[i].n_ids;
    serve_job_leave(job);
    return ok;
}
