/*
 * grammar_format: JSON schema's formats as regular expressions (draft 2020-12, validation, section
 * 7.3). Dates are those of the calendar, leap years too, of the years 1000 to 2999; texts are of
 * the usual form, not all that the RFCs allow: an e-mail address without quotes, a URI with a
 * scheme.
 */
#include "text/grammar_schema_in.h"

#define DAY_OF_MONTH                                                                          \
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(" \
    "?:0[1-9]|1\\d|2[0-8]))"
#define LEAP "(?:[12]\\d(?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)-02-29"
#define DATE "(?:[12]\\d{3}-" DAY_OF_MONTH "|" LEAP ")"
#define TIME \
    "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
#define LABEL    "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
#define HOST     LABEL "(?:\\." LABEL "){0,7}"
#define OCTET    "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define IPV4     OCTET "(?:\\." OCTET "){3}"
#define WORD     "[0-9a-fA-F]{1,4}"
#define URI_CHAR "(?:[a-zA-Z0-9._~!$&'()*+,;=:@/-]|%[0-9a-fA-F]{2})"
#define URI_REST URI_CHAR "{0,200}(?:\\?" URI_CHAR "{0,200})?(?:#" URI_CHAR "{0,100})?"
#define ATOM     "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,32}"

const char *px_gformat_regex(px_json format)
{
    /* "": the words that follow JSON's own types say nothing of the text. */
    static const struct {
        const char *name, *regex;
    } FORMATS[] = {
        {"date", "^" DATE "$"},
        {"time", "^" TIME "$"},
        {"date-time", "^" DATE "T" TIME "$"},
        {"duration",
         "^P(?:\\d{1,4}W|\\d{1,4}Y(?:\\d{1,4}M(?:\\d{1,4}D)?)?|\\d{1,4}M(?:\\d{1,4}D)?|\\d{1,4}D|(?"
         ":\\"
         "d{1,4}D)?T(?:\\d{1,4}H(?:\\d{1,4}M(?:\\d{1,4}S)?)?|\\d{1,4}M(?:\\d{1,4}S)?|\\d{1,4}S))$"},
        {"email", "^" ATOM "(?:\\." ATOM "){0,3}@" LABEL "(?:\\." LABEL "){1,5}$"},
        {"hostname", "^" HOST "$"},
        {"ipv4", "^" IPV4 "$"},
        {"ipv6", "^(?:(?:" WORD ":){7}" WORD "|(?:" WORD ":){1,7}:|(?:" WORD ":){1,6}:" WORD
                 "|(?:" WORD ":){1,5}(?::" WORD "){1,2}|(?:" WORD ":){1,4}(?::" WORD
                 "){1,3}|(?:" WORD ":){1,3}(?::" WORD "){1,4}|(?:" WORD ":){1,2}(?::" WORD
                 "){1,5}|" WORD ":(?::" WORD "){1,6}|:(?:(?::" WORD "){1,7}|:))$"},
        {"uri", "^[a-zA-Z][a-zA-Z0-9+.-]{0,20}:" URI_REST "$"},
        {"uri-reference",
         "^(?:[a-zA-Z][a-zA-Z0-9+.-]{0,20}:)?(?://)?[a-zA-Z0-9._~/-]{0,200}(?:\\?" URI_CHAR
         "{0,200})?(?:#" URI_CHAR "{0,100})?$"},
        {"uuid", "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},
        {"json-pointer", "^(?:/(?:[^~/]|~[01]){0,100}){0,20}$"},
        {"int32", ""},
        {"int64", ""},
        {"float", ""},
        {"double", ""},
    };
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
        if (px_json_is(format, px_str_of(FORMATS[i].name)))
            return FORMATS[i].regex;
    return NULL;
}
