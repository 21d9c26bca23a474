/*
 * fuzz_safetensors: headers of safetensors files. The tensors of what is accepted cover the data
 * behind the header exactly, and carry different names.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "format/safetensors.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    px_arena arena;
    px_st_file file;
    pith_error err = {0};
    px_arena_init(&arena, 0, 32 << 20);
    pith_status status = px_st_parse("seed", data, size, &arena, &file, &err);
    FUZZ_CHECK(status == err.status);
    FUZZ_CHECK(status == PITH_OK || strstr(err.text, "seed"));
    if (status == PITH_OK) {
        uint64_t length;
        size_t covered = 0;
        memcpy(&length, data, sizeof length);
        for (int64_t i = 0; i < file.n_tensors; i++) {
            const px_st_tensor *t = &file.tensors[i];
            FUZZ_CHECK(t->name[0] && t->dtype_name[0] && t->n_dims >= 0);
            FUZZ_CHECK(t->data >= data + 8 + length && t->data + t->bytes <= data + size);
            FUZZ_CHECK(t->data == data + t->file_offset);
            covered += t->bytes;
        }
        FUZZ_CHECK(covered == size - 8 - (size_t)length);
    }
    px_arena_clear(&arena);
    return 0;
}
