/* A route's validators: all that can be wrong with them is found here, before the first answer is judged. */
#include <regex.h>

#include "config/build/build.h"
#include "config/value.h"
#include "dialect/json/json_schema.h"

/* Of calls to validators and judges. */
static const usec CONNECT_US = 5 * USEC_PER_S, ANSWER_US = 30 * USEC_PER_S;
enum { CONNECTIONS_MOST = 16 };

/* glibc's matcher takes exponential time with them, and POSIX does not know them in extended expressions. */
static bool
has_back_reference(const char *regex)
{
    for (; *regex != '\0'; regex++)
        if (*regex == '\\' && *++regex >= '1' && *regex <= '9')
            return true;
        else if (*regex == '\0')
            return false;
    return false;
}

static void
check_regex(struct build *build, const struct yaml_node *at, const char *text)
{
    char why[128];
    regex_t regex;
    int failed = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);

    if (failed) {
        regerror(failed, &regex, why, sizeof why);
        reader_error(&build->reader, at, NULL, "regex: %s", why);
        return;
    }
    regfree(&regex);
    if (has_back_reference(text))
        reader_error(&build->reader, at, "Write out what it repeats, or use `command`.",
                     "regex: back-references such as \\1 are not taken: they can take forever");
}

const struct json_schema *
build_schema(struct build *build, const struct yaml_node *at, const char *text)
{
    char problem[SCHEMA_WORDS_SIZE];
    const struct json_schema *schema = json_schema_compile(build->reader.arena, slice_of(text), problem);

    if (schema == NULL)
        reader_error(&build->reader, at, NULL, "json_schema: %s", problem);
    return schema;
}

void
build_http(struct build *build, const struct yaml_node *at, const char *text, const struct endpoint **out,
           const char **target)
{
    struct arena *arena = build->reader.arena;
    struct endpoint *endpoint = arena_alloc(arena, sizeof(*endpoint));
    struct value_url url;
    const char *why;

    if (value_url(slice_of(text), &url, &why) != OK) {
        reader_error(&build->reader, at, "For example http://127.0.0.1:9000/judge.", "http: not a URL: %s", why);
        return;
    }
    *endpoint = (struct endpoint){
        .id = ++build->config->endpoint_ids,
        .host = arena_slice_text(arena, url.host),
        .port = url.port,
        .tls = url.tls,
        .verify = true,
        .authority = arena_slice_text(arena, url.authority),
        .private_allowed = build_may_be_private(build, at, &url, NULL),
        .connect_timeout_us = CONNECT_US,
        .first_byte_timeout_us = ANSWER_US,
        .idle_timeout_us = ANSWER_US,
        .connections_most = CONNECTIONS_MOST,
    };
    *out = endpoint;
    *target = arena_printf(arena, "%.*s%s%.*s", SLICE_ARGS(url.path.len > 0 ? url.path : SLICE_LITERAL("/")),
                           url.query.data != NULL ? "?" : "",
                           SLICE_ARGS(url.query.data != NULL ? url.query : SLICE_LITERAL("")));
}

void
build_validators(struct build *build, const struct route_draft *draft, struct validator_config *validate)
{
    const struct yaml_node *at = build_place(&draft->entry, "validate");

    if (validate->regex != NULL)
        check_regex(build, yaml_get(at, "regex"), validate->regex);
    if (validate->json_schema != NULL)
        validate->schema = build_schema(build, yaml_get(at, "json_schema"), validate->json_schema);
    if (validate->http != NULL)
        build_http(build, yaml_get(at, "http"), validate->http, &validate->endpoint, &validate->target);
}
