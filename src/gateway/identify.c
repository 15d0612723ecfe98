/* Who asks, and for what: from the head alone, before a byte of the body is read and before anything is spent. */
#define _GNU_SOURCE /* mempcpy */
#include <stdlib.h>

#include "base/hash.h"
#include "base/text.h"
#include "gateway/exchange.h"
#include "gateway/origin.h"
#include "money/ledger/group.h"

enum { TAGS_MOST = GROUP_TAGS_MOST, TAG_BYTES_MOST = 512 };

/* The client's secret: a bearer token (RFC 6750, 2.1) or one of the two headers that SDKs use. */
static struct slice
presented_key(const struct http_head *head)
{
    struct slice value = http_head_get(head, "authorization");

    if (value.len > 7 && strncasecmp(value.data, "bearer ", 7) == 0)
        return slice_trim(slice_from(value, 7));
    value = http_head_get(head, "x-api-key");
    return value.len > 0 ? value : http_head_get(head, "api-key");
}

static enum status
find_key(struct gateway_worker *worker, const struct http_head *head, struct identity *out, const char **why)
{
    const struct config *config = worker->view->config;
    struct slice presented = presented_key(head);
    struct digest digest;

    out->tenant = config->default_tenant;
    *why = "a page of another site asks (Origin header), and this gateway has no keys that could allow it";
    if (config->key_count == 0)
        return origin_may_ask(head) ? OK : ERR_DENIED;
    *why = "no API key: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'";
    if (presented.len == 0)
        return ERR_DENIED;
    digest = hasher_sha256(&worker->hasher, presented);
    out->key = map_get(&config->key_by_digest, slice_make((const char *)digest.bytes, sizeof(digest.bytes)));
    *why = "this API key is not known here";
    if (out->key == NULL)
        return ERR_DENIED;
    *why = "this API key has expired";
    if (out->key->expires_wall_us != USEC_NEVER && world_wall_us(worker_world(worker)) >= out->key->expires_wall_us)
        return ERR_DENIED;
    out->tenant = out->key->tenant;
    return OK;
}

/* One character of a path's segment, escaped or not. */
static char
take_character(struct slice *segment)
{
    unsigned char byte;
    size_t len = 1;
    char c = segment->data[0];

    if (c == '%' && segment->len >= 3 && text_parse_hex(slice_make(segment->data + 1, 2), &byte, 1) == OK) {
        c = (char)byte;
        len = 3;
    }
    *segment = slice_from(*segment, len);
    return c;
}

/* "." and ".." (RFC 3986, 3.3), also with their dots escaped: many servers take them as steps, and so out of the folder
 * that the configuration names. */
static bool
has_steps(struct slice path)
{
    path = slice_first(path, slice_find_byte(path, '?'));
    while (path.data != NULL) {
        struct slice segment = slice_split(&path, '/');
        size_t dots = 0, others = 0;

        while (segment.len > 0)
            *(take_character(&segment) == '.' ? &dots : &others) += 1;
        if (others == 0 && (dots == 1 || dots == 2))
            return true;
    }
    return false;
}

static enum status
find_passthrough(const struct gateway_worker *worker, struct slice rest, struct identity *out)
{
    size_t name_len = slice_find_byte(rest, '/');

    if (name_len == rest.len)
        return ERR_NOT_FOUND;
    out->api = API_PASSTHROUGH;
    out->passthrough = config_backend(worker->view->config, slice_first(rest, name_len));
    out->passthrough_target = slice_from(rest, name_len);
    return out->passthrough != NULL && !has_steps(out->passthrough_target) ? OK : ERR_NOT_FOUND;
}

static enum status
find_errand(const struct gateway_worker *worker, const struct http_head *head, struct identity *out,
            enum error_kind *kind, const char **why)
{
    struct slice path = slice_first(head->target, slice_find_byte(head->target, '?'));
    bool post = slice_is(head->method, "POST"), get = slice_is(head->method, "GET") || slice_is(head->method, "HEAD");

    *kind = ERROR_NOT_FOUND;
    *why = "no such path here; known are POST /v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings, "
           "/v1/messages, /v1/feedback, GET /v1/models, and /backend/NAME/...";
    for (unsigned api = 0; api < API_PASSTHROUGH; api++) {
        if (!slice_is(path, api_path((enum api)api)))
            continue;
        out->api = (enum api)api;
        *kind = ERROR_WANTS_POST;
        *why = "this path takes POST only";
        return post ? OK : ERR_INVALID;
    }
    if (slice_is(path, "/v1/models") || slice_is(path, "/v1/feedback")) {
        bool models = slice_is(path, "/v1/models");

        out->errand = models ? ERRAND_MODELS : ERRAND_FEEDBACK;
        *kind = models ? ERROR_WANTS_GET : ERROR_WANTS_POST;
        *why = models ? "this path takes GET only" : "this path takes POST only";
        return (models ? get : post) ? OK : ERR_INVALID;
    }
    if (!slice_starts(path, "/backend/"))
        return ERR_NOT_FOUND;
    *why =
        "no such backend: the path is /backend/NAME/... with a name from the configuration and without . or .. parts";
    return find_passthrough(worker, slice_from(head->target, strlen("/backend/")), out);
}

static bool
speaks_anthropic(const struct http_head *head)
{
    return slice_starts(head->target, "/v1/messages") || http_head_get(head, "anthropic-version").len > 0;
}

/* A body that is unpacked may be a thousand times what was sent, and no SDK packs: nothing is (RFC 9110, 15.5.16). */
static bool
is_coded(const struct http_head *head)
{
    struct slice coding = http_head_get(head, "content-encoding");

    return coding.len > 0 && !slice_is_nocase(coding, "identity");
}

enum status
identify(struct gateway_worker *worker, const struct http_head *head, struct identity *out, enum error_kind *kind,
         const char **why)
{
    *out = (struct identity){.errand = ERRAND_INFERENCE,
                             .dialect = speaks_anthropic(head) ? DIALECT_ANTHROPIC : DIALECT_OPENAI};
    *kind = ERROR_UNKNOWN_KEY;
    if (find_key(worker, head, out, why) != OK) {
        if (worker->view->config->key_count == 0)
            *kind = ERROR_FORBIDDEN;
        count(&worker->counters, COUNT_UNKNOWN_KEY, 1);
        return ERR_DENIED;
    }
    if (find_errand(worker, head, out, kind, why) != OK) {
        count(&worker->counters, COUNT_UNKNOWN_PATH, 1);
        return ERR_NOT_FOUND;
    }
    if (out->api != API_PASSTHROUGH && is_coded(head)) {
        *kind = ERROR_CODING;
        *why = "the body comes in a Content-Encoding; send it as it is (accept-encoding: identity)";
        count(&worker->counters, COUNT_CODED_BODY, 1);
        return ERR_INVALID;
    }
    return OK;
}

/* Names and values of tags are plain words: what would break the list, is no text, or commands a terminal that
 * shows it is left out. */
static bool
is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == ' ' || c == ',' || c == '=')
            return false;
    }
    return text.len > 0 && text_is_utf8(text) && text_is_tame(text);
}

struct tag_view {
    struct slice name, value;
};

static void
put_tag(struct tag_view *tags, size_t *count, struct slice name, struct slice value)
{
    if (!is_plain(name) || !is_plain(value))
        return;
    for (size_t i = 0; i < *count; i++) {
        if (slice_equal(tags[i].name, name)) {
            tags[i].value = value;
            return;
        }
    }
    if (*count < TAGS_MOST)
        tags[(*count)++] = (struct tag_view){name, value};
}

static int
by_name(const void *a, const void *b)
{
    struct slice x = ((const struct tag_view *)a)->name, y = ((const struct tag_view *)b)->name;
    int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

    return order != 0 ? order : x.len < y.len ? -1 : x.len > y.len;
}

/* A header beyond its limit is cut between two tags: half a tag would be booked as another one. */
static struct slice
whole_tags(struct slice header)
{
    size_t len = TAG_BYTES_MOST;

    if (header.len <= TAG_BYTES_MOST)
        return header;
    while (len > 0 && header.data[len] != ',')
        len--;
    return slice_first(header, len);
}

struct slice
identify_tags(struct arena *arena, const struct key_config *key, struct slice header)
{
    struct tag_view tags[TAGS_MOST];
    size_t count = 0, len = 0;
    char *text, *end;

    for (size_t i = 0; key != NULL && i < key->tag_count; i++)
        put_tag(tags, &count, slice_of(key->tags[i].name), slice_of(key->tags[i].value));
    header = whole_tags(header);
    while (header.data != NULL && header.len > 0) {
        struct slice value = slice_split(&header, ','), name = slice_trim(slice_split(&value, '='));

        if (value.data != NULL)
            put_tag(tags, &count, name, slice_trim(value));
    }
    if (count == 0)
        return SLICE_NONE;
    qsort(tags, count, sizeof(tags[0]), by_name);
    for (size_t i = 0; i < count; i++)
        len += tags[i].name.len + tags[i].value.len + 2;
    text = end = arena_alloc(arena, len + 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *end++ = ',';
        end = mempcpy(end, tags[i].name.data, tags[i].name.len);
        *end++ = '=';
        end = mempcpy(end, tags[i].value.data, tags[i].value.len);
    }
    return slice_make(text, (size_t)(end - text));
}

uint64_t
identify_conversation(const struct exchange *exchange)
{
    uint64_t salt = exchange->worker->gateway->salt;
    struct slice stated = http_head_get(&exchange->head, "x-equipoise-conversation");

    salt = hash_fast(slice_of(exchange->identity.tenant->name), salt);
    if (stated.len == 0)
        stated = http_head_get(&exchange->head, "x-session-id");
    if (stated.len == 0)
        stated = exchange->facts.conversation;
    if (stated.len == 0)
        stated = exchange->facts.first_turn;
    return stated.len > 0 ? hash_fast(stated, salt) | 1 : 0;
}

bool
identify_free(const struct exchange *exchange)
{
    const struct identity *identity = &exchange->identity;
    struct slice method = exchange->head.method,
                 path = slice_first(identity->passthrough_target, slice_find_byte(identity->passthrough_target, '?'));

    if (identity->api != API_PASSTHROUGH)
        return false;
    if (identity->passthrough->dialect == DIALECT_ANTHROPIC && slice_is(path, "/v1/messages/count_tokens"))
        return true;
    return slice_is(method, "GET") || slice_is(method, "HEAD") || slice_is(method, "DELETE") ||
           slice_is(method, "OPTIONS");
}
