/* pull: fetches a model and gives it a name. */
#include "base/mem.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/fetching.h"

#include <stdio.h>

int cli_cmd_pull(int argc, char **argv)
{
    store_job job = {0};
    cli_fetching f = {0};
    int64_t parts = 0;
    const cli_option options[] = {
        {CLI_TEXT, "name", 0, &job.as, "NAME", "name in the store (default: as it is pulled)", 0, 0,
         NULL},
        {CLI_TEXT, "convert", 0, &job.convert, "TYPE",
         "safetensors: keep one GGUF file of f16, bf16 or f32 instead", 0, 0, NULL},
        {CLI_TEXT, "quantize", 0, &job.quantize, "TYPE",
         "keep a GGUF file quantized to TYPE instead (q4_k_m, ...; pith quantize -h)", 0, 0, NULL},
        {CLI_INT, "parts", 0, &parts, "N", "connections for a file (default 6)", 1, 16, NULL},
        {CLI_TEXT, "registry", 0, &job.registry, "URL",
         "a mirror in place of huggingface.co and registry.ollama.ai", 0, 0, NULL},
        {CLI_FLAG, "insecure", 0, &job.insecure, NULL,
         "allow http:// to other machines too (digests are checked all the same)", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &f.json, NULL, "a line of JSON for each event", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith pull MODEL [options]",
        .summary =
            "Fetches a model and gives it a name. MODEL is\n"
            "  hf.co/ORG/REPO[:QUANT | :FILE.gguf]   from Hugging Face; safetensors come whole\n"
            "  NAME[:TAG]                            from Ollama's library\n"
            "  https://HOST/PATH.gguf[#sha256=HEX]   from any address\n"
            "  a path                                used where it lies (pith import)\n"
            "Files come in parallel parts, are checked against their SHA-256 before they get a "
            "name, and go on\nwhere an interrupted pull stopped. HF_TOKEN opens private "
            "repositories; proxies are taken from\nHTTPS_PROXY and NO_PROXY.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .min_words = 1,
        .max_words = 1,
        .examples = "  pith pull hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M\n"
                    "  pith pull llama3.2:1b\n"
                    "  pith pull hf.co/Qwen/Qwen2.5-0.5B-Instruct --quantize q4_k_m --name qwen",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    store_root *s = NULL;
    char *name = NULL;
    job.n_parts = (int32_t)parts;
    job.progress = cli_fetching_step;
    job.user = &f;
    cli_interrupt_watch(NULL);
    pith_status status = store_open(NULL, &s, &err);
    if (status == PITH_OK)
        status = store_pull(s, words.items[0], &job, &name, &err);
    cli_fetching_end(&f);
    if (status == PITH_OK && !f.json)
        printf("%s\n", name);
    if (status == PITH_OK)
        status = cli_flush(&err);
    px_free(name);
    store_close(s);
    return status == PITH_OK ? 0 : cli_fail(&err);
}
