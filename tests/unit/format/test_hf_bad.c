/* Folders made here, one step away from a good one: each must open as it should or be refused with
 * the right status and a sentence that names the thing. */
#include "gguf_bytes.h"

#include <sys/stat.h>
#include <unistd.h>

/* A LLaMA of one layer: width 4, 2 heads, 1 key-value head, ffn 6, 3 tokens. */
static const char GOOD[] =
    "\"architectures\":[\"LlamaForCausalLM\"],\"vocab_size\":3,\"hidden_size\":4,"
    "\"intermediate_size\":6,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
    "\"num_key_value_heads\":1,\"tie_word_embeddings\":true";

typedef struct weight {
    const char *name;
    const char *dtype;
    int rows, columns; // columns 0: a vector
} weight;

static const weight WEIGHTS[] = {
    {"model.embed_tokens.weight", "F32", 3, 4},
    {"model.layers.0.input_layernorm.weight", "F32", 4, 0},
    {"model.layers.0.self_attn.q_proj.weight", "F32", 4, 4},
    {"model.layers.0.self_attn.k_proj.weight", "F32", 2, 4},
    {"model.layers.0.self_attn.v_proj.weight", "F32", 2, 4},
    {"model.layers.0.self_attn.o_proj.weight", "F32", 4, 4},
    {"model.layers.0.post_attention_layernorm.weight", "F32", 4, 0},
    {"model.layers.0.mlp.gate_proj.weight", "F32", 6, 4},
    {"model.layers.0.mlp.up_proj.weight", "F32", 6, 4},
    {"model.layers.0.mlp.down_proj.weight", "F32", 4, 6},
    {"model.norm.weight", "F32", 4, 0},
};

enum { N_WEIGHTS = sizeof WEIGHTS / sizeof WEIGHTS[0] };

static const char *new_folder(void)
{
    static int serial;
    const char *folder = test_temp(test_format("folder-%d", serial++));
    assert_int_equal(mkdir(folder, 0700), 0);
    return folder;
}

static void write_text(const char *folder, const char *name, const char *text)
{
    test_write(test_format("%s/%s", folder, name), text, strlen(text));
}

static void write_weights(const char *folder, const char *name, const weight *list, size_t n)
{
    px_buf header = {0}, file = {0};
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int size = strcmp(list[i].dtype, "F32") == 0   ? 4
                   : strcmp(list[i].dtype, "F64") == 0 ? 8
                                                       : 2;
        size_t bytes = (size_t)(list[i].rows * (list[i].columns ? list[i].columns : 1) * size);
        px_buf_printf(&header, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%d", i ? ',' : '{',
                      list[i].name, list[i].dtype, list[i].rows);
        if (list[i].columns)
            px_buf_printf(&header, ",%d", list[i].columns);
        px_buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    px_buf_puts(&header, n ? "}" : "{}");
    put_u64(&file, header.len);
    px_buf_put(&file, header.data, header.len);
    put_zeros(&file, at);
    test_write(test_format("%s/%s", folder, name), file.data, file.len);
    px_buf_clear(&header);
    px_buf_clear(&file);
}

/* A folder with this config and the good weights. */
static const char *folder_with(const char *config)
{
    const char *folder = new_folder();
    write_text(folder, "config.json", config);
    write_weights(folder, "model.safetensors", WEIGHTS, N_WEIGHTS);
    return folder;
}

static pith_status open_folder(const char *folder, bool optional, px_source **s, pith_error *err)
{
    const px_source_options options = {.tensors_optional = optional};
    *s = NULL;
    return px_source_open(folder, &options, s, err);
}

/* ---- config.json */

static void opens_the_good_one(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    assert_ok(open_folder(folder_with(test_format("{%s}", GOOD)), false, &s, &err));
    assert_int_equal(s->n_tensors, N_WEIGHTS);
    assert_null(px_source_tensor(s, "output.weight"));
    int64_t v;
    assert_ok(px_source_get_int(s, "%s.context_length", true, 0, 1 << 20, &v, &err));
    assert_int_equal(v, 2048); // the default of LlamaConfig
    double eps;
    assert_ok(
        px_source_get_float(s, "%s.attention.layer_norm_rms_epsilon", true, 0, 1, &eps, &err));
    assert_true(eps == (double)1e-6f);
    px_source_close(s);
}

/* Members that stand behind the good ones, and so replace them. */
static const struct {
    const char *more;
    pith_status status;
    const char *text;
} CONFIGS[] = {
    {"\"hidden_size\":\"4\"", PITH_E_FORMAT,
     "config.json': 'hidden_size' is a string (\"4\"), expected a whole number from 1 to"},
    {"\"hidden_size\":0", PITH_E_FORMAT, "'hidden_size' is a number (0)"},
    {"\"hidden_size\":4.5", PITH_E_FORMAT, "'hidden_size' is a number (4.5)"},
    {"\"hidden_size\":1e99", PITH_E_FORMAT, "'hidden_size' is a number (1e99)"},
    {"\"hidden_size\":99999999999999999999", PITH_E_FORMAT, "'hidden_size'"},
    {"\"hidden_size\":[4]", PITH_E_FORMAT, "'hidden_size' is an array ([4])"},
    {"\"num_hidden_layers\":1025", PITH_E_FORMAT, "'num_hidden_layers' is a number (1025)"},
    {"\"vocab_size\":-1", PITH_E_FORMAT, "'vocab_size' is a number (-1)"},
    {"\"num_attention_heads\":3,\"num_key_value_heads\":3", PITH_E_FORMAT,
     "expected a divisor of hidden_size"},
    {"\"num_key_value_heads\":3", PITH_E_FORMAT, "expected a divisor of num_attention_heads"},
    {"\"head_dim\":1048576", PITH_E_FORMAT, "heads times head_dim"},
    {"\"head_dim\":3", PITH_E_FORMAT, "expected an even number"},
    {"\"rms_norm_eps\":2", PITH_E_FORMAT, "'rms_norm_eps' is a number (2), expected a number from"},
    {"\"rms_norm_eps\":true", PITH_E_FORMAT, "'rms_norm_eps' is a bool (true)"},
    {"\"rope_theta\":0", PITH_E_FORMAT, "'rope_theta' is a number (0)"},
    {"\"tie_word_embeddings\":1", PITH_E_FORMAT, "'tie_word_embeddings' is a number (1)"},
    {"\"tie_word_embeddings\":false", PITH_E_FORMAT, "no tensor 'lm_head.weight'"},
    {"\"hidden_act\":\"relu\"", PITH_E_UNSUPPORTED,
     "'hidden_act' is \"relu\", pith supports \"silu\""},
    {"\"hidden_act\":3", PITH_E_UNSUPPORTED, "'hidden_act' is 3"},
    {"\"mlp_bias\":true", PITH_E_UNSUPPORTED, "'mlp_bias' is true"},
    {"\"quantization_config\":{\"quant_method\":\"gptq\"}", PITH_E_UNSUPPORTED,
     "'quantization_config' says that the weights are quantized"},
    {"\"partial_rotary_factor\":0.5", PITH_E_UNSUPPORTED, "'partial_rotary_factor' is 0.5"},
    {"\"rope_scaling\":\"x\"", PITH_E_FORMAT, "'rope_scaling' is a string"},
    {"\"rope_scaling\":{}", PITH_E_FORMAT, "'rope_scaling.type' is missing"},
    {"\"rope_scaling\":{\"type\":3}", PITH_E_FORMAT, "'rope_scaling.type' is a number (3)"},
    {"\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}", PITH_E_UNSUPPORTED,
     "'rope_scaling.type' is \"dynamic\", pith supports linear, llama3, yarn and longrope"},
    {"\"rope_scaling\":{\"type\":\"linear\"}", PITH_E_FORMAT, "'factor' is missing"},
    {"\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}", PITH_E_FORMAT,
     "'factor' is a number (-2)"},
    {"\"rope_scaling\":{\"type\":\"yarn\",\"factor\":\"4\"}", PITH_E_FORMAT,
     "'factor' is a string"},
    {"\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"truncate\":false}", PITH_E_UNSUPPORTED,
     "'truncate' is false"},
    {"\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
     "\"high_freq_factor\":1,\"original_max_position_embeddings\":8}",
     PITH_E_FORMAT, "'high_freq_factor' is a number (1), expected more than low_freq_factor"},
    {"\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}", PITH_E_FORMAT,
     "'low_freq_factor' is missing"},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"factor\":2,\"short_factor\":[1]}", PITH_E_FORMAT,
     "'long_factor' is missing"},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"factor\":2,\"long_factor\":[1,2]}", PITH_E_FORMAT,
     "'long_factor' is an array"},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"factor\":2,\"long_factor\":[0]}", PITH_E_FORMAT,
     "'long_factor' is a number (0)"},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1],\"short_factor\":[1]}",
     PITH_E_FORMAT, "'factor' is missing"},
    {"\"architectures\":[\"BertModel\"]", PITH_E_UNSUPPORTED,
     "architectures says 'BertModel', expected one of LlamaForCausalLM, MistralForCausalLM"},
    {"\"architectures\":[7]", PITH_E_UNSUPPORTED, "architectures says 'nothing'"},
    {"\"architectures\":[],\"model_type\":\"gpt2\"", PITH_E_UNSUPPORTED,
     "model_type says 'gpt2', expected one of"},
    {"\"architectures\":null", PITH_E_UNSUPPORTED, "model_type says 'nothing'"},
    {"\"num_hidden_layers\":2", PITH_OK, ""}, // what is missing is the decoder's to say
    {"\"head_dim\":null,\"num_key_value_heads\":1", PITH_OK, ""},
    {"\"architectures\":[],\"model_type\":\"llama\"", PITH_OK, ""},
    {"\"rope_scaling\":null,\"quantization_config\":null,\"hidden_act\":null", PITH_OK, ""},
    {"\"rope_scaling\":{\"rope_type\":\"default\"}", PITH_OK, ""},
    {"\"rope_parameters\":{\"rope_theta\":5000.0}", PITH_OK, ""},
    /* Gemma 3 over the same members: refused before its tensors are looked at. */
    {"\"architectures\":[\"Gemma3ForConditionalGeneration\"]", PITH_E_FORMAT,
     "'text_config' is missing, expected an object"},
    {"\"architectures\":[\"Gemma3ForCausalLM\"],\"head_dim\":2,\"layer_types\":[\"full\"]",
     PITH_E_UNSUPPORTED, "'layer_types' is \"full\""},
    {"\"architectures\":[\"Gemma3ForCausalLM\"],\"head_dim\":2,\"layer_types\":[]", PITH_E_FORMAT,
     "'layer_types' is an array ([]), expected an array of one string a layer"},
    {"\"architectures\":[\"Gemma3ForCausalLM\"],\"head_dim\":2,\"sliding_window_pattern\":0",
     PITH_E_FORMAT, "'sliding_window_pattern' is a number (0)"},
    {"\"architectures\":[\"Gemma3ForCausalLM\"],\"head_dim\":2,\"use_bidirectional_attention\":"
     "true",
     PITH_E_UNSUPPORTED, "'use_bidirectional_attention' is true"},
    {"\"architectures\":[\"Gemma2ForCausalLM\"],\"head_dim\":2,\"hidden_activation\":\"silu\"",
     PITH_E_UNSUPPORTED, "'hidden_activation' is \"silu\""},
    {"\"architectures\":[\"SmolLM3ForCausalLM\"],\"no_rope_layers\":[1,0]", PITH_E_FORMAT,
     "'no_rope_layers' is an array"},
    {"\"architectures\":[\"SmolLM3ForCausalLM\"],\"no_rope_layers\":[\"x\"]", PITH_E_FORMAT,
     "'no_rope_layers' is a string"},
    {"\"architectures\":[\"SmolLM3ForCausalLM\"],\"no_rope_layer_interval\":0", PITH_E_FORMAT,
     "'no_rope_layer_interval' is a number (0)"},
    {"\"architectures\":[\"Phi3ForCausalLM\"]", PITH_E_UNSUPPORTED,
     "tensor 'model.layers.0.self_attn.q_proj.weight' is none that pith knows"},
};

static void checks_config(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CONFIGS / sizeof CONFIGS[0]; i++) {
        const char *folder = folder_with(test_format("{%s,%s}", GOOD, CONFIGS[i].more));
        pith_error err = {0};
        px_source *s;
        pith_status status = open_folder(folder, false, &s, &err);
        if (status != CONFIGS[i].status || !strstr(err.text, CONFIGS[i].text) ||
            (status != PITH_OK && !strstr(err.text, folder)))
            fail_msg("%s: expected %s with '%s', got %s: %s", CONFIGS[i].more,
                     pith_status_text(CONFIGS[i].status), CONFIGS[i].text, pith_status_text(status),
                     err.text);
        px_source_close(s);
    }
}

static void refuses_bad_json(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    assert_refused(open_folder(folder_with("{\n\"a\": 1,\n}"), false, &s, &err), PITH_E_FORMAT,
                   "config.json' line 3 column 1: found '}', expected a string as key");
    assert_refused(open_folder(folder_with(""), false, &s, &err), PITH_E_FORMAT,
                   "line 1 column 1: found the end");
    assert_refused(open_folder(folder_with("[1]"), false, &s, &err), PITH_E_FORMAT,
                   "config.json' holds an array, expected an object");
    px_buf big = {0};
    px_buf_puts(&big, "{\"a\":\"");
    for (int i = 0; i < 2 << 20; i++)
        px_buf_putc(&big, 'a');
    px_buf_puts(&big, "\"}");
    assert_refused(open_folder(folder_with(big.data), false, &s, &err), PITH_E_LIMIT,
                   "config.json");
    px_buf_clear(&big);
}

/* ---- weights */

/* A good folder but for its weights. */
static const char *folder_of(const weight *list, size_t n)
{
    const char *folder = new_folder();
    write_text(folder, "config.json", test_format("{%s}", GOOD));
    if (list)
        write_weights(folder, "model.safetensors", list, n);
    return folder;
}

static void checks_tensors(void **state)
{
    (void)state;
    static const struct {
        weight last; // stands behind the good ones
        pith_status status;
        const char *text;
    } CASES[] = {
        {{"lm_head.weight", "F32", 3, 4}, PITH_OK, ""}, // tied: left out
        {{"model.layers.0.self_attn.rotary_emb.inv_freq", "F64", 1, 0}, PITH_OK, ""},
        {{"model.layers.0.self_attn.q_proj.bias", "F16", 4, 0}, PITH_OK, ""},
        {{"model.layers.0.self_attn.q_proj.bias", "F64", 4, 0},
         PITH_E_UNSUPPORTED,
         "q_proj.bias' has dtype F64, expected F32, F16 or BF16"},
        {{"model.layers.0.self_attn.q_proj.bias", "F32", 3, 0},
         PITH_E_FORMAT,
         "q_proj.bias' has 3 rows, expected an even number for each of 2 heads"},
        {{"model.layers.1.input_layernorm.weight", "F32", 4, 0},
         PITH_E_FORMAT,
         "is of layer 1, but config.json says 'num_hidden_layers' is 1"},
        {{"model.layers.99999999999999999999.input_layernorm.weight", "F32", 4, 0},
         PITH_E_UNSUPPORTED,
         "is none that pith knows"},
        {{"model.layers.0.self_attn.sinks", "F32", 4, 0},
         PITH_E_UNSUPPORTED,
         "tensor 'model.layers.0.self_attn.sinks' is none that pith knows in a model of "
         "LlamaForCausalLM"},
        {{"model.layers.0.self_attn.q_norm.weight", "F32", 2, 0},
         PITH_E_UNSUPPORTED,
         "q_norm.weight' is none"},
        {{"vision_tower.x", "F32", 4, 0}, PITH_E_UNSUPPORTED, "'vision_tower.x' is none"},
        {{"norm.weight", "F32", 4, 0}, PITH_E_FORMAT, "has the tensor 'output_norm.weight' twice"},
    };
    pith_error err;
    px_source *s;
    weight list[N_WEIGHTS + 1];
    memcpy(list, WEIGHTS, sizeof WEIGHTS);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        list[N_WEIGHTS] = CASES[i].last;
        const char *folder = folder_of(list, N_WEIGHTS + 1);
        if (CASES[i].status == PITH_OK)
            assert_ok(open_folder(folder, false, &s, &err));
        else
            assert_refused(open_folder(folder, false, &s, &err), CASES[i].status, CASES[i].text);
        px_source_close(s);
    }
}

static void refuses_missing_files(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *folder = folder_of(NULL, 0);
    assert_refused(open_folder(folder, false, &s, &err), PITH_E_NOT_FOUND,
                   "has no weights: expected model.safetensors");
    write_text(folder, "pytorch_model.bin", "PK");
    assert_refused(open_folder(folder, false, &s, &err), PITH_E_UNSUPPORTED,
                   "has its weights as a PyTorch pickle (pytorch_model.bin)");
    assert_refused(open_folder(new_folder(), false, &s, &err), PITH_E_NOT_FOUND,
                   "has no config.json");
    assert_refused(open_folder(new_folder(), true, &s, &err), PITH_E_NOT_FOUND,
                   "has no config.json");
    assert_refused(px_source_open(test_temp("nothing-here"), NULL, &s, &err), PITH_E_NOT_FOUND,
                   "nothing-here");
    const char *fifo = test_temp("fifo.gguf"); // opening one must not wait for a writer
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_refused(px_source_open(fifo, NULL, &s, &err), PITH_E_ARGUMENT, "fifo.gguf");
}

static void opens_tokenizers_alone(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *folder = new_folder();
    write_text(folder, "tokenizer.json", "{}");
    assert_refused(open_folder(folder, false, &s, &err), PITH_E_NOT_FOUND, "has no config.json");
    assert_ok(open_folder(folder, true, &s, &err));
    assert_int_equal(s->kind, PX_SOURCE_FOLDER);
    assert_int_equal(s->n_tensors, 0);
    assert_null(px_source_meta(s, "general.architecture"));
    px_source_close(s);
    write_text(folder, "config.json", "{\"model_type\":\"gpt2\"}");
    assert_ok(open_folder(folder, true, &s, &err));
    px_source_close(s);
    assert_refused(open_folder(folder, false, &s, &err), PITH_E_UNSUPPORTED, "'gpt2'");
    write_text(folder, "config.json", test_format("{%s}", GOOD));
    assert_ok(open_folder(folder, true, &s, &err));
    assert_non_null(px_source_meta(s, "llama.block_count"));
    assert_int_equal(s->n_tensors, 0);
    px_source_close(s);
}

static void checks_the_index(void **state)
{
    (void)state;
    static const struct {
        const char *index;
        pith_status status;
        const char *text;
    } CASES[] = {
        {"{\"weight_map\":{\"model.norm.weight\":\"b.safetensors\","
         "\"model.embed_tokens.weight\":\"a.safetensors\"}}",
         PITH_OK, ""},
        {"{\"weight_map\":{\"model.norm.weight\":\"../b.safetensors\"}}", PITH_E_FORMAT,
         "names the file '../b.safetensors', expected a .safetensors file in the same folder"},
        {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", PITH_E_FORMAT, "names the file '/etc/passwd'"},
        {"{\"weight_map\":{\"x\":\"\"}}", PITH_E_FORMAT, "names the file ''"},
        {"{\"weight_map\":{\"x\":\"config.json\"}}", PITH_E_FORMAT, "names the file 'config.json'"},
        {"{\"weight_map\":{\"x\":\"a.safetensors\\u0000\"}}", PITH_E_FORMAT, "names of files"},
        {"{\"weight_map\":{\"x\":7}}", PITH_E_FORMAT, "holds a number, expected names of files"},
        {"{\"weight_map\":{}}", PITH_E_FORMAT, "'weight_map' is an object with 0 members"},
        {"{}", PITH_E_FORMAT, "'weight_map' is nothing"},
        {"{\"weight_map\":{\"x\":\"c.safetensors\"}}", PITH_E_NOT_FOUND, "c.safetensors"},
        {"{\"weight_map\":{\"nope\":\"a.safetensors\",\"y\":\"b.safetensors\"}}", PITH_E_FORMAT,
         "the index says that tensor 'nope' is in \"a.safetensors\", but it is missing"},
        {"{\"weight_map\":{\"model.norm.weight\":\"a.safetensors\","
         "\"model.embed_tokens.weight\":\"b.safetensors\"}}",
         PITH_E_FORMAT, "is in \"a.safetensors\", but it is in b.safetensors"},
    };
    pith_error err;
    px_source *s;
    const char *folder = folder_of(NULL, 0);
    write_weights(folder, "a.safetensors", WEIGHTS, 5);
    write_weights(folder, "b.safetensors", WEIGHTS + 5, N_WEIGHTS - 5);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        write_text(folder, "model.safetensors.index.json", CASES[i].index);
        if (CASES[i].status == PITH_OK)
            assert_ok(open_folder(folder, false, &s, &err));
        else
            assert_refused(open_folder(folder, false, &s, &err), CASES[i].status, CASES[i].text);
        px_source_close(s);
    }
    write_weights(folder, "b.safetensors", WEIGHTS + 4, N_WEIGHTS - 4);
    write_text(folder, "model.safetensors.index.json", CASES[0].index);
    assert_refused(open_folder(folder, false, &s, &err), PITH_E_FORMAT,
                   "v_proj.weight' is in 'a.safetensors' and in 'b.safetensors', expected once");
}

static void opens_only_files_of_the_model(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *folder = folder_of(WEIGHTS, N_WEIGHTS);
    assert_ok(px_source_open(test_format("%s/model.safetensors", folder), NULL, &s, &err));
    px_source_close(s);
    write_weights(folder, "adapter.safetensors", WEIGHTS, 1);
    assert_refused(px_source_open(test_format("%s/adapter.safetensors", folder), NULL, &s, &err),
                   PITH_E_UNSUPPORTED, "is none of the files of the model");
}

/* ---- the card */

static void reads_the_card(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *folder = folder_of(WEIGHTS, N_WEIGHTS);
    write_text(
        folder, "README.md",
        "---\nlicense: \"apache-2.0\"\nlicense_link: https://x.example/L \r\ntags:\n- a\n---\n"
        "license: mit\n");
    write_text(
        folder, "generation_config.json",
        "{\"temperature\":0.6,\"top_k\":20,\"top_p\":0.95,\"min_p\":\"no\",\"eos_token_id\":[1]}");
    assert_ok(open_folder(folder, false, &s, &err));
    px_str str;
    double f;
    assert_ok(px_source_get_str(s, "general.license", true, &str, &err));
    assert_true(px_str_is(str, "apache-2.0"));
    assert_ok(px_source_get_str(s, "general.license.link", true, &str, &err));
    assert_true(px_str_is(str, "https://x.example/L"));
    assert_ok(px_source_get_float(s, "general.sampling.temp", true, 0, 1, &f, &err));
    assert_true(f == (double)0.6f);
    int64_t k;
    assert_ok(px_source_get_int(s, "general.sampling.top_k", true, 0, 100, &k, &err));
    assert_int_equal(k, 20);
    assert_null(px_source_meta(s, "general.sampling.min_p"));
    px_source_close(s);
    write_text(folder, "generation_config.json", "{");
    assert_refused(open_folder(folder, false, &s, &err), PITH_E_FORMAT,
                   "generation_config.json' line 1");
    unlink(test_format("%s/generation_config.json", folder));
    write_text(folder, "README.md", "no head\nlicense: mit\n");
    assert_ok(open_folder(folder, false, &s, &err));
    assert_null(px_source_meta(s, "general.license"));
    px_source_close(s);
}

static void knows_the_hub_cache(void **state)
{
    (void)state;
    pith_error err;
    px_source *s;
    const char *base = new_folder();
    const char *org = test_format("%s/models--some-org--Some-Model-1B", base);
    const char *snapshots = test_format("%s/snapshots", org),
               *rev = test_format("%s/0123", snapshots);
    assert_int_equal(mkdir(org, 0700) | mkdir(snapshots, 0700) | mkdir(rev, 0700), 0);
    write_text(rev, "config.json", test_format("{%s}", GOOD));
    write_weights(rev, "model.safetensors", WEIGHTS, N_WEIGHTS);
    assert_ok(open_folder(rev, false, &s, &err));
    px_str str;
    assert_ok(px_source_get_str(s, "general.name", true, &str, &err));
    assert_true(px_str_is(str, "Some-Model-1B"));
    assert_ok(px_source_get_str(s, "general.source.repo_url", true, &str, &err));
    assert_true(px_str_is(str, "https://huggingface.co/some-org/Some-Model-1B"));
    px_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_good_one),    cmocka_unit_test(checks_config),
        cmocka_unit_test(refuses_bad_json),      cmocka_unit_test(checks_tensors),
        cmocka_unit_test(refuses_missing_files), cmocka_unit_test(opens_tokenizers_alone),
        cmocka_unit_test(checks_the_index),      cmocka_unit_test(opens_only_files_of_the_model),
        cmocka_unit_test(reads_the_card),        cmocka_unit_test(knows_the_hub_cache),
    };
    return cmocka_run_group_tests_name("hf_bad", tests, NULL, NULL);
}
