/*
 * limits: the caps that hostile input meets, in one place. A file that exceeds one is refused with
 * PITH_E_LIMIT or PITH_E_FORMAT and the cap in the sentence. They are far above what real models
 * use (in brackets).
 */
#ifndef PX_BASE_LIMITS_H
#define PX_BASE_LIMITS_H

#define PX_MAX_META_KEYS          65536        // keys of a GGUF file [about 40]
#define PX_MAX_KEY_BYTES          65535        // bytes of a key, as the GGUF specification says
#define PX_MAX_TENSORS            65536        // tensors of a model [a 14 B model: about 600]
#define PX_MAX_TENSOR_NAME        256          // bytes of a tensor's name, as written
#define PX_MAX_DIMS               4            // axes of a tensor
#define PX_MAX_ARRAY_DEPTH        4            // arrays inside arrays of metadata
#define PX_MAX_SPLITS             4096         // files of a split model
#define PX_MAX_VOCAB              (1 << 22)    // tokens [gemma 3: 262 144]
#define PX_MAX_TOKEN_BYTES        (1 << 16)    // bytes of one token's text
#define PX_MAX_LAYERS             1024         // [14 B: 48]
#define PX_MAX_WIDTH              (1 << 20)    // hidden size, ffn size, heads times head size
#define PX_MAX_CONTEXT            (1 << 26)    // tokens of context
#define PX_MAX_JSON_BYTES         (64u << 20)  // config, index and template files read whole
#define PX_MAX_TOKENIZER_BYTES    (256u << 20) // tokenizer.json, read as a stream [gemma 3: 33 MB]
#define PX_MAX_SAFETENSORS_HEADER (100u << 20)
#define PX_MAX_JSON_DEPTH         128
#define PX_MAX_REFUSED_BYTES      (64u << 20) // most memory spent on a file before it is accepted

#define PX_MAX_TEMPLATE_BYTES  (1u << 20) // source of a chat template
#define PX_MAX_TEMPLATE_OUTPUT (64u << 20)
#define PX_MAX_TEMPLATE_STEPS  50000000 // nodes evaluated while rendering
#define PX_MAX_TEMPLATE_DEPTH  200      // nesting of expressions, blocks and macro calls
#define PX_MAX_TEMPLATE_MEMORY (256u << 20)

#define PX_MAX_TOOLS       1024  // functions that an answer may call
#define PX_MAX_TOOL_NAME   200   // characters of a function's name
#define PX_MAX_MESSAGES    65536 // of a conversation
#define PX_MAX_TURN_CALLS  1024  // calls of one message of a conversation
#define PX_MAX_REPLY_CALLS 64    // calls that a grammar lets one answer make
#define PX_MAX_REPLY_HEADS 64    // functions whose calls a grammar tells from text by their names

#define PX_MAX_TEXT_BYTES     (256u << 20) // text handed to a tokenizer at once
#define PX_MAX_WORD_BYTES     (64u << 20)  // part of it that has to be merged at once [a word: 10]
#define PX_MAX_BPE_WORDS      (1u << 27) // different words of a corpus that a vocabulary is made of
#define PX_MAX_BPE_WORD_BYTES 4096       // of one of them; longer ones are not counted [a word: 10]
#define PX_MAX_BPE_MEMORY     ((size_t)4 << 30) // for their texts
#define PX_MAX_LORA_RANK      1024              // rank of an adapter's matrices [16]
#define PX_MAX_ADAPTERS       16                // adapters of one session [1]
#define PX_MAX_ADDED_BYTES    1024              // text of an added token [gemma: 93]

#define PX_MAX_GRAMMAR_BYTES  (4u << 20)   // text of a grammar or schema [the longest seen: 200 KB]
#define PX_MAX_GRAMMAR_MEMORY (192u << 20) // while it is read
#define PX_MAX_GRAMMAR_STATES 600000
#define PX_MAX_GRAMMAR_EDGES  3000000
#define PX_MAX_GRAMMAR_DEPTH  250     // brackets inside brackets
#define PX_MAX_GRAMMAR_WORK   3000000 // steps for one token, or for the tokens that may follow it
#define PX_MAX_GRAMMAR_CACHE  (64u << 20) // bytes of one grammar's cached masks

#define PX_MAX_RECORD_BYTES (64u << 20) // a row of a data file
#define PX_MAX_COLUMNS      1024        // of a table

#endif
