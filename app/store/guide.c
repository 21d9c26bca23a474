/*
 * guide: the model that is built into the program. Its file, models/guide/guide.gguf, lies in the
 * program's read-only data, and is opened there: nothing is written, and no store is needed. A
 * program that was built without that file has none.
 */
#include "store/inside.h"

#include <strings.h>

static const char NAME[] = "guide";

#ifdef PITH_HAS_GUIDE
extern const unsigned char store_guide_file[], store_guide_file_end[];

static uint64_t file_bytes(void)
{
    return (uint64_t)((uintptr_t)store_guide_file_end - (uintptr_t)store_guide_file);
}
#else
static const unsigned char store_guide_file[1];

static uint64_t file_bytes(void)
{
    return 0;
}
#endif

const char *store_built_in(void)
{
    return file_bytes() > 0 ? NAME : NULL;
}

bool store_is_built_in(const char *word)
{
    return store_built_in() &&
           (strcasecmp(word, NAME) == 0 || strcasecmp(word, "guide:latest") == 0);
}

pith_status store_built_in_get(store_model *out, pith_error *err)
{
    pith_status status = store_model_init(out, err);
    if (status != PITH_OK)
        return status;
    out->origin = STORE_BUILT_IN;
    out->memory = store_guide_file;
    out->memory_bytes = file_bytes();
    out->bytes = out->memory_bytes;
    status = store_set(&out->name, err, "%s", NAME);
    if (status == PITH_OK)
        status = store_set(&out->path, err, "%s", NAME);
    if (status == PITH_OK)
        status = store_set(&out->source, err, "built into the program");
    if (status == PITH_OK)
        status = store_model_inspect(out, err);
    if (status != PITH_OK)
        store_model_clear(out);
    return status;
}

pith_status store_model_open(const store_model *m, const pith_model_options *options,
                             pith_model **out, pith_error *err)
{
    pith_model_options o = options ? *options : PITH_INIT(pith_model_options);
    if (!o.template_file && !o.template_name && *m->template_file)
        o.template_file = m->template_file;
    o.memory = m->memory;
    o.memory_bytes = m->memory_bytes;
    return pith_model_open(m->path, &o, out, err);
}
