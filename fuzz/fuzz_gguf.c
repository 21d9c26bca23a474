/*
 * fuzz_gguf: GGUF files. Whatever opens can be read in full: each key found under its name, each
 * array walked to its end, each tensor's data inside the file and apart from the others.
 */
#include "fuzz.h"

#include "base/cursor.h"
#include "base/mem.h"
#include "format/source_state.h"

#include <string.h>

static void walk_array(const px_meta_array *a, int depth)
{
    FUZZ_CHECK(depth <= PX_MAX_ARRAY_DEPTH);
    if (a->type == PX_META_STRING) {
        const uint8_t *at = a->data;
        px_str s;
        uint64_t n = 0;
        while (px_meta_next_str(a, &at, &s)) {
            FUZZ_CHECK((const uint8_t *)s.data + s.len <= a->data + a->bytes);
            n++;
        }
        FUZZ_CHECK(n == a->n);
    } else if (a->type == PX_META_ARRAY) {
        px_cursor c = px_cursor_over(a->data, a->bytes);
        for (uint64_t i = 0; i < a->n && i < 1; i++) {
            uint32_t type;
            uint64_t n;
            FUZZ_CHECK(px_cursor_u32(&c, &type) && px_cursor_u64(&c, &n));
            FUZZ_CHECK(px_meta_type_name((px_meta_type)type)[0] != '\0');
        }
    } else if (a->n > 0) {
        FUZZ_CHECK(a->bytes / a->n == px_meta_type_bytes(a->type));
        (void)px_meta_int_at(a, a->n - 1);
        (void)px_meta_float_at(a, a->n - 1);
    }
}

static void read_source(const px_source *s, const uint8_t *data, size_t size)
{
    for (int64_t i = 0; i < s->n_metas; i++) {
        const px_meta *m = &s->metas[i];
        FUZZ_CHECK(px_source_meta(s, m->key) == m);
        pith_error err = {0};
        int64_t v;
        double f;
        (void)px_source_get_int(s, m->key, true, 0, 10, &v, &err);
        (void)px_source_get_float(s, m->key, true, 0, 10, &f, NULL);
        if (m->type == PX_META_ARRAY)
            walk_array(&m->array, 1);
        if (m->type == PX_META_STRING && m->str.len)
            FUZZ_CHECK((const uint8_t *)m->str.data >= data &&
                       (const uint8_t *)m->str.data + m->str.len <= data + size);
    }
    for (int64_t i = 0; i < s->n_tensors; i++) {
        const px_tensor *t = &s->tensors[i];
        FUZZ_CHECK(px_source_tensor(s, t->name) == t);
        FUZZ_CHECK(t->data >= data && t->bytes > 0 && t->bytes <= (size_t)(data + size - t->data));
        FUZZ_CHECK(t->data == data + t->file_offset && t->file_offset % s->alignment == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    px_source *s = NULL;
    pith_error err = {0};
    const px_source_options options = {.tensors_optional = true};
    pith_status status = px_source_open_memory("seed", data, size, &options, &s, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (s != NULL));
    FUZZ_CHECK(status == PITH_OK || strstr(err.text, "'seed'"));
    if (s)
        read_source(s, data, size);
    px_source_close(s);
    return 0;
}
