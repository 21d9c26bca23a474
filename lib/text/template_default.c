/*
 * template_default: chat templates for models that bring none, written for pith; see
 * docs/templates.md.
 *
 * Which one a model gets is decided by the markers in its vocabulary, since a model that was never
 * trained on a marker does not have it as a token, and by its architecture where families share a
 * vocabulary. Answers stand in generation blocks, so that training can mask the rest.
 */
#include "text/template.h"

#include <string.h>

/* Content is text, or a list of parts of which those with text count. */
#define TEXT                                                                        \
    "{%- macro text(c) -%}"                                                         \
    "{%- if c is string -%}{{ c }}"                                                 \
    "{%- elif c -%}{%- for part in c -%}{{ part.text }}{%- endfor -%}{%- endif -%}" \
    "{%- endmacro -%}"

#define REFUSE \
    "{%- else -%}{{- raise_exception('the default template knows no role \"' ~ m.role ~ '\"') -}}"

/* An answer and what ends it. */
#define ANSWER(text, end) "{%- generation -%}{{- " text " + " end " -}}{%- endgeneration -%}"

static const char chatml[] =
    TEXT "{%- for m in messages -%}"
         "{{- '<|im_start|>' + m.role + '\\n' -}}"
         "{%- if m.role == 'assistant' -%}" ANSWER(
             "text(m.content)",
             "'<|im_end|>'") "{{- '\\n' -}}"
                             "{%- else -%}{{- text(m.content) + '<|im_end|>\\n' -}}{%- endif -%}"
                             "{%- endfor -%}"
                             "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' "
                             "-}}{%- endif -%}";

static const char phi4[] =
    TEXT "{%- for m in messages -%}"
         "{{- '<|im_start|>' + m.role + '<|im_sep|>' -}}"
         "{%- if m.role == 'assistant' -%}" ANSWER(
             "text(m.content)",
             "'<|im_end|>'") "{%- else -%}{{- text(m.content) + '<|im_end|>' -}}{%- endif -%}"
                             "{%- endfor -%}"
                             "{%- if add_generation_prompt -%}{{- "
                             "'<|im_start|>assistant<|im_sep|>' -}}{%- endif -%}";

static const char llama3[] =
    TEXT "{{- bos_token -}}"
         "{%- for m in messages -%}"
         "{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' -}}"
         "{%- if m.role == 'assistant' -%}" ANSWER(
             "text(m.content)|trim",
             "'<|eot_id|>'") "{%- else -%}{{- text(m.content)|trim + '<|eot_id|>' -}}{%- endif -%}"
                             "{%- endfor -%}"
                             "{%- if add_generation_prompt -%}"
                             "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{%- "
                             "endif -%}";

/* Families without a system role put its text before the next user message. */
static const char llama2[] =
    TEXT "{%- set ns = namespace(system='') -%}"
         "{%- for m in messages -%}"
         "{%- if m.role == 'system' -%}"
         "{%- set ns.system = '<<SYS>>\\n' + text(m.content)|trim + '\\n<</SYS>>\\n\\n' -%}"
         "{%- elif m.role == 'user' -%}"
         "{{- bos_token ~ '[INST] ' ~ ns.system ~ text(m.content)|trim ~ ' [/INST]' -}}"
         "{%- set ns.system = '' -%}"
         "{%- elif m.role == 'assistant' -%}"
         "{{- ' ' -}}" ANSWER("text(m.content)|trim", "' ' ~ eos_token") REFUSE
    "{%- endif -%}{%- endfor -%}";

static const char mistral[] = TEXT "{{- bos_token -}}"
                                   "{%- set ns = namespace(system='') -%}"
                                   "{%- for m in messages -%}"
                                   "{%- if m.role == 'system' -%}"
                                   "{%- set ns.system = text(m.content) + '\\n\\n' -%}"
                                   "{%- elif m.role == 'user' -%}"
                                   "{{- '[INST] ' + ns.system + text(m.content) + '[/INST]' -}}"
                                   "{%- set ns.system = '' -%}"
                                   "{%- elif m.role == 'assistant' -%}"
                                   "{{- ' ' -}}" ANSWER("text(m.content)|trim", "'' ~ eos_token")
                                       REFUSE "{%- endif -%}{%- endfor -%}";

static const char tekken[] =
    TEXT "{{- bos_token -}}"
         "{%- set ns = namespace(system='') -%}"
         "{%- for m in messages -%}"
         "{%- if m.role == 'system' -%}"
         "{%- set ns.system = text(m.content) + '\\n\\n' -%}"
         "{%- elif m.role == 'user' -%}"
         "{{- '[INST]' + ns.system + text(m.content) + '[/INST]' -}}"
         "{%- set ns.system = '' -%}"
         "{%- elif m.role == 'assistant' -%}" ANSWER("text(m.content)", "'' ~ eos_token") REFUSE
    "{%- endif -%}{%- endfor -%}";

static const char gemma[] = TEXT
    "{{- bos_token -}}"
    "{%- set ns = namespace(system='') -%}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'system' -%}"
    "{%- set ns.system = text(m.content)|trim + '\\n\\n' -%}"
    "{%- elif m.role == 'user' -%}"
    "{{- '<start_of_turn>user\\n' + ns.system + text(m.content)|trim + '<end_of_turn>\\n' -}}"
    "{%- set ns.system = '' -%}"
    "{%- elif m.role == 'assistant' -%}"
    "{{- '<start_of_turn>model\\n' -}}" ANSWER(
        "text(m.content)|trim", "'<end_of_turn>'") "{{- '\\n' -}}" REFUSE
                                                   "{%- endif -%}{%- endfor -%}"
                                                   "{%- if add_generation_prompt -%}{{- "
                                                   "'<start_of_turn>model\\n' -}}{%- endif -%}";

static const char phi3[] =
    TEXT "{%- for m in messages -%}"
         "{%- if m.role == 'assistant' -%}"
         "{{- '<|assistant|>\\n' -}}" ANSWER(
             "text(m.content)",
             "'<|end|>'") "{{- '\\n' -}}"
                          "{%- elif m.role == 'system' or m.role == 'user' -%}"
                          "{{- '<|' + m.role + '|>\\n' + text(m.content) + '<|end|>\\n' -}}" REFUSE
                          "{%- endif -%}{%- endfor -%}"
                          "{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}";

static const char zephyr[] = TEXT
    "{%- for m in messages -%}"
    "{%- if m.role == 'assistant' -%}"
    "{{- '<|assistant|>\\n' -}}" ANSWER(
        "text(m.content)",
        "'' ~ eos_token") "{{- '\\n' -}}"
                          "{%- elif m.role == 'system' or m.role == 'user' -%}"
                          "{{- '<|' + m.role + '|>\\n' + text(m.content) ~ eos_token ~ '\\n' "
                          "-}}" REFUSE "{%- endif -%}{%- endfor -%}"
                          "{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}";

static const char plain[] =
    TEXT "{{- bos_token -}}"
         "{%- for m in messages -%}"
         "{%- if m.role == 'system' -%}{{- text(m.content)|trim + '\\n\\n' -}}"
         "{%- elif m.role == 'user' -%}{{- 'User: ' + text(m.content)|trim + '\\n' -}}"
         "{%- elif m.role == 'assistant' -%}"
         "{{- 'Assistant:' -}}" ANSWER("' ' + text(m.content)|trim", "'\\n'") REFUSE
    "{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'Assistant:' -}}{%- endif -%}";

/* The first row that fits is taken: all of its markers are tokens and the architecture begins with
 * `arch`. */
static const struct choice {
    const char *name, *arch;
    const char *markers[3];
    const char *source;
} choices[] = {
    {"phi4", "", {"<|im_start|>", "<|im_end|>", "<|im_sep|>"}, phi4},
    {"chatml", "", {"<|im_start|>", "<|im_end|>"}, chatml},
    {"llama3", "", {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}, llama3},
    {"gemma", "", {"<start_of_turn>", "<end_of_turn>"}, gemma},
    {"phi3", "", {"<|user|>", "<|assistant|>", "<|end|>"}, phi3},
    {"zephyr", "", {"<|user|>", "<|assistant|>"}, zephyr},
    {"mistral", "", {"[INST]", "[/INST]", "\xe2\x96\x81"}, mistral},
    {"tekken", "", {"[INST]", "[/INST]"}, tekken},
    {"llama2", "llama", {"INST", "\xe2\x96\x81"}, llama2},
};

const char *px_template_default(const char *arch, px_has_token has_token, void *user,
                                const char **name)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        const struct choice *c = &choices[i];
        bool fits = strncmp(arch, c->arch, strlen(c->arch)) == 0;
        fits = fits && has_token;
        for (size_t k = 0; fits && k < 3 && c->markers[k]; k++)
            fits = has_token(user, c->markers[k]);
        if (!fits)
            continue;
        *name = c->name;
        return c->source;
    }
    *name = "plain";
    return plain;
}
