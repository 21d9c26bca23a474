/* convert: a Hugging Face folder, or a GGUF file of floats, to one GGUF file. */
#include "base/file.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "pith.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int cli_cmd_convert(int argc, char **argv)
{
    const char *type = NULL;
    bool json = false, force = false;
    const cli_option options[] = {
        {CLI_TEXT, "type", 0, &type, "TYPE",
         "f32, f16 or bf16 for the matrices (default: as in the source)", 0, 0, NULL},
        {CLI_FLAG, "force", 'f', &force, NULL, "replace OUT.gguf if it exists", 0, 0, NULL},
        {CLI_FLAG, "json", 0, &json, NULL, "a JSON object when done", 0, 0, NULL},
    };
    const cli_spec spec = {
        .usage = "pith convert FOLDER OUT.gguf [--type=f16]",
        .summary =
            "Writes a Hugging Face model folder (safetensors), or a GGUF file of floats, as one "
            "GGUF file that\n"
            "other GGUF programs read too. Nothing appears under OUT.gguf before it is complete.",
        .options = options,
        .n_options = 3,
        .min_words = 2,
        .max_words = 2,
        .examples = "  pith convert ./Qwen2.5-0.5B-Instruct qwen.gguf --type=f16",
    };
    cli_words words;
    pith_error err = {0};
    int code;
    if (!cli_begin(&spec, argc, argv, &words, &code))
        return code;
    const char *in = words.items[0], *out = words.items[1];
    if (!force && px_file_kind_of(out) != PX_FILE_NONE) {
        px_fail(&err, PITH_E_ARGUMENT, "'%s' exists; give another name, or --force to replace it",
                out);
        return cli_fail(&err);
    }
    cli_interrupt_watch(NULL);
    cli_progress progress;
    cli_progress_start(&progress, "converting", "B");
    pith_convert_options co = PITH_INIT(pith_convert_options);
    co.dtype = type;
    co.progress = cli_progress_step;
    co.user = &progress;
    pith_status status = pith_convert(in, out, &co, &err);
    cli_progress_end(&progress);
    if (status != PITH_OK)
        return cli_fail(&err);
    struct stat st = {0};
    (void)stat(out, &st);
    if (json) {
        status = cli_print_json(
            json_pack("{s:s, s:I}", "path", out, "bytes", (json_int_t)st.st_size), &err);
    } else {
        char size[32];
        printf("%s: %s\n", out, cli_size((uint64_t)st.st_size, size));
        status = cli_flush(&err);
    }
    return status == PITH_OK ? 0 : cli_fail(&err);
}
