#include "cmd/replay/replay_request.h"

#include <stdio.h>

static void
key_text(const struct key_config *key, char *out, size_t size)
{
    snprintf(out, size, "Bearer replay-key-%u", key->index);
}

void
replay_keys_replace(struct config *config)
{
    map_free(&config->key_by_digest);
    map_init(&config->key_by_digest);
    for (size_t i = 0; i < config->key_count; i++) {
        struct key_config *key = &config->keys[i];
        char text[80];

        key_text(key, text, sizeof(text));
        key->sha256 = hash_sha256(slice_from(slice_of(text), strlen("Bearer ")));
        map_put(&config->key_by_digest, slice_make((const char *)key->sha256.bytes, sizeof(key->sha256.bytes)), key);
    }
}

void
replay_writer_init(struct replay_writer *writer, const struct config *config, const struct route_config *route,
                   const struct key_config *key)
{
    *writer = (struct replay_writer){.config = config, .route = route, .key = key};
}

void
replay_writer_free(struct replay_writer *writer)
{
    buffer_free(&writer->body);
    buffer_free(&writer->blocks);
}

/* Who asks for what */

static const struct route_config *
find_route(struct replay_writer *writer, const struct trace_request *request)
{
    const struct route_config *route = request->route.len != 0 ? config_route(writer->config, request->route) : NULL;

    if (route == NULL && request->route.len != 0)
        writer->rerouted++;
    return route != NULL ? route : writer->route;
}

static const struct key_config *
find_key(const struct replay_writer *writer, struct slice name)
{
    for (size_t i = 0; i < writer->config->key_count && name.len != 0; i++)
        if (slice_is(name, writer->config->keys[i].name))
            return &writer->config->keys[i];
    return writer->key;
}

/* As the trace says, where the route's reference speaks that API; else the dialect's usual one. */
static enum api
find_api(const struct route_config *route, struct slice name)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_MESSAGES};
    enum dialect dialect = route->reference.backend->dialect;

    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++)
        if (slice_is(name, api_name(apis[i])) && api_dialect(apis[i]) == dialect)
            return apis[i];
    return dialect == DIALECT_ANTHROPIC ? API_MESSAGES : API_CHAT;
}

/* The body */

static void
add_filler(struct buffer *out, size_t len)
{
    static const char words[] =
        "the replay knows how long this prompt was and not one word of what it said so here are "
        "others of the same length that mean nothing at all and are never shown to any model  ";

    while (len > 0) {
        struct slice piece = slice_first(SLICE_LITERAL(words), len);

        buffer_add(out, piece);
        len -= piece.len;
    }
}

/* Where a trace names no blocks, nobody knows what prompts have in common, and no engine will find anything: then they begin
 * with a number of their own, or the gateway would take each for the same text again. */
static size_t
add_number_of_its_own(uint64_t number, size_t most, struct buffer *out)
{
    char text[40];
    struct slice name;

    snprintf(text, sizeof(text), "%llu of these prompts: ", (unsigned long long)number);
    name = slice_first(slice_of(text), most);
    buffer_add(out, name);
    return name.len;
}

/* A block begins with its name, so that what begins with other blocks begins with other bytes. */
static void
add_prompt(const struct trace_request *request, uint64_t number, struct buffer *out)
{
    size_t left = (size_t)request->input_tokens * REPLAY_BYTES_PER_TOKEN;

    if (request->block_count == 0)
        left -= add_number_of_its_own(number, left, out);

    for (size_t i = 0; i < request->block_count && left > 0; i++) {
        size_t size = TRACE_BLOCK_TOKENS * REPLAY_BYTES_PER_TOKEN, before = buffer_len(out), named;

        size = size < left ? size : left;
        buffer_add_text(out, "block ");
        buffer_add_number(out, request->blocks[i]);
        buffer_add_byte(out, ' ');
        named = buffer_len(out) - before;
        add_filler(out, size > named ? size - named : 0);
        left -= size;
    }
    add_filler(out, left);
}

static void
add_body(const struct trace_request *request, uint64_t number, enum api api, const char *model, struct buffer *out)
{
    bool turns = api == API_CHAT || api == API_MESSAGES;

    buffer_clear(out);
    buffer_add_text(out, "{\"model\":\"");
    buffer_add_json(out, slice_of(model));
    buffer_add_text(out, request->streamed ? "\",\"stream\":true," : "\",");
    if (api == API_MESSAGES)
        buffer_printf(out, "\"max_tokens\":%lld,",
                      (long long)(request->output_tokens > 4096 ? request->output_tokens : 4096));
    buffer_add_text(out, turns                    ? "\"messages\":[{\"role\":\"user\",\"content\":\""
                         : api == API_COMPLETIONS ? "\"prompt\":\""
                                                  : "\"input\":\"");
    add_prompt(request, number, out);
    buffer_add_text(out, turns ? "\"}]}" : "\"}");
}

/* The head */

static void
add_header(struct replay_writer *writer, struct http_head *head, const char *name, const char *value)
{
    ENSURE(head->header_count < REPLAY_HEADERS_MOST);
    writer->headers[head->header_count++] = (struct http_header){slice_of(name), slice_of(value)};
}

static void
add_number(struct replay_writer *writer, struct http_head *head, const char *name, int64_t number, char text[24])
{
    snprintf(text, 24, "%lld", (long long)(number > 0 ? number : 1));
    add_header(writer, head, name, text);
}

static void
add_lengths(struct replay_writer *writer, const struct trace_request *request, struct http_head *head)
{
    add_number(writer, head, "x-twin-prompt-tokens", request->input_tokens, writer->input);
    add_number(writer, head, "x-twin-output-tokens", request->output_tokens, writer->output);
    if (request->block_count == 0)
        return;
    add_number(writer, head, "x-twin-block-tokens", TRACE_BLOCK_TOKENS, writer->block);
    buffer_clear(&writer->blocks);
    for (size_t i = 0; i < request->block_count; i++) {
        buffer_add_text(&writer->blocks, i > 0 ? "," : "");
        buffer_add_number(&writer->blocks, request->blocks[i]);
    }
    buffer_add_byte(&writer->blocks, '\0');
    add_header(writer, head, "x-twin-blocks", writer->blocks.data);
}

static void
add_headers(struct replay_writer *writer, const struct trace_request *request, struct http_head *head)
{
    const struct key_config *key = find_key(writer, request->key);

    head->headers = writer->headers;
    add_header(writer, head, "host", "equipoise.replay");
    add_header(writer, head, "content-type", "application/json");
    if (key != NULL) {
        key_text(key, writer->authorization, sizeof(writer->authorization));
        add_header(writer, head, "authorization", writer->authorization);
    }
    if (request->conversation.len != 0)
        writer->headers[head->header_count++] =
            (struct http_header){SLICE_LITERAL("x-session-id"), request->conversation};
    add_lengths(writer, request, head);
}

void
replay_write(struct replay_writer *writer, const struct trace_request *request, struct play_request *out)
{
    const struct route_config *route = find_route(writer, request);
    enum api api = find_api(route, request->api);

    add_body(request, ++writer->written, api, route->name, &writer->body);
    writer->rounded += request->input_tokens <= 0 || request->output_tokens <= 0 ? 1 : 0;
    out->at_us = request->at_us;
    out->body = buffer_content(&writer->body);
    out->head = (struct http_head){
        .method = SLICE_LITERAL("POST"), .target = slice_of(api_path(api)), .body_len = (int64_t)out->body.len};
    add_headers(writer, request, &out->head);
}
