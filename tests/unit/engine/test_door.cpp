// door: pith.h as C++ sees it: every function is declared with C linkage and found by the linker,
// options are made by PITH_INIT, and an error travels.
#include "pith.h"

#include <cstdio>
#include <cstring>

typedef void (*any_function)(void);

static const any_function functions[] = {
#define F(name) reinterpret_cast<any_function>(name)
    F(pith_status_text),         F(pith_status_exit_code), F(pith_status_http),
    F(pith_version),             F(pith_text_free),        F(pith_machine_get),
    F(pith_kernel_get),          F(pith_cpu_level),        F(pith_model_open),
    F(pith_model_close),         F(pith_model_get_info),   F(pith_model_get_meta),
    F(pith_model_get_tensor),    F(pith_model_plan),       F(pith_model_tokenizer),
    F(pith_tokenize),            F(pith_token_bytes),      F(pith_detokenize),
    F(pith_tokenizer_get_info),  F(pith_token_is_end),     F(pith_token_find),
    F(pith_model_template),      F(pith_template_new),     F(pith_template_free),
    F(pith_template_get_source), F(pith_template_render),  F(pith_rendered_free),
    F(pith_chat_tokenize),       F(pith_chat_free),        F(pith_engine_new),
    F(pith_engine_free),         F(pith_engine_get_info),  F(pith_session_new),
    F(pith_session_free),        F(pith_session_get_tokens), F(pith_session_fork),
    F(pith_session_set),         F(pith_session_cancel),   F(pith_sampling_init),
    F(pith_generate),            F(pith_score_text),       F(pith_score_tokens),
    F(pith_convert),
#undef F
};

static int n_tests, n_failed;

static void check(bool passed, const char *name)
{
    n_tests++;
    n_failed += !passed;
    std::printf("%s %d - %s\n", passed ? "ok" : "not ok", n_tests, name);
}

int main()
{
    bool all = true;
    for (any_function f : functions)
        all = all && f;
    check(all, "every function of the door is linked");

    pith_sampling sampling = PITH_INIT(pith_sampling);
    pith_error err = {};
    check(sampling.size == sizeof sampling && sampling.seed == 0, "PITH_INIT makes options");
    check(pith_sampling_init(&sampling, nullptr, &err) == PITH_OK && sampling.top_k == 40 &&
              sampling.seed == PITH_SEED_RANDOM,
          "defaults of sampling");

    pith_model *model = nullptr;
    pith_status status = pith_model_open("/nonexistent/model.gguf", nullptr, &model, &err);
    check(status == PITH_E_NOT_FOUND && !model &&
              std::strstr(err.text, "/nonexistent/model.gguf") != nullptr,
          "an error names its object");
    check(pith_status_exit_code(status) == 3 && pith_status_http(status) == 404,
          "a status has an exit code and an HTTP status");
    check(pith_version()[0] >= '0' && pith_version()[0] <= '9', "the version");

    std::printf("1..%d\n", n_tests);
    return n_failed != 0;
}
