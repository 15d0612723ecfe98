#include "quality/validate.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "dialect/json/json_schema.h"

const char *
validator_name(enum validator validator)
{
    static const char *const names[VALIDATOR_COUNT] = {"json_schema", "regex", "command", "http"};

    return names[validator];
}

bool
validator_is_set(const struct validator_config *config, enum validator validator)
{
    const bool set[VALIDATOR_COUNT] = {config->schema != NULL, config->regex != NULL, config->command != NULL,
                                       config->endpoint != NULL};

    return set[validator];
}

bool
validators_any(const struct validator_config *config)
{
    for (unsigned i = 0; i < VALIDATOR_COUNT; i++)
        if (validator_is_set(config, (enum validator)i))
            return true;
    return false;
}

enum opinion
validate_schema(const struct json_schema *schema, struct slice text, char reason[REASON_SIZE])
{
    char why[SCHEMA_WORDS_SIZE];
    yyjson_read_err error = {0};
    yyjson_doc *doc = yyjson_read_opts((char *)text.data, text.len, YYJSON_READ_NOFLAG, NULL, &error);
    enum schema_verdict verdict;

    if (doc == NULL) {
        snprintf(reason, REASON_SIZE, "json_schema: the answer is not JSON: %s", error.msg);
        return OPINION_NOT;
    }
    verdict = json_schema_check(schema, yyjson_doc_get_root(doc), why);
    yyjson_doc_free(doc);
    if (verdict != SCHEMA_FITS)
        snprintf(reason, REASON_SIZE, "json_schema: %s", why);
    return verdict == SCHEMA_FITS ? OPINION_USEFUL : verdict == SCHEMA_FITS_NOT ? OPINION_NOT : OPINION_UNKNOWN;
}

/* Compiled for each text: glibc locks an expression that threads share. */
enum opinion
validate_regex(const char *regex, struct slice text, char reason[REASON_SIZE])
{
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)text.len};
    regex_t compiled;
    char *copy; /* with a NUL behind it, which some readers of texts rely on */
    int result;

    if (text.len > REGEX_TEXT_MOST || regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB) != 0) {
        snprintf(reason, REASON_SIZE, "regex: the answer is too long to be matched");
        return OPINION_UNKNOWN;
    }
    copy = slice_strdup(text);
    result = regexec(&compiled, copy, 0, &range, REG_STARTEND); /* NULs within are bytes like others */
    free(copy);
    regfree(&compiled);
    if (result == 0)
        return OPINION_USEFUL;
    snprintf(reason, REASON_SIZE, "regex: %s", result == REG_NOMATCH ? "it does not match" : "out of memory");
    return result == REG_NOMATCH ? OPINION_NOT : OPINION_UNKNOWN;
}

enum opinion
validate_exit_status(int exit_status, struct slice output, char reason[REASON_SIZE])
{
    struct slice words = slice_trim(output);

    words = slice_first(words, slice_find_byte(words, '\n'));
    if (exit_status != 0)
        snprintf(reason, REASON_SIZE, "command: exit status %d%s%.*s", exit_status, words.len > 0 ? ": " : "",
                 SLICE_ARGS(words));
    return exit_status == 0 ? OPINION_USEFUL : exit_status == 1 ? OPINION_NOT : OPINION_UNKNOWN;
}

/* 2xx with a body: what the body says. */
static enum opinion
read_useful(struct slice body, char reason[REASON_SIZE])
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc), *useful = yyjson_obj_get(root, "useful");
    const char *words = yyjson_get_str(yyjson_obj_get(root, "reason"));
    enum opinion opinion = yyjson_is_true(useful)    ? OPINION_USEFUL
                           : yyjson_is_false(useful) ? OPINION_NOT
                                                     : OPINION_UNKNOWN;

    if (opinion == OPINION_NOT)
        snprintf(reason, REASON_SIZE, "http: %s", words != NULL ? words : "not useful");
    else if (opinion == OPINION_UNKNOWN)
        snprintf(reason, REASON_SIZE, "http: its answer does not say {\"useful\": true or false}");
    yyjson_doc_free(doc);
    return opinion;
}

enum opinion
validate_http_answer(unsigned status, struct slice body, char reason[REASON_SIZE])
{
    if (status == 204)
        return OPINION_USEFUL;
    if (status >= 200 && status < 300)
        return read_useful(body, reason);
    snprintf(reason, REASON_SIZE, "http: status %u", status);
    return status == 422 ? OPINION_NOT : OPINION_UNKNOWN;
}

void
validate_http_question(struct buffer *out, const char *id, const char *route, struct slice text)
{
    buffer_printf(out, "{\"id\":\"%s\",\"route\":\"", id);
    buffer_add_json(out, slice_of(route));
    buffer_add_text(out, "\",\"text\":\"");
    buffer_add_json(out, text);
    buffer_add_text(out, "\"}");
}
