/*
 * details: what a record keeps of its model's file, so that a list of models opens none of them:
 * family, parameters, quantization, trained context, width.
 */
#include "base/mem.h"
#include "store/inside.h"

#include <stdio.h>
#include <string.h>

/* general.file_type of GGUF, as other programs number it. */
static const char *file_type_name(int64_t type)
{
    static const struct {
        int64_t type;
        const char *name;
    } NAMES[] = {
        {0, "F32"},      {1, "F16"},      {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
        {8, "Q5_0"},     {9, "Q5_1"},     {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},
        {13, "Q3_K_L"},  {14, "Q4_K_S"},  {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},
        {18, "Q6_K"},    {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"},
        {23, "IQ3_XXS"}, {24, "IQ1_S"},   {25, "IQ4_NL"}, {26, "IQ3_S"},  {27, "IQ3_M"},
        {28, "IQ2_S"},   {29, "IQ2_M"},   {30, "IQ4_XS"}, {31, "IQ1_M"},  {32, "BF16"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (NAMES[i].type == type)
            return NAMES[i].name;
    return "";
}

/* The dtype in which most bytes of the tensors are. */
static void common_dtype(const pith_model *model, int64_t n_tensors, char out[32])
{
    struct {
        const char *name;
        uint64_t bytes;
    } sums[64];
    int n = 0, best = 0;
    for (int64_t i = 0; i < n_tensors; i++) {
        pith_tensor_info t = PITH_INIT(pith_tensor_info);
        if (pith_model_get_tensor(model, i, &t, NULL) != PITH_OK)
            break;
        int k = 0;
        while (k < n && strcmp(sums[k].name, t.dtype) != 0)
            k++;
        if (k == 64)
            break;
        if (k == n) {
            sums[n].name = t.dtype;
            sums[n++].bytes = 0;
        }
        sums[k].bytes += t.bytes;
        if (sums[k].bytes > sums[best].bytes)
            best = k;
    }
    snprintf(out, 32, "%s", n > 0 ? sums[best].name : "");
    for (char *c = out; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
}

static void quantization(const pith_model *model, const pith_model_info *info, char out[32])
{
    out[0] = '\0';
    for (int64_t i = 0; i < info->n_metas; i++) {
        const char *key = NULL;
        pith_text value = {0};
        if (pith_model_get_meta(model, i, 0, &key, &value, NULL) != PITH_OK)
            break;
        json_t *v = strcmp(key, "general.file_type") == 0
                        ? json_loadb(value.data, value.len, JSON_DECODE_ANY, NULL)
                        : NULL;
        if (json_is_integer(v))
            snprintf(out, 32, "%s", file_type_name(json_integer_value(v)));
        json_decref(v);
        pith_text_free(&value);
    }
    if (!out[0])
        common_dtype(model, info->n_tensors, out);
}

static void parameter_size(uint64_t n, char out[32])
{
    if (n >= 1000000000)
        snprintf(out, 32, "%.1fB", (double)n / 1e9);
    else if (n >= 1000000)
        snprintf(out, 32, "%.0fM", (double)n / 1e6);
    else
        snprintf(out, 32, "%.0fK", (double)n / 1e3);
}

static pith_status details_of(const store_model *m, json_t **out, pith_error *err)
{
    *out = NULL;
    pith_model *model = NULL;
    pith_model_options mo = PITH_INIT(pith_model_options);
    mo.flags = PITH_OPEN_NO_TOKENIZER;
    pith_model_info info = PITH_INIT(pith_model_info);
    pith_status status = store_model_open(m, &mo, &model, err);
    if (status == PITH_OK)
        status = pith_model_get_info(model, &info, err);
    if (status == PITH_OK) {
        char quant[32], size[32];
        quantization(model, &info, quant);
        parameter_size(info.n_parameters, size);
        *out = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "format",
                         strncmp(info.format, "GGUF", 4) == 0 ? "gguf" : "safetensors", "family",
                         info.architecture, "parameter_size", size, "quantization", quant,
                         "n_parameters", (json_int_t)info.n_parameters, "n_ctx_train",
                         (json_int_t)info.n_ctx_train, "width", (json_int_t)info.width, "license",
                         info.license);
        if (!*out)
            status = px_fail_memory(err, "a model's details");
    }
    pith_model_close(model);
    return status;
}

pith_status store_details(const char *path, json_t **out, pith_error *err)
{
    char none[] = "";
    store_model m = {.path = (char *)(uintptr_t)path, .template_file = none};
    return details_of(&m, out, err);
}

pith_status store_details_read(const json_t *details, store_model *m, pith_error *err)
{
    pith_status status = store_set(&m->family, err, "%s", store_text(details, "family"));
    if (status == PITH_OK)
        status = store_set(&m->parameter_size, err, "%s", store_text(details, "parameter_size"));
    if (status == PITH_OK)
        status = store_set(&m->quantization, err, "%s", store_text(details, "quantization"));
    if (status == PITH_OK)
        status = store_set(&m->format, err, "%s", store_text(details, "format"));
    json_int_t n = json_integer_value(json_object_get(details, "n_parameters"));
    m->n_parameters = n > 0 ? (uint64_t)n : 0;
    m->n_ctx_train = json_integer_value(json_object_get(details, "n_ctx_train"));
    m->width = json_integer_value(json_object_get(details, "width"));
    return status;
}

pith_status store_model_inspect(store_model *m, pith_error *err)
{
    json_t *details = NULL;
    pith_status status = details_of(m, &details, err);
    if (status == PITH_OK)
        status = store_details_read(details, m, err);
    json_decref(details);
    return status;
}
