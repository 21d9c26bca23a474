/* grammar_json: see grammar_json.h. */
#include "text/grammar_json.h"

static const px_gexpr *seq(px_grules *g, px_gexprs *list)
{
    return px_gexpr_seq(g, list->items, list->n);
}

static const px_gexpr *alt(px_grules *g, px_gexprs *list)
{
    return px_gexpr_alt(g, list->items, list->n);
}

static const px_gexpr *chars(px_grules *g, const char *pairs)
{
    px_grange ranges[8];
    uint32_t n = 0;
    for (; pairs[0]; pairs += 2)
        ranges[n++] = (px_grange){(uint8_t)pairs[0], (uint8_t)pairs[1]};
    return px_gexpr_chars(g, ranges, n, false, false);
}

static const px_gexpr *hex(px_grules *g)
{
    return chars(g, "09afAF");
}

static const px_gexpr *make_space(px_grules *g)
{
    px_gexprs ways = {0}, line = {0};
    px_gexprs_put(g, &line, px_gexpr_repeat(g, px_gexpr_text(g, " "), 0, 32));
    px_gexprs_put(g, &line, px_gexpr_repeat(g, px_gexpr_text(g, "\t"), 1, 8));
    const px_gexpr *parts[2] = {px_gexpr_text(g, "\n"), alt(g, &line)};
    px_gexprs_put(g, &ways, px_gexpr_seq(g, NULL, 0));
    px_gexprs_put(g, &ways, px_gexpr_text(g, " "));
    px_gexprs_put(g, &ways, px_gexpr_seq(g, parts, 2));
    return alt(g, &ways);
}

/* \uXXXX of a whole character: not D800 to DFFF, or a high and a low half. */
static const px_gexpr *make_unicode_escape(px_grules *g)
{
    px_gexprs ways = {0}, pair = {0};
    const px_gexpr *not_d[2] = {chars(g, "09acACefEF"), px_gexpr_repeat(g, hex(g), 3, 3)};
    const px_gexpr *low_d[3] = {chars(g, "ddDD"), chars(g, "07"), px_gexpr_repeat(g, hex(g), 2, 2)};
    px_gexprs_put(g, &pair, chars(g, "ddDD"));
    px_gexprs_put(g, &pair, chars(g, "89abAB"));
    px_gexprs_put(g, &pair, px_gexpr_repeat(g, hex(g), 2, 2));
    px_gexprs_put(g, &pair, px_gexpr_text(g, "\\u"));
    px_gexprs_put(g, &pair, chars(g, "ddDD"));
    px_gexprs_put(g, &pair, chars(g, "cfCF"));
    px_gexprs_put(g, &pair, px_gexpr_repeat(g, hex(g), 2, 2));
    px_gexprs_put(g, &ways, px_gexpr_seq(g, not_d, 2));
    px_gexprs_put(g, &ways, px_gexpr_seq(g, low_d, 3));
    px_gexprs_put(g, &ways, seq(g, &pair));
    const px_gexpr *parts[2] = {px_gexpr_text(g, "u"), alt(g, &ways)};
    return px_gexpr_seq(g, parts, 2);
}

static const px_gexpr *make_char(px_grules *g)
{
    static const px_grange PLAIN[] = {{0x20, 0x21}, {0x23, 0x5b}, {0x5d, 0x10ffff}};
    px_gexprs escapes = {0}, ways = {0};
    px_gexprs_put(g, &escapes, chars(g, "\"\"//\\\\bbffnnrrtt"));
    px_gexprs_put(g, &escapes, make_unicode_escape(g));
    const px_gexpr *escape[2] = {px_gexpr_text(g, "\\"), alt(g, &escapes)};
    px_gexprs_put(g, &ways, px_gexpr_chars(g, PLAIN, 3, false, false));
    px_gexprs_put(g, &ways, px_gexpr_seq(g, escape, 2));
    return alt(g, &ways);
}

static const px_gexpr *make_string(px_grules *g)
{
    const px_gexpr *parts[3] = {px_gexpr_text(g, "\""),
                                px_gexpr_repeat(g, make_char(g), 0, PX_GRAMMAR_MANY),
                                px_gexpr_text(g, "\"")};
    return px_gexpr_seq(g, parts, 3);
}

static const px_gexpr *digits(px_grules *g, uint32_t min, uint32_t max)
{
    return px_gexpr_repeat(g, chars(g, "09"), min, max);
}

static const px_gexpr *make_integer(px_grules *g)
{
    const px_gexpr *more[2] = {chars(g, "19"), digits(g, 0, 15)};
    const px_gexpr *ways[2] = {px_gexpr_text(g, "0"), px_gexpr_seq(g, more, 2)};
    const px_gexpr *parts[2] = {px_gexpr_repeat(g, px_gexpr_text(g, "-"), 0, 1),
                                px_gexpr_alt(g, ways, 2)};
    return px_gexpr_seq(g, parts, 2);
}

static const px_gexpr *make_number(px_grules *g, px_gjson *j)
{
    const px_gexpr *point[2] = {px_gexpr_text(g, "."), digits(g, 1, 16)};
    const px_gexpr *power[3] = {chars(g, "eeEE"), px_gexpr_repeat(g, chars(g, "++--"), 0, 1),
                                digits(g, 1, 2)};
    const px_gexpr *parts[3] = {px_gjson_get(g, j, PX_GJSON_INTEGER),
                                px_gexpr_repeat(g, px_gexpr_seq(g, point, 2), 0, 1),
                                px_gexpr_repeat(g, px_gexpr_seq(g, power, 3), 0, 1)};
    return px_gexpr_seq(g, parts, 3);
}

const px_gexpr *px_gjson_list(px_grules *g, px_gjson *j, const char *open, const px_gexpr *item,
                              const char *close)
{
    const px_gexpr *space = px_gjson_get(g, j, PX_GJSON_SPACE);
    const px_gexpr *more[3] = {px_gexpr_text(g, ","), space, item};
    const px_gexpr *items[3] = {space, item,
                                px_gexpr_repeat(g, px_gexpr_seq(g, more, 3), 0, PX_GRAMMAR_MANY)};
    const px_gexpr *parts[4] = {px_gexpr_text(g, open),
                                px_gexpr_repeat(g, px_gexpr_seq(g, items, 3), 0, 1), space,
                                px_gexpr_text(g, close)};
    return px_gexpr_seq(g, parts, 4);
}

static const px_gexpr *make_value(px_grules *g, px_gjson *j)
{
    const px_gexpr *ways[7] = {px_gjson_get(g, j, PX_GJSON_STRING),
                               px_gjson_get(g, j, PX_GJSON_NUMBER),
                               px_gjson_get(g, j, PX_GJSON_OBJECT),
                               px_gjson_get(g, j, PX_GJSON_ARRAY),
                               px_gexpr_text(g, "true"),
                               px_gexpr_text(g, "false"),
                               px_gexpr_text(g, "null")};
    return px_gexpr_alt(g, ways, 7);
}

static const px_gexpr *make_object(px_grules *g, px_gjson *j)
{
    const px_gexpr *member[4] = {px_gjson_get(g, j, PX_GJSON_STRING), px_gexpr_text(g, ":"),
                                 px_gjson_get(g, j, PX_GJSON_SPACE),
                                 px_gjson_get(g, j, PX_GJSON_VALUE)};
    return px_gjson_list(g, j, "{", px_gexpr_seq(g, member, 4), "}");
}

static const px_gexpr *make_part(px_grules *g, px_gjson *j, px_gjson_part part)
{
    switch (part) {
    case PX_GJSON_SPACE:
        return make_space(g);
    case PX_GJSON_CHAR:
        return make_char(g);
    case PX_GJSON_STRING:
        return make_string(g);
    case PX_GJSON_INTEGER:
        return make_integer(g);
    case PX_GJSON_NUMBER:
        return make_number(g, j);
    case PX_GJSON_OBJECT:
        return make_object(g, j);
    case PX_GJSON_ARRAY:
        return px_gjson_list(g, j, "[", px_gjson_get(g, j, PX_GJSON_VALUE), "]");
    case PX_GJSON_VALUE:
        return make_value(g, j);
    }
    return NULL;
}

const px_gexpr *px_gjson_get(px_grules *g, px_gjson *j, px_gjson_part part)
{
    static const char *const NAMES[] = {"white space", "character", "string", "integer",
                                        "number",      "object",    "array",  "value"};
    if (!(j->has & (1u << part))) {
        uint32_t rule = px_grules_add(g, px_str_of(NAMES[part]));
        if (rule == UINT32_MAX)
            return NULL;
        j->has |= 1u << part; // first, since values hold values
        j->rules[part] = rule;
        const px_gexpr *body = make_part(g, j, part);
        g->rules[rule].body = body;
    }
    return px_gexpr_rule(g, j->rules[part]);
}

pith_status px_gjson_object(px_grules *g, uint32_t *root, pith_error *err)
{
    px_gjson j = {0};
    px_gjson_get(g, &j, PX_GJSON_OBJECT);
    *root = j.rules[PX_GJSON_OBJECT];
    return px_grules_status(g, err);
}
