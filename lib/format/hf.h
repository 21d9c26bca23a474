/*
 * hf: a Hugging Face model folder as a source. hf.c drives; hf_family holds what each family's
 * configuration class and tensors are, hf_config and hf_rope turn config.json into metadata,
 * hf_card names licence and origin, hf_tensors finds the weights and names them as GGUF does.
 *
 * The reference for defaults and meaning is transformers 4.57.1 (models/NAME/configuration_NAME.py
 * and modeling_rope_utils.py); for keys and tensor names, the files that llama.cpp's converter
 * writes.
 */
#ifndef PX_FORMAT_HF_H
#define PX_FORMAT_HF_H

#include "base/json.h"
#include "format/source_state.h"

/* Caps on JSON files that are read whole, far below PX_MAX_JSON_BYTES: they count against what a
 * refused folder may cost. Real ones: 5 KB; an index of 600 tensors 60 KB. */
enum {
    PX_HF_CONFIG_BYTES = 2 << 20,
    PX_HF_INDEX_BYTES = 16 << 20,
    PX_HF_MAX_METAS = 64 // a folder yields about 30
};

typedef enum px_hf_window {
    PX_HF_WINDOW_NONE,   // the family has no windows
    PX_HF_WINDOW_ALL,    // all layers, when the config has one
    PX_HF_WINDOW_PERIOD, // all but the last of each period
    PX_HF_WINDOW_UPPER,  // only with use_sliding_window, from max_window_layers up
    PX_HF_WINDOW_NO_ROPE // only with use_sliding_window, the layers without rope
} px_hf_window;

/* A family: defaults of its configuration class, and how its tensors differ from LLaMA's. */
typedef struct px_hf_family {
    const char *class_name; // in "architectures"
    const char *model_type;
    const char *arch;     // GGUF
    const char *basename; // where several families share an arch, else NULL
    /* defaults */
    int32_t n_vocab, width, ffn, n_layers, n_heads;
    int32_t n_kv_heads; // 0: as n_heads
    int32_t head_dim;   // 0: width / heads
    int32_t n_ctx;
    double norm_eps, rope_base;
    bool tied;
    px_hf_window window_kind;
    int32_t window; // 0: none
    int32_t period; // of WINDOW_PERIOD
    /* tensors and the rest */
    bool gelu;       // else silu
    bool norm_plus;  // norms are stored less 1
    bool post_norms; // norms behind attention and ffn; post_attention_layernorm is one
    bool qk_norm;
    bool fused;       // qkv_proj, gate_up_proj
    bool rope_pairs;  // GGUF wants rows of q and k as pairs
    bool text_config; // the text model's config is a member of config.json
} px_hf_family;

/* A folder being read. */
typedef struct px_hf {
    px_source_state *state;
    const char *folder;      // as given
    const char *config_path; // of config.json
    px_buf text;             // its content; the slices below point into it
    px_json root;
    px_json config; // root, or its text_config
    const px_hf_family *family;
    px_meta *metas; // [PX_HF_MAX_METAS] in the arena
    int64_t n_metas;
    px_tensor *tensors; // in the arena
    int64_t n_tensors;
    px_tensor generated[2]; // rope factors
    int n_generated;
    /* from the config, for those that come later */
    int64_t n_layers, n_heads, n_kv_heads, head_dim, n_ctx;
    bool tied;
    pith_error *err;
} px_hf;

/* Fills a source from the folder state->source.path, or from `folder` when path names one of its
 * safetensors files. */
pith_status px_hf_fill(px_source_state *state, const char *folder, const px_source_options *options,
                       pith_error *err);

/* ---- hf_family.c */

/* The row of "architectures"[0], or of model_type where there is no such list; NULL for an unknown
 * one. */
const px_hf_family *px_hf_family_find(px_json root);
/* UNSUPPORTED, naming what was found and the families that pith knows. */
pith_status px_hf_family_unknown(const px_hf *hf);

/* ---- hf_config.c: values of config.json */

/* Each takes a member of `object`, or the default where it is absent or null; another type or a
 * value out of range is FORMAT, naming file and key. */
pith_status px_hf_int(const px_hf *hf, px_json object, const char *key, int64_t otherwise,
                      int64_t min, int64_t max, int64_t *out);
pith_status px_hf_float(const px_hf *hf, px_json object, const char *key, double otherwise,
                        double min, double max, double *out);
pith_status px_hf_bool(const px_hf *hf, px_json object, const char *key, bool otherwise, bool *out);
/* Absent or null. */
bool px_hf_missing(px_json object, const char *key);
/* FORMAT: the member's type, and what was expected. */
pith_status px_hf_wrong(const px_hf *hf, const char *key, px_json found, const char *expected);
/* UNSUPPORTED: the member's value changes what the model computes and pith does not do that. */
pith_status px_hf_unsupported(const px_hf *hf, const char *key, px_json found,
                              const char *expected);

/* Metadata; the key's "%s" becomes the architecture. The meta's key member is ignored. */
pith_status px_hf_put(px_hf *hf, const char *key, px_meta value);
pith_status px_hf_put_u32(px_hf *hf, const char *key, int64_t v);
pith_status px_hf_put_f32(px_hf *hf, const char *key, double v);
/* Copies the string. */
pith_status px_hf_put_str(px_hf *hf, const char *key, px_str v);

/* Shape, windows, caps: all metadata but rope's. */
pith_status px_hf_read_config(px_hf *hf);

/* ---- hf_rope.c: rope's metadata, and factors as generated tensors */
pith_status px_hf_read_rope(px_hf *hf);

/* ---- hf_card.c: name, licence, origin, recommended sampling; nothing in it is required */
pith_status px_hf_read_card(px_hf *hf);

/* ---- hf_tensors.c: weights */
pith_status px_hf_read_tensors(px_hf *hf, const px_source_options *options);

/* ---- hf.c */

/* "folder/name" in the arena. */
pith_status px_hf_path(const px_hf *hf, const char *name, const char **out);

#endif
