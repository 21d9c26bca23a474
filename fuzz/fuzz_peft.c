/*
 * fuzz_peft: folders of PEFT adapters. The input is a configuration, a zero byte, and the
 * safetensors file; what opens has finite pairs whose shapes fit each other, and can be measured.
 */
#include "folder.h"

#include "model/adapter_read.h"
#include "model/lora_measure.h"

#include <math.h>
#include <string.h>

static void check_values(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        FUZZ_CHECK(isfinite(x[i]));
}

static void check(const px_lora_file *f)
{
    FUZZ_CHECK(f->set.n > 0 && f->set.hf_rows);
    for (int32_t i = 0; i < f->set.n; i++) {
        const px_lora_tensor *t = &f->set.tensors[i];
        char name[128];
        FUZZ_CHECK(t->rank >= 1 && t->rank <= f->most_rank && t->rows > 0 && t->cols > 0);
        FUZZ_CHECK(px_lora_hf_name(t->name, false, name));
        check_values(t->a, t->rank * t->cols);
        check_values(t->b, t->rank * t->rows);
        if (t->magnitude)
            check_values(t->magnitude, t->rows);
        for (int32_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(f->set.tensors[k].name, t->name) != 0);
        px_lora_of of = {&f->set, t};
        (void)px_lora_inner(&of, &of, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t n = zero ? (size_t)(zero - data) : size;
    fuzz_folder_write("adapter_config.json", data, n);
    fuzz_folder_write("adapter_model.safetensors", data + n + (zero != NULL),
                      size - n - (zero != NULL));
    px_lora_file *f = NULL;
    pith_error err = {0};
    pith_status status = px_lora_open(fuzz_folder, &f, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (f != NULL));
    FUZZ_CHECK(status == PITH_OK || strstr(err.text, fuzz_folder));
    if (f)
        check(f);
    px_lora_close(f);
    return 0;
}
