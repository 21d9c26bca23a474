/*
 * grammar_schema_in: what the files that read schemas share. grammar_schema.c: parts, references,
 * branches; grammar_schema_value.c: values, strings, numbers, arrays; grammar_schema_object.c;
 * grammar_schema_apart.c: whether branches of oneOf exclude each other; grammar_format.c.
 */
#ifndef PX_TEXT_GRAMMAR_SCHEMA_IN_H
#define PX_TEXT_GRAMMAR_SCHEMA_IN_H

#include "base/json.h"
#include "text/grammar_dfa.h"
#include "text/grammar_json.h"
#include "text/grammar_schema.h"

/* Keywords that are looked at. */
#define PX_GKEYWORDS(X)                          \
    X(REF, "$ref")                               \
    X(TYPE, "type")                              \
    X(ENUM, "enum")                              \
    X(CONST, "const")                            \
    X(ALL_OF, "allOf")                           \
    X(ANY_OF, "anyOf")                           \
    X(ONE_OF, "oneOf")                           \
    X(NULLABLE, "nullable")                      \
    X(PROPERTIES, "properties")                  \
    X(REQUIRED, "required")                      \
    X(ADDITIONAL, "additionalProperties")        \
    X(PATTERNS, "patternProperties")             \
    X(NAMES, "propertyNames")                    \
    X(MIN_PROPERTIES, "minProperties")           \
    X(MAX_PROPERTIES, "maxProperties")           \
    X(ITEMS, "items")                            \
    X(PREFIX_ITEMS, "prefixItems")               \
    X(MORE_ITEMS, "additionalItems")             \
    X(MIN_ITEMS, "minItems")                     \
    X(MAX_ITEMS, "maxItems")                     \
    X(UNIQUE, "uniqueItems")                     \
    X(MIN_LENGTH, "minLength")                   \
    X(MAX_LENGTH, "maxLength")                   \
    X(PATTERN, "pattern")                        \
    X(FORMAT, "format")                          \
    X(MINIMUM, "minimum")                        \
    X(MAXIMUM, "maximum")                        \
    X(OPEN_MINIMUM, "exclusiveMinimum")          \
    X(OPEN_MAXIMUM, "exclusiveMaximum")          \
    X(MULTIPLE, "multipleOf")                    \
    X(NOT, "not")                                \
    X(IF, "if")                                  \
    X(THEN, "then")                              \
    X(ELSE, "else")                              \
    X(CONTAINS, "contains")                      \
    X(MIN_CONTAINS, "minContains")               \
    X(DEPENDENT_REQUIRED, "dependentRequired")   \
    X(DEPENDENT_SCHEMAS, "dependentSchemas")     \
    X(OTHER_PROPERTIES, "unevaluatedProperties") \
    X(OTHER_ITEMS, "unevaluatedItems")           \
    X(DEPENDENCIES, "dependencies")              \
    X(DYNAMIC_REF, "$dynamicRef")                \
    X(RECURSIVE_REF, "$recursiveRef")

typedef enum px_gkeyword {
#define PX_GKEYWORD_ENUM(id, name) PX_GKEY_##id,
    PX_GKEYWORDS(PX_GKEYWORD_ENUM)
#undef PX_GKEYWORD_ENUM
        PX_GKEY_N
} px_gkeyword;

/* Types that a value may have. A number is an integer or another one. */
enum {
    PX_GTYPE_NULL = 1,
    PX_GTYPE_BOOLEAN = 2,
    PX_GTYPE_INTEGER = 4,
    PX_GTYPE_REAL = 8,
    PX_GTYPE_STRING = 16,
    PX_GTYPE_ARRAY = 32,
    PX_GTYPE_OBJECT = 64,
    PX_GTYPE_ALL = 127
};

enum { PX_GSKIP_ANY = 1, PX_GSKIP_ONE = 2 }; // branches that are chosen already

/* A schema that must hold. */
typedef struct px_gpart {
    px_json schema; // an object
    uint32_t skip;
    const px_json *keys; // [PX_GKEY_N]
} px_gpart;

enum { PX_GPARTS_MOST = 64 };

typedef struct px_gparts {
    px_gpart list[PX_GPARTS_MOST];
    int n;
    bool never;                       // one of them is false
    const char *seen[PX_GPARTS_MOST]; // schemas that were added
    int n_seen;
    uint64_t open; // bits: of these, those being followed
} px_gparts;

typedef struct px_gmemo px_gmemo;

typedef struct px_gschema {
    px_grules *g;
    const char *name;
    px_json root;
    px_gjson json;
    pith_status st; // the first failure
    pith_error *err;
    px_gmemo *memo; // rules by list of parts
    uint32_t n_memo, cap_memo;
    uint32_t *table; // of memo, + 1
    uint32_t table_size;
    struct px_gkeys *keys; // of schemas met, by place
    uint32_t n_keys, cap_keys, *keys_table, keys_size;
    uint32_t n_branches;
    uint64_t n_compared;        // values with values; long ones count more
    struct px_gmember *members; // of objects that references went through, by name
    uint32_t n_members, members_size;
} px_gschema;

bool px_gschema_ok(const px_gschema *s);
/* Fails: "name: POINTER: sentence". at: the schema, or a value in it. Gives NULL. */
const px_gexpr *px_gschema_fail(px_gschema *s, pith_status status, px_json at, const char *fmt, ...)
    PX_PRINTF(4, 5);
/* Takes over a failure from below, with the pointer before its sentence. */
void px_gschema_take(px_gschema *s, pith_status st, px_json at);
/* The JSON pointer of a value, in the arena. */
const char *px_gschema_pointer(px_gschema *s, px_json at);

/* Adds a schema, following references and allOf. */
void px_gparts_add(px_gschema *s, px_gparts *parts, px_json schema);
/* A call of the rule of these parts. */
const px_gexpr *px_gschema_compile(px_gschema *s, const px_gparts *parts);
const px_gexpr *px_gschema_any(px_gschema *s); // any value
const px_gexpr *px_gschema_none(px_gschema *s);

/* The types that all parts allow. */
uint32_t px_gparts_types(px_gschema *s, const px_gparts *parts);
/* The same, and where no part says a type only those that their keywords are about: a schema with
 * properties means objects, though a validator would let anything else pass. */
uint32_t px_gparts_meant(px_gschema *s, const px_gparts *parts);
/* A keyword that must be a whole number from 0 on: the largest (or smallest) of the parts'. */
bool px_gparts_count(px_gschema *s, const px_gparts *parts, px_gkeyword key, bool largest,
                     uint32_t *out);

/* Values by type; types: bits. */
const px_gexpr *px_gschema_values(px_gschema *s, const px_gparts *parts, uint32_t types);
const px_gexpr *px_gschema_object(px_gschema *s, const px_gparts *parts);
/* The language of strings that the parts hold, NULL where it is all strings (or on failure). */
const px_gdfa *px_gschema_strings(px_gschema *s, const px_gparts *parts, px_gdfa_maker *m);
/* A value exactly, with grammar_json's white space. */
const px_gexpr *px_gschema_exactly(px_gschema *s, px_json value);
/* Whether two values are the same. So many comparisons in all are LIMIT: lists of constants and of
 * names are held against each other one by one. False once the schema has failed. */
bool px_gschema_equal(px_gschema *s, px_json a, px_json b);
uint32_t px_gjson_type(px_json v); // PX_GTYPE_*

/* Whether all branches require one property whose constant differs in each. */
bool px_gschema_told_apart(px_gschema *s, px_json branches);

/* Whether no text that a grammar of one of them makes can be of the other. */
bool px_gschema_apart(px_gschema *s, px_json a, px_json b, int depth);

/* The regular expression of a format; NULL for one that is not known. */
const char *px_gformat_regex(px_json format);

/* The text of a JSON string, in the arena. */
px_str px_gschema_text(px_gschema *s, px_json string);
/* Its JSON: quotes and the fewest escapes. */
px_str px_gschema_quoted(px_gschema *s, px_str text);

#endif
