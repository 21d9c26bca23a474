/*
 * fuzz_adapter: LoRA adapters in GGUF form, against a small model of one layer. Whatever loads has
 * pairs of the model's shapes whose values are finite and stand inside the stack.
 */
#include "fuzz.h"

#include "format/source_state.h"
#include "model/adapter.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 32, FFN = 64, VOCAB = 16, KV = 16 };

/* A GGUF file of f32 zeros: all that the loader asks of a model are the names of its tensors. */
typedef struct image {
    uint8_t bytes[64 << 10];
    size_t n;
} image;

static void put(image *f, const void *bytes, size_t n)
{
    FUZZ_CHECK(f->n + n <= sizeof f->bytes);
    memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
}

static void put_u32(image *f, uint32_t v)
{
    put(f, &v, sizeof v);
}

static void put_u64(image *f, uint64_t v)
{
    put(f, &v, sizeof v);
}

static void put_str(image *f, const char *text)
{
    put_u64(f, strlen(text));
    put(f, text, strlen(text));
}

static px_source *open_model(void)
{
    static image f;
    static const struct {
        const char *name;
        uint64_t cols, rows;
    } TENSORS[] = {
        {"token_embd.weight", WIDTH, VOCAB},        {"blk.0.attn_q.weight", WIDTH, WIDTH},
        {"blk.0.attn_k.weight", WIDTH, KV},         {"blk.0.attn_v.weight", WIDTH, KV},
        {"blk.0.attn_output.weight", WIDTH, WIDTH}, {"blk.0.ffn_gate.weight", WIDTH, FFN},
        {"blk.0.ffn_up.weight", WIDTH, FFN},        {"blk.0.ffn_down.weight", FFN, WIDTH},
    };
    enum { N = sizeof TENSORS / sizeof TENSORS[0] };
    if (f.n == 0) {
        put(&f, "GGUF", 4);
        put_u32(&f, 3);
        put_u64(&f, N);
        put_u64(&f, 1);
        put_str(&f, "general.architecture");
        put_u32(&f, PX_META_STRING);
        put_str(&f, "llama");
        uint64_t at = 0;
        for (int i = 0; i < N; i++) {
            put_str(&f, TENSORS[i].name);
            put_u32(&f, 2);
            put_u64(&f, TENSORS[i].cols);
            put_u64(&f, TENSORS[i].rows);
            put_u32(&f, PX_F32);
            put_u64(&f, at);
            at += TENSORS[i].cols * TENSORS[i].rows * sizeof(float);
        }
        f.n = (f.n + 31) / 32 * 32 + at;
        FUZZ_CHECK(f.n <= sizeof f.bytes);
    }
    px_source *s = NULL;
    FUZZ_CHECK(px_source_open_memory("model", f.bytes, f.n, NULL, &s, NULL) == PITH_OK);
    return s;
}

static void check_values(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        FUZZ_CHECK(isfinite(x[i]));
}

static void check_pair(const px_adapter *a, const px_lora *l, int64_t rows, int64_t cols)
{
    if (l->rank == 0)
        return;
    int64_t blocks = (rows + PX_LORA_BLOCK - 1) / PX_LORA_BLOCK;
    FUZZ_CHECK(l->rank > 0 && l->rank <= PX_MAX_LORA_RANK);
    FUZZ_CHECK(l->rows == rows && l->cols == cols && isfinite(l->scale));
    FUZZ_CHECK(l->at >= 0 && l->at + l->rank <= a->stack);
    check_values(l->a, cols * l->rank);
    check_values(l->b, blocks * PX_LORA_BLOCK * l->rank);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const px_hparams hp = {.arch = "llama",
                           .n_layers = 1,
                           .n_vocab = VOCAB,
                           .width = WIDTH,
                           .n_heads = 2,
                           .n_kv_heads = 1,
                           .head_dim = KV,
                           .value_dim = KV,
                           .ffn = FFN};
    px_source *s = NULL;
    pith_error err = {0};
    if (px_source_open_memory("adapter", data, size, NULL, &s, &err) != PITH_OK)
        return 0;
    px_source *model = open_model();
    px_adapter *a = NULL;
    px_lora_file *file = NULL;
    pith_status status = px_lora_open_source(s, &file, &err);
    if (status == PITH_OK)
        status = px_adapter_load(file, model, &hp, &a, &err);
    FUZZ_CHECK(status == err.status && (status == PITH_OK) == (a != NULL));
    FUZZ_CHECK(status == PITH_OK || strstr(err.text, "'adapter'"));
    if (a) {
        const px_lora *l = a->layers[0];
        FUZZ_CHECK(a->n_pairs > 0);
        check_pair(a, &l[PX_SLOT_Q], WIDTH, WIDTH);
        check_pair(a, &l[PX_SLOT_K], KV, WIDTH);
        check_pair(a, &l[PX_SLOT_V], KV, WIDTH);
        check_pair(a, &l[PX_SLOT_O], WIDTH, WIDTH);
        check_pair(a, &l[PX_SLOT_GATE], FFN, WIDTH);
        check_pair(a, &l[PX_SLOT_UP], FFN, WIDTH);
        check_pair(a, &l[PX_SLOT_DOWN], WIDTH, FFN);
        check_pair(a, &a->head, VOCAB, WIDTH);
    }
    px_adapter_free(a);
    px_source_close(model);
    px_lora_close(file);
    return 0;
}
