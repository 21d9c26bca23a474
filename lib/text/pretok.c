/*
 * pretok: what the names of tokenizer.ggml.pre stand for. The regular expressions are those of the
 * models' own tokenizer.json files; a step is one Split (isolated), the steps of a name apply one
 * after the other. Where the makers' tokenizer also normalises (Qwen2: NFC), that belongs to the
 * name, though other GGUF programs leave it out.
 *
 * A name is written for a folder's tokenizer when its steps are exactly those of the name.
 */
#include "text/tokenizer.h"

/* clang-format off */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CL100K(numbers) CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(after, numbers) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" after \
    "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" after "|" numbers \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CJK_WORDS "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
#define KANA_WORDS "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define ASCII_PUNCTUATION "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
/* Letters with case, as DeepSeek's file lists them. */
#define LETTERS \
    "[" \
    "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}" \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}" \
    "\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}" \
    "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}" \
    "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}" \
    "\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}" \
    "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}" \
    "\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}" \
    "\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}" \
    "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}" \
    "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}" \
    "\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}" \
    "\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}" \
    "\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}" \
    "\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}" \
    "\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}" \
    "\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}" \
    "\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}" \
    "]"
#define WIDE_PUNCTUATION "[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
/* clang-format on */

/* A step as a definition has it. */
#define CUT(text)                                                              \
    {                                                                          \
        .op = PX_CUT_REGEX, .pattern = {.data = text, .len = sizeof text - 1 } \
    }

#define MAX_STEPS 6

typedef struct pretok {
    int n;
    bool nfc;
    bool ignore_merges;
    bool add_bos, add_eos; // where the file does not say
    px_cut_step steps[MAX_STEPS];
} pretok;

enum {
    GPT_2,
    ROBERTA,
    DEFAULT,
    LLAMA3,
    LLAMA3_PLAIN,
    QWEN2,
    STABLELM2,
    TEKKEN,
    GPT_4O,
    DEEPSEEK_LLM,
    DEEPSEEK_CODER,
    DEEPSEEK_V3,
    FALCON,
    STARCODER,
    BLOOM,
    VIKING,
    QWEN35,
    SEED_CODER,
    N_PRETOKS
};

/* clang-format off */
static const pretok pretoks[N_PRETOKS] = {
    [GPT_2] = {1, .steps = {CUT(GPT2)}},
    [ROBERTA] = {1, .add_eos = true, .steps = {CUT(GPT2)}},
    [DEFAULT] = {4, .steps = {CUT("[\\p{P}\\$\\+<=>\\^~\\|]+"), CUT(GPT2), CUT("\\p{N}+"),
                              CUT("[0-9][0-9][0-9]")}},
    [LLAMA3] = {1, .ignore_merges = true, .add_bos = true, .steps = {CUT(CL100K("\\p{N}{1,3}"))}},
    [LLAMA3_PLAIN] = {1, .steps = {CUT(CL100K("\\p{N}{1,3}"))}},
    [QWEN2] = {1, .nfc = true, .steps = {CUT(CL100K("\\p{N}"))}},
    [STABLELM2] = {1, .steps = {CUT(CL100K("\\p{N}"))}},
    [TEKKEN] = {1, .ignore_merges = true, .add_bos = true, .steps = {CUT(CASED("", "\\p{N}"))}},
    [GPT_4O] = {1, .steps = {CUT(CASED(CONTRACTIONS "?", "\\p{N}{1,3}"))}},
    [DEEPSEEK_LLM] = {6, .steps = {CUT("[\r\n]"), CUT("\\s?" LETTERS "+"),
                                   CUT("\\s?" WIDE_PUNCTUATION), CUT("\\s+$"), CUT(CJK_WORDS),
                                   CUT("\\p{N}+")}},
    [DEEPSEEK_CODER] = {5, .steps = {CUT("[\r\n]"), CUT("\\s?\\p{L}+"), CUT("\\s?\\p{P}+"),
                                     CUT(CJK_WORDS), CUT("\\p{N}")}},
    [DEEPSEEK_V3] = {3, .steps = {CUT("\\p{N}{1,3}"), CUT(KANA_WORDS),
                                  CUT(ASCII_PUNCTUATION "[A-Za-z]+"
                                      "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                                      "| ?[\\p{P}\\p{S}]+[\r\n]*"
                                      "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")}},
    [FALCON] = {3, .steps = {CUT("[\\p{P}\\$\\+<=>\\^~\\|`]+"), CUT(GPT2),
                             CUT("[0-9][0-9][0-9]")}},
    [STARCODER] = {2, .steps = {CUT("\\p{N}"), CUT(GPT2)}},
    [BLOOM] = {1, .steps = {CUT(" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+")}},
    [VIKING] = {2, .steps = {CUT(" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"),
                             CUT("\\p{N}")}},
    [QWEN35] = {1, .nfc = true,
                .steps = {CUT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
                              "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
                              "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")}},
    [SEED_CODER] = {1, .steps = {CUT(CONTRACTIONS "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}"
                                     "| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")}},
};

/* Of the names of one row, the first is the one that is written. */
static const struct {
    const char *name;
    int row;
} names[] = {
    {"gpt-2", GPT_2}, {"phi-2", GPT_2}, {"mpt", GPT_2}, {"olmo", GPT_2}, {"jais", GPT_2},
    {"jina-es", GPT_2}, {"jina-de", GPT_2}, {"jina-v2-es", GPT_2}, {"jina-v2-de", GPT_2},
    {"gigachat", GPT_2}, {"a.x-4.0", GPT_2}, {"mellum", GPT_2}, {"modern-bert", GPT_2},
    {"trillion", GPT_2}, {"granite-docling", GPT_2}, {"exaone4", GPT_2},
    {"roberta-bpe", ROBERTA}, {"jina-v1-en", ROBERTA}, {"jina-v2-code", ROBERTA},
    {"default", DEFAULT},
    {"llama-bpe", LLAMA3}, {"llama3", LLAMA3}, {"llama-v3", LLAMA3}, {"falcon3", LLAMA3},
    {"falcon-h1", LLAMA3}, {"pixtral", LLAMA3}, {"midm-2.0", LLAMA3}, {"lfm2", LLAMA3},
    {"smaug-bpe", LLAMA3_PLAIN}, {"dbrx", LLAMA3_PLAIN}, {"chatglm-bpe", LLAMA3_PLAIN},
    {"glm4", LLAMA3_PLAIN},
    {"qwen2", QWEN2},
    {"stablelm2", STABLELM2}, {"deepseek-r1-qwen", STABLELM2}, {"megrez", STABLELM2},
    {"hunyuan", STABLELM2}, {"grok-2", STABLELM2}, {"solar-open", STABLELM2},
    {"tekken", TEKKEN},
    {"gpt-4o", GPT_4O}, {"llama4", GPT_4O}, {"kanana2", GPT_4O}, {"minimax-m2", GPT_4O},
    {"deepseek-llm", DEEPSEEK_LLM},
    {"deepseek-coder", DEEPSEEK_CODER},
    {"deepseek-v3", DEEPSEEK_V3}, {"hunyuan-dense", DEEPSEEK_V3}, {"joyai-llm", DEEPSEEK_V3},
    {"falcon", FALCON},
    {"smollm", STARCODER}, {"starcoder", STARCODER}, {"refact", STARCODER},
    {"command-r", STARCODER}, {"codeshell", STARCODER}, {"exaone", STARCODER},
    {"minerva-7b", STARCODER},
    {"bloom", BLOOM}, {"poro-chat", BLOOM}, {"gpt3-finnish", BLOOM},
    {"viking", VIKING},
    {"qwen35", QWEN35},
    {"seed-coder", SEED_CODER},
};
/* clang-format on */

static const px_norm_step nfc = {.op = PX_NORM_NFC};

bool px_pretok_by_name(px_str name, px_vocab_def *def)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!px_str_is(name, names[i].name))
            continue;
        const pretok *row = &pretoks[names[i].row];
        def->norms = &nfc;
        def->n_norms = row->nfc;
        def->cuts = row->steps;
        def->n_cuts = row->n;
        def->ignore_merges = row->ignore_merges;
        def->add_bos = row->add_bos;
        def->add_eos = row->add_eos;
        return true;
    }
    return false;
}

/* Whether two steps cut the same; digits have a step of their own in tokenizer.json. */
static bool same_step(const px_cut_step *step, const px_cut_step *row)
{
    if (step->op == PX_CUT_DIGITS)
        return px_str_is(row->pattern, step->flag ? "\\p{N}" : "\\p{N}+");
    return step->op == PX_CUT_REGEX && step->behavior == PX_CUT_ISOLATED && !step->invert &&
           px_str_eq(step->pattern, row->pattern);
}

const char *px_pretok_name(const px_vocab_def *def)
{
    bool is_nfc = def->n_norms == 1 && def->norms[0].op == PX_NORM_NFC;
    if (def->n_norms > 0 && !is_nfc)
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const pretok *row = &pretoks[names[i].row];
        bool same =
            row->n == def->n_cuts && row->nfc == is_nfc && row->ignore_merges == def->ignore_merges;
        for (int k = 0; same && k < row->n; k++)
            same = same_step(&def->cuts[k], &row->steps[k]);
        if (same)
            return names[i].name;
    }
    return NULL;
}
