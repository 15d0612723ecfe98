#include "provider.h"

#include <stdlib.h>

#include "base/list.h"

/* An answer in the making: pieces, as they would be sent. */
struct pieces {
    struct buffer *all;
    size_t count, size;
};

/* What is being answered. */
struct asked {
    const struct provider *provider;
    enum api api;
    bool streamed;
    bool logprobs; /* wanted, and told */
    const char *model;
    struct pieces pieces;
};

static struct buffer *
piece_add(struct asked *asked)
{
    struct pieces *pieces = &asked->pieces;

    if (pieces->count == pieces->size) {
        pieces->size = pieces->size != 0 ? 2 * pieces->size : 16;
        pieces->all = must_realloc(pieces->all, pieces->size * sizeof(struct buffer));
    }
    buffer_init(&pieces->all[pieces->count]);
    return &pieces->all[pieces->count++];
}

static void
pieces_free(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        buffer_free(&pieces->all[i]);
    free(pieces->all);
}

/* Usage */

static void
add_cost(const struct provider *provider, struct buffer *out)
{
    if (provider->provider_cost != NULL)
        buffer_printf(out, ",\"cost\":%s", provider->provider_cost);
    buffer_add_text(out, "}");
}

static void
add_chat_usage(const struct provider *provider, struct buffer *out)
{
    buffer_printf(out,
                  "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                  "\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
                  "\"completion_tokens_details\":{\"reasoning_tokens\":%lld}",
                  (long long)provider->input, (long long)provider->output,
                  (long long)(provider->input + provider->output), (long long)provider->cached,
                  (long long)provider->reasoning);
    add_cost(provider, out);
}

static void
add_responses_usage(const struct provider *provider, struct buffer *out)
{
    buffer_printf(out,
                  "\"usage\":{\"input_tokens\":%lld,\"input_tokens_details\":{\"cached_tokens\":%lld},"
                  "\"output_tokens\":%lld,\"output_tokens_details\":{\"reasoning_tokens\":%lld}",
                  (long long)provider->input, (long long)provider->cached, (long long)provider->output,
                  (long long)provider->reasoning);
    add_cost(provider, out);
}

/* The input's part, and the output so far. */
static void
add_messages_usage(const struct provider *provider, int64_t output, struct buffer *out)
{
    buffer_printf(out,
                  "\"usage\":{\"input_tokens\":%lld,\"cache_read_input_tokens\":%lld,"
                  "\"cache_creation_input_tokens\":%lld,\"cache_creation\":{\"ephemeral_5m_input_tokens\":%lld,"
                  "\"ephemeral_1h_input_tokens\":%lld},\"output_tokens\":%lld}",
                  (long long)provider->input, (long long)provider->cached,
                  (long long)(provider->cache_write_5m + provider->cache_write_1h), (long long)provider->cache_write_5m,
                  (long long)provider->cache_write_1h, (long long)output);
}

static bool
tells_usage(const struct asked *asked)
{
    return asked->provider->usage_place != USAGE_NOWHERE;
}

/* ", usage" where it is told */
static void
add_usage(const struct asked *asked, struct buffer *out)
{
    if (!tells_usage(asked))
        return;
    buffer_add_text(out, ",");
    if (asked->api == API_RESPONSES)
        add_responses_usage(asked->provider, out);
    else if (asked->api == API_MESSAGES)
        add_messages_usage(asked->provider, asked->provider->output, out);
    else
        add_chat_usage(asked->provider, out);
}

struct buffer
provider_text(const struct provider *provider)
{
    struct buffer text = {0};

    for (unsigned i = 0; i < provider->words; i++)
        buffer_printf(&text, "w%u ", i);
    return text;
}

/* Logprobs, of `count` words from `from` on: each is a token. */

static void
put_tokens(const struct asked *asked, unsigned from, unsigned count, struct buffer *out)
{
    buffer_add_text(out, "[");
    for (unsigned i = from; i < from + count; i++)
        buffer_printf(out, "%s{\"token\":\"w%u \",\"logprob\":%.3f,\"bytes\":[119,32],\"top_logprobs\":[]}",
                      i == from ? "" : ",", i, asked->provider->logprob_milli / 1e3);
    buffer_add_text(out, "]");
}

static void
add_logprobs(const struct asked *asked, unsigned from, unsigned count, struct buffer *out)
{
    if (!asked->logprobs)
        return;
    if (asked->api == API_RESPONSES) {
        buffer_add_text(out, ",\"logprobs\":");
        put_tokens(asked, from, count, out);
    } else if (asked->api == API_COMPLETIONS) {
        buffer_add_text(out, ",\"logprobs\":{\"tokens\":[],\"token_logprobs\":[");
        for (unsigned i = 0; i < count; i++)
            buffer_printf(out, "%s%.3f", i == 0 ? "" : ",", asked->provider->logprob_milli / 1e3);
        buffer_add_text(out, "]}");
    } else if (asked->api == API_CHAT) {
        buffer_add_text(out, ",\"logprobs\":{\"content\":");
        put_tokens(asked, from, count, out);
        buffer_add_text(out, ",\"refusal\":null}");
    }
}

/* Buffered */

/* But for its usage and end. */
static void
put_response(const struct asked *asked, struct buffer *out)
{
    struct buffer text = provider_text(asked->provider);

    buffer_printf(out,
                  "{\"id\":\"r1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"%s\",\"output\":[{"
                  "\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"%.*s\"",
                  asked->model, SLICE_ARGS(buffer_content(&text)));
    add_logprobs(asked, 0, asked->provider->words, out);
    buffer_add_text(out, "}]}]");
    buffer_free(&text);
}

static void
make_buffered(struct asked *asked)
{
    struct buffer *out = piece_add(asked), text = provider_text(asked->provider);
    int len = (int)buffer_len(&text);

    switch (asked->api) {
    case API_COMPLETIONS:
        buffer_printf(out, "{\"id\":\"c1\",\"model\":\"%s\",\"choices\":[{\"text\":\"%.*s\",\"finish_reason\":\"stop\"",
                      asked->model, len, text.data);
        add_logprobs(asked, 0, asked->provider->words, out);
        buffer_add_text(out, "}]");
        break;
    case API_RESPONSES:
        put_response(asked, out);
        break;
    case API_EMBEDDINGS:
        buffer_printf(out, "{\"object\":\"list\",\"model\":\"%s\",\"data\":[{\"index\":0,\"embedding\":[0.5,1]}]",
                      asked->model);
        break;
    case API_MESSAGES:
        buffer_printf(out,
                      "{\"id\":\"m1\",\"type\":\"message\",\"model\":\"%s\",\"content\":[{\"type\":\"text\","
                      "\"text\":\"%.*s\"}],\"stop_reason\":\"end_turn\"",
                      asked->model, len, text.data);
        break;
    default:
        buffer_printf(out,
                      "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"%s\",\"choices\":[{\"index\":0,"
                      "\"message\":{\"role\":\"assistant\",\"content\":\"%.*s\"},\"finish_reason\":\"stop\"",
                      asked->model, len, text.data);
        add_logprobs(asked, 0, asked->provider->words, out);
        buffer_add_text(out, "}]");
        break;
    }
    add_usage(asked, out);
    buffer_add_text(out, "}");
    buffer_free(&text);
}

/* Streamed: one event a piece */

static const char *
line_end(const struct asked *asked)
{
    static const char *const ends[] = {[LINES_LF] = "\n", [LINES_CRLF] = "\r\n", [LINES_CR] = "\r"};

    return ends[asked->provider->line_end];
}

/* "data: ..." with an event line before it if `name` is given; multi-line data breaks after the first comma, where JSON
 * allows a line break. */
static void
event_add(struct asked *asked, const char *name, struct buffer *data)
{
    struct buffer *out = piece_add(asked);
    struct slice text = buffer_content(data);
    const char *end = line_end(asked);

    if (name != NULL)
        buffer_printf(out, "event: %s%s", name, end);
    buffer_add_text(out, "data: ");
    if (asked->provider->multi_line && slice_find_byte(text, ',') < text.len) {
        size_t comma = slice_find_byte(text, ',') + 1;

        buffer_add(out, slice_first(text, comma));
        buffer_printf(out, "%sdata: ", end);
        text = slice_from(text, comma);
    }
    buffer_add(out, text);
    buffer_printf(out, "%s%s", end, end);
    buffer_clear(data);
}

static void
pings_add(struct asked *asked)
{
    if (!asked->provider->pings)
        return;
    buffer_printf(piece_add(asked), ": keep-alive%s%s", line_end(asked), line_end(asked));
    if (asked->api == API_MESSAGES) {
        struct buffer data = {0};

        buffer_add_text(&data, "{\"type\": \"ping\"}");
        event_add(asked, "ping", &data);
        buffer_free(&data);
    }
}

static void
make_chat_stream(struct asked *asked, struct buffer *data)
{
    const struct provider *provider = asked->provider;

    if (provider->second_ends) {
        buffer_printf(data, "{\"id\":\"c1\",\"model\":\"%s\",\"choices\":[{\"index\":1,\"delta\":{},", asked->model);
        buffer_add_text(data, "\"finish_reason\":\"stop\"}]}");
        event_add(asked, NULL, data);
    }
    for (unsigned i = 0; i < provider->words; i++) {
        if (asked->api == API_COMPLETIONS)
            buffer_printf(data, "{\"id\":\"c1\",\"model\":\"%s\",\"choices\":[{\"index\":0,\"text\":\"w%u \"",
                          asked->model, i);
        else
            buffer_printf(data,
                          "{\"id\":\"c1\",\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w%u \"}",
                          asked->model, i);
        add_logprobs(asked, i, 1, data);
        buffer_add_text(data, "}]}");
        event_add(asked, NULL, data);
        pings_add(asked);
    }
    buffer_printf(data,
                  "{\"id\":\"c1\",\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                  "\"stop\"}]",
                  asked->model);
    if (provider->usage_place == USAGE_WITH_CHOICES)
        add_usage(asked, data);
    buffer_add_text(data, "}");
    event_add(asked, NULL, data);
    if (provider->usage_place == USAGE_IN_OWN_CHUNK) {
        buffer_printf(data, "{\"id\":\"c1\",\"model\":\"%s\",\"choices\":[]", asked->model);
        add_usage(asked, data);
        buffer_add_text(data, "}");
        event_add(asked, NULL, data);
    }
    buffer_add_text(data, "[DONE]");
    if (!provider->no_done)
        event_add(asked, NULL, data);
}

static void
make_responses_stream(struct asked *asked, struct buffer *data)
{
    buffer_printf(data, "{\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"model\":\"%s\"}}", asked->model);
    event_add(asked, "response.created", data);
    for (unsigned i = 0; i < asked->provider->words; i++) {
        buffer_printf(data, "{\"type\":\"response.output_text.delta\",\"delta\":\"w%u \"", i);
        add_logprobs(asked, i, 1, data);
        buffer_add_text(data, "}");
        event_add(asked, "response.output_text.delta", data);
        pings_add(asked);
    }
    buffer_add_text(data, "{\"type\":\"response.completed\",\"response\":");
    put_response(asked, data);
    add_usage(asked, data);
    buffer_add_text(data, "}}");
    event_add(asked, "response.completed", data);
}

static void
make_message_delta(struct asked *asked, struct buffer *data)
{
    buffer_add_text(data, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}");
    if (tells_usage(asked) && asked->provider->repeats_input)
        add_usage(asked, data);
    else if (tells_usage(asked))
        buffer_printf(data, ",\"usage\":{\"output_tokens\":%lld}", (long long)asked->provider->output);
    buffer_add_text(data, "}");
    event_add(asked, "message_delta", data);
}

static void
make_messages_stream(struct asked *asked, struct buffer *data)
{
    buffer_printf(data, "{\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"model\":\"%s\"",
                  asked->model);
    if (tells_usage(asked)) {
        buffer_add_text(data, ",");
        add_messages_usage(asked->provider, 1, data);
    }
    buffer_add_text(data, "}}");
    event_add(asked, "message_start", data);
    buffer_add_text(data, "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
                          "\"text\":\"\"}}");
    event_add(asked, "content_block_start", data);
    for (unsigned i = 0; i < asked->provider->words; i++) {
        buffer_printf(data,
                      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"w%u "
                      "\"}}",
                      i);
        event_add(asked, "content_block_delta", data);
        pings_add(asked);
    }
    buffer_add_text(data, "{\"type\":\"content_block_stop\",\"index\":0}");
    event_add(asked, "content_block_stop", data);
    make_message_delta(asked, data);
    buffer_add_text(data, "{\"type\":\"message_stop\"}");
    event_add(asked, "message_stop", data);
}

static void
make_answer(struct asked *asked)
{
    struct buffer data = {0};

    if (!asked->streamed)
        make_buffered(asked);
    else if (asked->api == API_RESPONSES)
        make_responses_stream(asked, &data);
    else if (asked->api == API_MESSAGES)
        make_messages_stream(asked, &data);
    else
        make_chat_stream(asked, &data);
    buffer_free(&data);
}

struct buffer
provider_answer(const struct provider *provider, enum api api, bool streamed, const char *model)
{
    struct asked asked = {.provider = provider, .api = api, .streamed = streamed, .model = model};
    struct buffer whole = {0};

    make_answer(&asked);
    for (size_t i = 0; i < asked.pieces.count; i++)
        buffer_add(&whole, buffer_content(&asked.pieces.all[i]));
    pieces_free(&asked.pieces);
    return whole;
}

/* Running */

static enum api
api_of(struct slice target)
{
    static const enum api known[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_EMBEDDINGS, API_MESSAGES};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_find(target, slice_of(api_path(known[i]))) < target.len)
            return known[i];
    return API_CHAT;
}

static bool
says(struct slice body, const char *text)
{
    return slice_find(body, slice_of(text)) < body.len;
}

/* The value of "model" in the body, malloced. Enough for requests that tests write. */
static char *
model_in(struct slice body)
{
    size_t at = slice_find(body, SLICE_LITERAL("\"model\""));
    struct slice rest = slice_from(body, at + 7);

    rest = slice_from(rest, slice_find_byte(rest, '"') + 1);
    return slice_strdup(slice_first(rest, slice_find_byte(rest, '"')));
}

/* As OpenAI does: the extra chunk comes only if asked for. */
static void
ask_for_usage(struct provider *provider, const struct asked *asked, struct slice body)
{
    bool chat = asked->api == API_CHAT || asked->api == API_COMPLETIONS;

    if (asked->streamed && chat && provider->usage_place == USAGE_IN_OWN_CHUNK &&
        !says(body, "\"include_usage\":true") && !says(body, "\"include_usage\": true"))
        provider->usage_place = USAGE_NOWHERE;
}

static void
play_piece(const struct provider *provider, struct slice piece, struct vscript *script)
{
    if (!provider->byte_by_byte) {
        vscript_add(script, play_bytes(piece));
        return;
    }
    for (size_t i = 0; i < piece.len; i++)
        vscript_add(script, play_bytes(slice_first(slice_from(piece, i), 1)));
}

static void
play_answer(const struct asked *asked, struct vscript *script)
{
    const struct provider *provider = asked->provider;
    unsigned words = 0;

    vscript_add(script, play_wait(provider->first_word_us));
    vscript_add(script, play_head(200, asked->streamed ? "content-type: text/event-stream; charset=utf-8\n"
                                                         "transfer-encoding: chunked\nx-ratelimit-remaining: 9"
                                                       : "content-type: application/json\nconnection: keep-alive"));
    for (size_t i = 0; i < asked->pieces.count; i++) {
        struct slice piece = buffer_content(&asked->pieces.all[i]);

        play_piece(provider, piece, script);
        if (!asked->streamed || !says(piece, "\"w"))
            continue;
        words++;
        if (provider->cut_after != 0 && words >= provider->cut_after) {
            vscript_add(script, play_cut());
            return;
        }
        if (provider->stuck_after != 0 && words >= provider->stuck_after) {
            vscript_add(script, play_hang());
            return;
        }
        vscript_add(script, play_wait(provider->word_gap_us));
    }
    vscript_add(script, play_end());
}

static void
play_error(const struct provider *provider, struct vscript *script)
{
    vscript_add(script, play_wait(provider->first_word_us));
    vscript_add(script, play_head(provider->status, "content-type: application/json"));
    vscript_add(script, play_text("{\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}"));
    vscript_add(script, play_end());
}

/* The provider as it answers this call, and what was asked; `model` is malloced. */
static char *
read_call(const struct vcall_seen *seen, struct provider *provider, struct asked *asked)
{
    char *model = model_in(seen->body);

    *asked = (struct asked){.provider = provider, .api = api_of(seen->target)};
    asked->model = provider->model != NULL ? provider->model : model;
    asked->streamed = says(seen->body, "\"stream\":true") || says(seen->body, "\"stream\": true");
    asked->logprobs =
        !provider->tells_none && (says(seen->body, "\"logprobs\":true") || says(seen->body, "\"logprobs\":1") ||
                                  says(seen->body, "message.output_text.logprobs"));
    ask_for_usage(provider, asked, seen->body);
    return model;
}

void
provider_plays(const struct provider *habits, const struct vcall_seen *seen, struct vscript *script)
{
    struct provider provider = *habits;
    struct asked asked;
    char *model;

    if (provider.status != 0 && provider.status != 200) {
        play_error(&provider, script);
        return;
    }
    model = read_call(seen, &provider, &asked);
    make_answer(&asked);
    play_answer(&asked, script);
    pieces_free(&asked.pieces);
    free(model);
}

bool
provider_tells(const struct provider *habits, const struct vcall_seen *seen)
{
    struct provider provider = *habits;
    struct asked asked;

    if (provider.status != 0 && provider.status != 200)
        return false;
    free(read_call(seen, &provider, &asked));
    return tells_usage(&asked);
}

static void
decide(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    provider_plays(context, seen, script);
}

void
provider_runs(struct provider *provider, struct vbackend *backend)
{
    vbackend_decides(backend, decide, provider);
}
