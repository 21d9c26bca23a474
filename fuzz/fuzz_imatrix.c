/* fuzz_imatrix: importance matrices, GGUF and the old form. Whatever opens has means above 0 and
 * finite for the tensors that it has. */
#include "folder.h"

#include "quant/imatrix.h"

static void look_up(const px_imatrix *m, const char *name, int64_t columns)
{
    const px_tensor t = {.name = name, .n_dims = 2, .ne = {columns, 2, 1, 1}};
    const float *means;
    pith_error err = {0};
    if (px_imatrix_find(m, &t, &means, &err) != PITH_OK || !means)
        return;
    for (int64_t i = 0; i < columns; i++)
        FUZZ_CHECK(means[i] > 0 && means[i] <= 1e30f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[96];
    px_imatrix *m = NULL;
    pith_error err = {0};
    fuzz_folder_write("imatrix", data, size);
    snprintf(path, sizeof path, "%s/imatrix", fuzz_folder);
    if (px_imatrix_open(path, &m, &err) != PITH_OK) {
        FUZZ_CHECK(err.status != PITH_OK && err.text[0] && !m);
        return 0;
    }
    FUZZ_CHECK(px_imatrix_count(m) > 0);
    look_up(m, "blk.0.attn_v.weight", 8);
    look_up(m, "a", 1);
    px_imatrix_close(m);
    return 0;
}
