/* grammar_schema: each keyword, what it accepts and what not; what is refused, and where. */
#include "grammar_check.h"

static void schema(const char *text, const char *const *texts)
{
    check_grammar(PX_GRAMMAR_SCHEMA, text, texts);
}

static void refused(const char *text, pith_status status, const char *sentence)
{
    check_refused(PX_GRAMMAR_SCHEMA, text, status, sentence);
}

static void types(void **state)
{
    (void)state;
    schema("{\"type\":\"null\"}", TEXTS("+null", "-0", "~nul"));
    schema("{\"type\":\"boolean\"}", TEXTS("+true", "+false", "-null"));
    schema("{\"type\":\"integer\"}",
           TEXTS("+0", "+-12", "-01", "-1.5", "~-", "+1234567890123456", "-12345678901234567"));
    schema("{\"type\":\"number\"}",
           TEXTS("+0", "+-1.5", "+1e9", "+2.5E-10", "~1.", "-.5", "-1e100", "-NaN"));
    schema("{\"type\":\"string\"}",
           TEXTS("+\"\"", "+\"a\\n\\u00e4\xc3\xa4\"", "-\"\n", "-\"\\x", "+\"\\ud83d\\ude00\"",
                 "-\"\\ud83d\"", "-\"\\ude00", "-\"\xff", "~\"abc"));
    schema("{\"type\":\"array\"}", TEXTS("+[]", "+[1, \"a\",[null]]", "+[ ]", "-[1,]", "~[1"));
    schema("{\"type\":\"object\"}",
           TEXTS("+{}", "+{\"a\": {\"b\":1}, \"c\":[]}", "-{a", "-{\"a\" "));
    schema("{\"type\":[\"string\",\"null\"]}", TEXTS("+\"a\"", "+null", "-1"));
    schema("{\"type\":\"string\",\"nullable\":true}", TEXTS("+\"a\"", "+null", "-1"));
    schema("{}", TEXTS("+1", "+{}", "+[true]", "+\"\""));
    schema("true", TEXTS("+1", "+null"));
    schema("{\"type\":[\"integer\",\"number\"]}", TEXTS("+1", "+1.5"));
    refused("false", PITH_E_FORMAT, "no text is of this grammar");
    refused("{\"type\":\"text\"}", PITH_E_FORMAT, "#/type: expected a type");
    refused("{\"type\":[\"string\",7]}", PITH_E_FORMAT, "#/type/1");
    refused("[1]", PITH_E_FORMAT, "expected a schema");
    refused("{\"type\":", PITH_E_FORMAT, "line 1");
}

static void white_space(void **state)
{
    (void)state;
    schema("{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
           TEXTS("+[1,2]", "+[1, 2]", "+[\n  1,\n  2\n]", "+[\n\t1,\n\t2\n]", "-[1 ,", "-[  1",
                 "-[\n\n", "- [", "-[1] "));
}

static void values(void **state)
{
    (void)state;
    schema("{\"enum\":[\"a\",\"ab\",1,null,{\"k\":[1,\"x\"]},\"q\\\"\\u00e4\\n\"]}",
           TEXTS("+\"a\"", "+\"ab\"", "+1", "+null", "+{\"k\": [1,\"x\"]}", "+{\"k\":[1, \"x\"] }",
                 "+\"q\\\"\xc3\xa4\\n\"", "-\"b", "-2", "-{\"k\":[2"));
    schema("{\"const\":\"x\"}", TEXTS("+\"x\"", "-\"y\""));
    schema("{\"const\":{\"a\":1.5}}", TEXTS("+{\"a\":1.5}", "-{\"a\":2"));
    schema("{\"type\":\"string\",\"enum\":[\"a\",1,\"b\"]}", TEXTS("+\"a\"", "+\"b\"", "-1"));
    schema("{\"enum\":[1,5,9.5],\"minimum\":2,\"type\":\"number\"}", TEXTS("-1", "+5", "+9.5"));
    schema("{\"enum\":[\"a\",\"abc\"],\"minLength\":2}", TEXTS("~\"a", "+\"abc\"", "-\"a\""));
    schema("{\"enum\":[\"a\",\"b\"],\"const\":\"b\"}", TEXTS("+\"b\"", "-\"a"));
    schema("{\"allOf\":[{\"enum\":[1,2,3]},{\"enum\":[2,3,4]}]}", TEXTS("+2", "+3", "-1", "-4"));
    refused("{\"enum\":[]}", PITH_E_FORMAT, "no text");
    refused("{\"enum\":[{}],\"required\":[\"a\"]}", PITH_E_UNSUPPORTED, "#/enum/0");
}

static void strings(void **state)
{
    (void)state;
    schema("{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
           TEXTS("-\"\"", "-\"a\"", "+\"ab\"", "+\"\xc3\xa4\\n\xf0\x9f\x98\x80\"", "-\"abcd"));
    schema("{\"type\":\"string\",\"maxLength\":0}", TEXTS("+\"\"", "-\"a"));
    schema("{\"type\":\"string\",\"minLength\":100}", TEXTS("~\"aaa", "-\"aaa\""));
    schema("{\"type\":\"string\",\"pattern\":\"^[a-c]+\\\\d?$\"}",
           TEXTS("+\"abc\"", "+\"a1\"", "-\"1", "-\"a12"));
    schema("{\"type\":\"string\",\"pattern\":\"b\"}",
           TEXTS("+\"abc\"", "+\"b\"", "~\"aaa", "-\"aa\""));
    schema("{\"type\":\"string\",\"pattern\":\"^a|b$\"}", TEXTS("+\"ax\"", "+\"xb\"", "-\"xa\""));
    schema("{\"type\":\"string\",\"pattern\":\"^\\\"\\\\\\\\\\\\n$\"}", TEXTS("+\"\\\"\\\\\\n\""));
    schema("{\"type\":\"string\",\"pattern\":\"^[^a]$\"}",
           TEXTS("+\"\\n\"", "+\"\\u0000\"", "+\"\\\"\"", "-\"a", "-\"\n"));
    schema("{\"type\":\"string\",\"pattern\":\"^[ab]*$\",\"minLength\":2,\"maxLength\":3}",
           TEXTS("-\"a\"", "+\"ab\"", "+\"bbb\"", "-\"aaaa", "-\"c"));
    schema("{\"allOf\":[{\"pattern\":\"a\"},{\"pattern\":\"b\"}],\"type\":\"string\"}",
           TEXTS("+\"ab\"", "+\"xbya\"", "-\"a\"", "~\"bb"));
    refused("{\"type\":\"string\",\"pattern\":\"(?=a)b\"}", PITH_E_UNSUPPORTED, "#/pattern");
    refused("{\"type\":\"string\",\"pattern\":\"(a)\\\\1\"}", PITH_E_UNSUPPORTED, "escape");
    refused("{\"type\":\"string\",\"pattern\":\"a(\"}", PITH_E_FORMAT, "a ) is missing");
    refused("{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}", PITH_E_FORMAT, "no text");
    refused("{\"type\":\"string\",\"minLength\":-1}", PITH_E_FORMAT, "#/minLength");
    refused("{\"type\":\"string\",\"minLength\":900000}", PITH_E_LIMIT, "states");
}

static void formats(void **state)
{
    (void)state;
    schema("{\"type\":\"string\",\"format\":\"date\"}",
           TEXTS("+\"2024-02-29\"", "-\"2023-02-29\"", "-\"1900-02-29", "+\"2000-02-29\"",
                 "-\"2024-04-31", "-\"2024-13", "+\"2024-12-31\""));
    schema("{\"type\":\"string\",\"format\":\"time\"}",
           TEXTS("+\"23:59:59Z\"", "+\"00:00:00.5+02:00\"", "-\"24", "-\"12:00:00\""));
    schema("{\"type\":\"string\",\"format\":\"date-time\"}",
           TEXTS("+\"2024-02-29T12:00:00Z\"", "-\"2024-02-29 "));
    schema("{\"type\":\"string\",\"format\":\"uuid\"}",
           TEXTS("+\"123e4567-e89b-12d3-a456-426614174000\"", "-\"123e4567e"));
    schema("{\"type\":\"string\",\"format\":\"email\"}",
           TEXTS("+\"a.b@example.com\"", "-\"@", "-\"a@b\""));
    schema("{\"type\":\"string\",\"format\":\"ipv4\"}",
           TEXTS("+\"192.168.0.255\"", "-\"256", "-\"1.2.3\"", "-\"01"));
    schema("{\"type\":\"string\",\"format\":\"ipv6\"}",
           TEXTS("+\"2001:db8::1\"", "+\"::\"", "+\"1:2:3:4:5:6:7:8\"", "-\"1:2\"", "-\"g"));
    schema("{\"type\":\"string\",\"format\":\"uri\"}",
           TEXTS("+\"https://example.com/a?b=c#d\"", "-\"https\"", "-\"1"));
    schema("{\"type\":\"string\",\"format\":\"hostname\"}",
           TEXTS("+\"a.example\"", "-\"-a", "-\"a..b"));
    schema("{\"type\":\"string\",\"format\":\"duration\"}",
           TEXTS("+\"P1DT2H\"", "+\"PT5M\"", "+\"P3W\"", "-\"P\"", "-\"PT\""));
    schema("{\"type\":\"string\",\"format\":\"date\",\"pattern\":\"^2024\"}",
           TEXTS("+\"2024-01-01\"", "-\"2023"));
    refused("{\"type\":\"string\",\"format\":\"iri\"}", PITH_E_UNSUPPORTED, "#/format");
}

static void integers(void **state)
{
    (void)state;
    schema(
        "{\"type\":\"integer\",\"minimum\":3,\"maximum\":120}",
        TEXTS("~2", "-2,", "+3", "+9", "+10", "+99", "+100", "+120", "-121", "-1000", "-0", "--"));
    schema("{\"type\":\"integer\",\"minimum\":-12,\"maximum\":7}",
           TEXTS("+-12", "-13", "--13", "+-9", "+-1", "--0", "+0", "+7", "-8"));
    schema("{\"type\":\"integer\",\"exclusiveMinimum\":0}", TEXTS("-0", "+1", "+99", "--"));
    schema("{\"type\":\"integer\",\"exclusiveMaximum\":0}", TEXTS("-0", "+-1", "+-99", "-1"));
    schema("{\"type\":\"integer\",\"minimum\":2.5,\"maximum\":4.5}", TEXTS("-2", "+3", "+4", "-5"));
    schema("{\"type\":\"integer\",\"minimum\":5,\"maximum\":5}", TEXTS("+5", "-55", "-4"));
    schema("{\"type\":\"integer\",\"minimum\":1e2,\"maximum\":1.5e2}",
           TEXTS("+100", "+150", "-99", "-151", "~15"));
    schema("{\"type\":\"integer\",\"multipleOf\":7}", TEXTS("+0", "+7", "+21", "+-14", "~8", "~1"));
    schema("{\"type\":\"integer\",\"multipleOf\":5,\"minimum\":10,\"maximum\":20}",
           TEXTS("+10", "+15", "+20", "-11", "-25", "-5"));
    refused("{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", PITH_E_FORMAT, "no text");
    refused("{\"type\":\"integer\",\"multipleOf\":100003}", PITH_E_UNSUPPORTED, "multiples");
    refused("{\"type\":\"integer\",\"multipleOf\":0}", PITH_E_FORMAT, "#/multipleOf");
    refused("{\"type\":\"integer\",\"minimum\":1e40}", PITH_E_UNSUPPORTED, "#/minimum");
    refused("{\"type\":\"integer\",\"minimum\":\"1\"}", PITH_E_FORMAT, "expected a number");
}

static void numbers(void **state)
{
    (void)state;
    schema("{\"type\":\"number\",\"minimum\":0,\"maximum\":1}",
           TEXTS("+0", "+0.5", "+1", "+1.0", "-1.1", "-2", "--", "+0.0"));
    schema("{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}",
           TEXTS("~0", "~0.0", "+0.01", "+0.99", "-1"));
    schema(
        "{\"type\":\"number\",\"minimum\":-1.25,\"maximum\":2.5}",
        TEXTS("+-1.25", "+-1.2", "--1.26", "--1.3", "+-0.5", "+2.5", "+2.49", "-2.51", "-3", "+2"));
    schema("{\"type\":\"number\",\"minimum\":1.25,\"maximum\":1.75}",
           TEXTS("~1", "~1.2", "+1.25", "+1.5", "+1.75", "-1.76", "+1.750", "-1.751"));
    schema("{\"type\":\"number\",\"minimum\":100}", TEXTS("~10", "+100", "+100.5", "+12345", "--"));
    schema("{\"type\":\"number\",\"multipleOf\":0.25,\"minimum\":0,\"maximum\":2}",
           TEXTS("+0", "+0.25", "+1.5", "+0.50", "~0.2", "+2", "-2.2", "+1.75"));
    schema("{\"type\":\"number\",\"multipleOf\":0.01}", TEXTS("+1", "+1.5", "+-1.25", "-1.255"));
    schema("{\"type\":\"number\",\"multipleOf\":2}", TEXTS("+2", "+10", "~3", "-2.0"));
}

static void arrays(void **state)
{
    (void)state;
    schema("{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":3}",
           TEXTS("-[]", "+[1]", "+[1,2,3]", "-[1,2,3,", "-[\"a"));
    schema("{\"type\":\"array\",\"maxItems\":0}", TEXTS("+[]", "-[1"));
    schema("{\"type\":\"array\",\"minItems\":2}", TEXTS("-[1]", "+[1,\"a\"]", "+[1,2,3]"));
    schema("{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}",
           TEXTS("+[]", "+[1]", "+[1,\"a\"]", "-[1,2", "-[1,\"a\","));
    schema("{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"}],\"items\":{\"type\":"
           "\"null\"},"
           "\"minItems\":2}",
           TEXTS("-[1]", "+[1,null]", "+[1,null,null]", "-[1,2"));
    schema("{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2},{\"const\":3}],"
           "\"minItems\":2,\"items\":false}",
           TEXTS("-[1]", "+[1,2]", "+[1,2,3]", "-[1,2,3,"));
    schema("{\"type\":\"array\",\"items\":[{\"const\":1}],\"additionalItems\":{\"const\":2}}",
           TEXTS("+[1]", "+[1,2,2]", "-[2"));
    schema("{\"type\":\"array\",\"items\":false}", TEXTS("+[]", "-[1"));
    schema("{\"type\":\"array\",\"uniqueItems\":false}", TEXTS("+[1,1]"));
    refused("{\"type\":\"array\",\"uniqueItems\":true}", PITH_E_UNSUPPORTED, "#/uniqueItems");
    refused("{\"type\":\"array\",\"contains\":{\"const\":1}}", PITH_E_UNSUPPORTED, "#/contains");
    refused("{\"type\":\"array\",\"items\":false,\"minItems\":1}", PITH_E_FORMAT, "no text");
}

static void objects(void **state)
{
    (void)state;
    const char *three =
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
        "\"null\"},\"c\":{\"type\":\"boolean\"}},\"required\":[\"b\"]}";
    schema(three,
           TEXTS("+{\"b\":null}", "+{\"a\":1,\"b\":null}", "+{\"a\": 1, \"b\": null, \"c\": true}",
                 "+{\"b\":null,\"c\":false}", "-{}", "-{\"a\":1}", "-{\"c\"", "-{\"b\":null,\"a\"",
                 "-{\"x\"", "-{\"b\":null,\"b\""));
    schema(
        "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2}}}",
        TEXTS("+{}", "+{\"a\":1}", "+{\"b\":2}", "+{\"a\":1,\"b\":2}", "-{\"b\":2,\"a\"", "-{,"));
    schema("{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1}},\"additionalProperties\":{"
           "\"const\":2}}",
           TEXTS("+{}", "+{\"a\":1}", "+{\"a\":1,\"b\":2,\"c\":2}", "+{\"ab\":2}", "+{\"\":2}",
                 "-{\"a\":2", "-{\"b\":1", "-{\"b\":2,\"a\"", "-{\"\\u0061\"", "+{\"\\\"\":2}"));
    schema("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
           TEXTS("+{}", "+{\"x\":1,\"y\":2}", "-{\"x\":\""));
    schema(
        "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1}},\"additionalProperties\":false,"
        "\"required\":[\"a\"]}",
        TEXTS("+{\"a\":1}", "-{}", "-{\"b"));
    schema("{\"type\":\"object\",\"required\":[\"z\"]}",
           TEXTS("+{\"z\":[1]}", "-{}", "+{\"z\":1,\"y\":2}"));
    schema("{\"type\":\"object\",\"patternProperties\":{\"^n_\":{\"type\":\"integer\"},\"_s$\":{"
           "\"type\":"
           "\"string\"}},\"additionalProperties\":false}",
           TEXTS("+{}", "+{\"n_a\":1}", "+{\"a_s\":\"\"}", "-{\"n_s\":1", "-{\"x\""));
    schema("{\"type\":\"object\",\"properties\":{\"n_x\":{\"minimum\":5}},\"patternProperties\":{"
           "\"^n_\":{"
           "\"type\":\"integer\"}}}",
           TEXTS("+{\"n_x\":5}", "-{\"n_x\":4}", "+{\"n_x\":7,\"n_y\":1}", "-{\"n_x\":\""));
    schema("{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-z]+$\"}}",
           TEXTS("+{\"a\":1}", "-{\"A", "-{\"\""));
    schema("{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{},\"c\":{}},\"minProperties\":2}",
           TEXTS("-{}", "-{\"a\":1}", "+{\"a\":1,\"c\":1}", "+{\"b\":1,\"c\":1}", "-{\"c\":1}"));
    schema("{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{},\"c\":{}},\"maxProperties\":1}",
           TEXTS("+{}", "+{\"b\":1}", "-{\"a\":1,"));
    schema("{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":2,\"additionalProperties\":{"
           "\"const\":1}}",
           TEXTS("-{}", "+{\"a\":1}", "+{\"a\":1,\"b\":1}", "-{\"a\":1,\"b\":1,"));
    schema("{\"type\":\"object\",\"properties\":{\"\\\"\\u00e4\":{\"const\":1}}}",
           TEXTS("+{\"\\\"\xc3\xa4\":1}"));
    schema("{\"type\":\"object\",\"properties\":{\"a\":false,\"b\":{\"const\":1}}}",
           TEXTS("+{}", "+{\"b\":1}", "-{\"a"));
    schema("{\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"minProperties\":2,"
           "\"additionalProperties\":{\"const\":1}}",
           TEXTS("-{\"a\":0}", "+{\"a\":0,\"b\":0}", "+{\"b\":0,\"c\":1}", "-{\"c\":1}"));
    refused("{\"type\":\"object\",\"minProperties\":2}", PITH_E_UNSUPPORTED, "minProperties");
    refused("{\"type\":\"object\",\"properties\":{\"a\":false},\"required\":[\"a\"]}",
            PITH_E_FORMAT, "no text");
    refused("{\"type\":\"object\",\"dependentRequired\":{\"a\":[\"b\"]}}", PITH_E_UNSUPPORTED,
            "#/dependentRequired");
    refused("{\"properties\":{\"a/b\":{\"items\":{\"not\":{\"type\":\"null\"}}}}}",
            PITH_E_UNSUPPORTED, "#/properties/a~1b/items/not");
    refused("{\"type\":\"object\",\"properties\":7}", PITH_E_FORMAT, "#/properties");
}

static void what_is_meant(void **state)
{
    (void)state;
    schema("{\"properties\":{\"a\":{\"minimum\":1}},\"required\":[\"a\"]}",
           TEXTS("+{\"a\":1}", "-1"));
    schema("{\"minLength\":1}", TEXTS("+\"a\"", "-1"));
    schema("{\"items\":{\"const\":1},\"maxLength\":1}", TEXTS("+[1]", "+\"a\"", "-null"));
    schema("{\"type\":\"object\",\"unevaluatedProperties\":false}", TEXTS("+{}", "-{\"a"));
    schema("{\"type\":\"array\",\"unevaluatedItems\":false}", TEXTS("+[]", "-[1"));
    schema("{\"allOf\":[{\"properties\":{\"a\":{\"const\":1}}}],\"unevaluatedProperties\":false,"
           "\"type\":\"object\"}",
           TEXTS("+{\"a\":1}", "+{}", "-{\"b"));
    /* A branch without a type lets null pass, though it means objects. */
    refused("{\"oneOf\":[{\"properties\":{\"a\":{}}},{\"type\":\"null\"}]}", PITH_E_UNSUPPORTED,
            "#/oneOf");
}

static void branches(void **state)
{
    (void)state;
    schema("{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":1}]}",
           TEXTS("+1", "+\"a\"", "-\"ab", "-null"));
    schema("{\"type\":\"object\",\"properties\":{\"k\":{}},\"required\":[\"k\"],\"anyOf\":[{"
           "\"properties\":{"
           "\"k\":{\"const\":1}}},{\"properties\":{\"k\":{\"const\":2},\"m\":{\"const\":3}},"
           "\"required\":[\"m\"]}]}",
           TEXTS("+{\"k\":1}", "+{\"k\":2,\"m\":3}", "-{\"k\":2}", "-{\"k\":3"));
    schema("{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"integer\"}]}", TEXTS("+null", "+1", "-\""));
    schema("{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"t\":{\"const\":\"a\"}},\"required\":"
           "[\"t\"]},"
           "{\"type\":\"object\",\"properties\":{\"t\":{\"const\":\"b\"},\"x\":{}},\"required\":["
           "\"t\"]}]}",
           TEXTS("+{\"t\":\"a\"}", "+{\"t\":\"b\",\"x\":1}", "-{\"t\":\"a\",", "-{\"t\":\"c"));
    schema("{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"a\":{}},\"required\":[\"a\"]},"
           "{\"type\":\"object\",\"properties\":{\"b\":{}},\"required\":[\"b\"]}]}",
           TEXTS("+{\"a\":1}", "+{\"b\":1}", "-{\"a\":1,"));
    schema("{\"allOf\":[{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]},{"
           "\"properties\":{"
           "\"a\":{\"minimum\":3},\"b\":{\"const\":1}}}],\"type\":\"object\"}",
           TEXTS("+{\"a\":3}", "-{\"a\":2}", "+{\"a\":10,\"b\":1}"));
    schema("{\"allOf\":[{\"anyOf\":[{\"const\":1},{\"const\":2}]},{\"anyOf\":[{\"const\":2},{"
           "\"const\":3}]}]}",
           TEXTS("+2", "-1", "-3"));
    schema(
        "{\"oneOf\":[{\"const\":\"a\"},{\"enum\":[1,null]},{\"type\":\"array\",\"maxItems\":0}]}",
        TEXTS("+\"a\"", "+1", "+null", "+[]", "-2"));
    schema("{\"not\":false,\"type\":\"null\"}", TEXTS("+null"));
    refused("{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", PITH_E_UNSUPPORTED,
            "#/oneOf: branches 0 and 1");
    refused("{\"anyOf\":[]}", PITH_E_FORMAT, "#/anyOf");
    refused("{\"if\":{},\"then\":{}}", PITH_E_UNSUPPORTED, "#/if");
}

static void references(void **state)
{
    (void)state;
    schema("{\"$ref\":\"#/$defs/"
           "n\",\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":"
           "\"integer\"},\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
           "n\"},{\"type\":\"null\"}]}},\"required\":[\"v\","
           "\"next\"]}}}",
           TEXTS("+{\"v\":1,\"next\":null}", "+{\"v\":1,\"next\":{\"v\":2,\"next\":null}}",
                 "-{\"v\":1}"));
    schema("{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}", TEXTS("+[]", "+[[],[[]]]", "-[1"));
    schema(
        "{\"definitions\":{\"a/b\":{\"c d\":{\"const\":1}}},\"$ref\":\"#/definitions/a~1b/c%20d\"}",
        TEXTS("+1", "-2"));
    schema("{\"prefixItems\":[{\"const\":4}],\"type\":\"array\",\"items\":{\"$ref\":\"#/"
           "prefixItems/0\"}}",
           TEXTS("+[4,4]", "-[4,5"));
    schema("{\"$defs\":{\"a\":{\"minimum\":3}},\"$ref\":\"#/$defs/a\",\"type\":\"integer\"}",
           TEXTS("+3", "~2"));
    schema("{\"$defs\":{\"b\":{\"anyOf\":[{\"const\":1},{\"const\":2}]}},\"$ref\":\"#/$defs/"
           "b\",\"type\":\"integer\"}",
           TEXTS("+1", "+2", "-3"));
    refused("{\"$ref\":\"#/nowhere\"}", PITH_E_FORMAT, "#/$ref: $ref '#/nowhere' leads nowhere");
    refused("{\"$ref\":\"#/anyOf/first\",\"$defs\":{},\"anyOf\":[true]}", PITH_E_FORMAT,
            "'#/anyOf/first' leads nowhere");
    refused("{\"type\":\"string\",\"maxLength\":1.5}", PITH_E_FORMAT, "a whole number from 0 on");
    refused("{\"type\":\"string\",\"minLength\":1e300}", PITH_E_LIMIT, "smaller");
    refused("{\"$ref\":\"other.json\"}", PITH_E_UNSUPPORTED, "#/$ref");
    refused("{\"$ref\":\"#\"}", PITH_E_FORMAT, "back to itself");
    refused("{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", PITH_E_FORMAT, "back to itself");
    refused("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
            PITH_E_FORMAT, "no text");
}

static void choices_and_regexes(void **state)
{
    (void)state;
    check_grammar(PX_GRAMMAR_CHOICE, "[\"yes\",\"no\",\"\xc3\xa4\"]",
                  TEXTS("+yes", "+no", "+\xc3\xa4", "-x"));
    check_refused(PX_GRAMMAR_CHOICE, "[]", PITH_E_FORMAT, "not empty");
    check_refused(PX_GRAMMAR_CHOICE, "[1]", PITH_E_FORMAT,
                  "#/0: found a number, expected a string");
    check_grammar(PX_GRAMMAR_REGEX, "[a-z]+@\\w{2,3}\\.(com|org)",
                  TEXTS("+ab@xy.com", "-@", "-a@x.", "~a@xyz.or"));
    check_grammar(PX_GRAMMAR_REGEX, "^(?:a|bc)*?x{2}$", TEXTS("+xx", "+abcxx", "-ax\n"));
    check_grammar(PX_GRAMMAR_REGEX, "a.c",
                  TEXTS("+abc",
                        "+a\xc3\xa4"
                        "c",
                        "-a\n"));
    check_grammar(PX_GRAMMAR_REGEX, "[^\\d\\s]\\S\\D", TEXTS("+ab\n", "-1", "- "));
    check_grammar(PX_GRAMMAR_REGEX, "\\*?[\\-\\]x-]", TEXTS("+*-", "+]", "+x", "-**"));
    check_grammar(PX_GRAMMAR_REGEX, "a{,2}", TEXTS("+a{,2}"));
    check_grammar(PX_GRAMMAR_REGEX, "(a*)*b", TEXTS("+aaab", "+b"));
    check_refused(PX_GRAMMAR_REGEX, "a\\b", PITH_E_UNSUPPORTED, "at byte 3");
    check_refused(PX_GRAMMAR_REGEX, "a++", PITH_E_UNSUPPORTED, "possessive");
    check_refused(PX_GRAMMAR_REGEX, "*a", PITH_E_FORMAT, "nothing to repeat");
    check_refused(PX_GRAMMAR_REGEX, "a)", PITH_E_FORMAT, "no (");
    check_refused(PX_GRAMMAR_REGEX, "a{1000000}", PITH_E_LIMIT, "too long");
    check_refused(PX_GRAMMAR_REGEX, "(^a)", PITH_E_UNSUPPORTED, "only at the beginning");
}

/* A class of so many members that none is dropped unseen. */
static void long_class(void **state)
{
    (void)state;
    px_buf text = {0};
    px_buf_putc(&text, '[');
    for (int i = 0; i < 4000; i++)
        px_buf_puts(&text, "\\d");
    px_buf_puts(&text, "\\s]");
    check_grammar(PX_GRAMMAR_REGEX, text.data, TEXTS("+7", "+ ", "-x"));
    px_buf_reset(&text);
    px_buf_putc(&text, '[');
    for (int i = 0; i < 5000; i++)
        px_buf_puts(&text, "\\d");
    px_buf_puts(&text, "\\s]");
    check_refused(PX_GRAMMAR_REGEX, text.data, PITH_E_LIMIT, "a class has too many members");
    px_buf_clear(&text);
}

static void in_gbnf(void **state)
{
    (void)state;
    check_grammar(PX_GRAMMAR_GBNF,
                  "root ::= until(\"</think>\") \"</think>\" \"\\n\"* answer\n"
                  "answer ::= "
                  "json_schema({\"type\":\"object\",\"properties\":{\"a)\":{\"const\":\"}\\\")\"}},"
                  "\"required\":[\"a)\"]}) # end\n",
                  TEXTS("+hm {\"a\": </think>\n\n{\"a)\":\"}\\\")\"}", "~</think>{", "-</think>x"));
    check_refused(PX_GRAMMAR_GBNF, "root ::= json_schema({\"type\":\"x\"})", PITH_E_FORMAT,
                  "#/type");
    check_refused(PX_GRAMMAR_GBNF, "root ::= json_schema({", PITH_E_FORMAT, "closing )");
}

/* {"oneOf" or "allOf":[list A, list B]}, lists of n members, each "%d" of `member`. */
static void refused_lists(const char *of, const char *member_a, const char *member_b, int n,
                          const char *sentence)
{
    px_buf text = {0};
    px_buf_printf(&text, "{\"%s\":[", of);
    for (int i = 0; i < 2; i++) {
        px_buf_puts(&text, i > 0 ? ",{\"enum\":[" : "{\"enum\":[");
        for (int k = 0; k < n; k++) {
            px_buf_puts(&text, k > 0 ? "," : "");
            px_buf_printf(&text, i > 0 ? member_b : member_a, k);
        }
        px_buf_puts(&text, "]}");
    }
    px_buf_puts(&text, "]}");
    refused(text.data, PITH_E_LIMIT, sentence);
    px_buf_clear(&text);
}

/* Lists that are compared one by one would take minutes. */
static void long_lists(void **state)
{
    (void)state;
    refused_lists("allOf", "%d", "-%d.0", 20000,
                  "more than 3000000 comparisons of constants or names; make the lists of enum, "
                  "required or oneOf shorter");
    refused_lists("oneOf", "%d.5", "\"%0020d\"", 20000, "more than 3000000 comparisons");
    schema("{\"allOf\":[{\"enum\":[1,2,3]},{\"enum\":[3,4.0,2]}]}", TEXTS("+2", "+3", "-1", "-4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),      cmocka_unit_test(white_space),
        cmocka_unit_test(values),     cmocka_unit_test(strings),
        cmocka_unit_test(formats),    cmocka_unit_test(integers),
        cmocka_unit_test(numbers),    cmocka_unit_test(arrays),
        cmocka_unit_test(objects),    cmocka_unit_test(branches),
        cmocka_unit_test(references), cmocka_unit_test(choices_and_regexes),
        cmocka_unit_test(in_gbnf),    cmocka_unit_test(what_is_meant),
        cmocka_unit_test(long_lists), cmocka_unit_test(long_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
