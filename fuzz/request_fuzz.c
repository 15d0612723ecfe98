/* Bodies from anybody: what is taken goes upstream with nothing changed but the model's name, the wish for the usage, and
 * marks for the provider's cache where we put them, whichever of two equal keys a backend believes; what is refused is refused with words that make a JSON error. The
 * first byte chooses the API, the second whether the model is renamed; the rest is the body. */
#include <stdlib.h>
#include <yyjson.h>

#include "base/buffer.h"
#include "dialect/canonical.h"
#include "dialect/errors.h"
#include "dialect/prompt.h"
#include "dialect/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_refusal(const char *why)
{
    struct buffer body = {0};
    yyjson_doc *doc;

    ENSURE(why != NULL && why[0] != '\0');
    error_body(DIALECT_OPENAI, ERROR_BAD_REQUEST, slice_of(why), SLICE_NONE, &body);
    doc = yyjson_read(body.data, buffer_len(&body), YYJSON_READ_NOFLAG);
    ENSURE(doc != NULL);
    yyjson_doc_free(doc);
    buffer_free(&body);
}

static void
splice_into(struct slice body, const struct splice *splices, size_t count, struct buffer *out)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        ENSURE(splices[i].at >= at && splices[i].at + splices[i].len <= body.len);
        buffer_add(out, slice_make(body.data + at, splices[i].at - at));
        buffer_add(out, splices[i].with);
        at = splices[i].at + splices[i].len;
    }
    buffer_add(out, slice_from(body, at));
}

static bool
key_is(yyjson_val *key, const char *name)
{
    return yyjson_equals_str(key, name);
}

/* Every include_usage among the options is true, and there is one; all others are as they were. */
static void
check_options(yyjson_val *before, yyjson_val *after)
{
    size_t i, count, told = 0;
    yyjson_val *key, *value;

    ENSURE(yyjson_is_obj(after));
    yyjson_obj_foreach(after, i, count, key, value)
    {
        if (!key_is(key, "include_usage"))
            continue;
        ENSURE(yyjson_is_true(value));
        told++;
    }
    ENSURE(told == 1);
    if (!yyjson_is_obj(before))
        return;
    yyjson_obj_foreach(before, i, count, key, value)
    {
        if (!key_is(key, "include_usage"))
            ENSURE(yyjson_equals(yyjson_obj_getn(after, yyjson_get_str(key), yyjson_get_len(key)),
                                 yyjson_obj_getn(before, yyjson_get_str(key), yyjson_get_len(key))));
    }
}

static void
check_sent(const struct request_facts *facts, const char *model, yyjson_val *before, yyjson_val *after)
{
    bool wants_usage = facts->stream && (facts->api == API_CHAT || facts->api == API_COMPLETIONS);
    yyjson_val *options = yyjson_obj_get(before, "stream_options"), *key, *value, *sent;
    size_t i, count;

    ENSURE(yyjson_obj_size(after) == yyjson_obj_size(before) + (wants_usage && options == NULL));
    if (wants_usage)
        check_options(options, yyjson_obj_get(after, "stream_options"));
    yyjson_obj_foreach(before, i, count, key, value)
    {
        sent = yyjson_obj_getn(after, yyjson_get_str(key), yyjson_get_len(key));
        if (key_is(key, "model") && model != NULL)
            ENSURE(yyjson_equals_str(sent, model));
        else if (!key_is(key, "stream_options") || !wants_usage)
            ENSURE(yyjson_equals(sent, value));
    }
}

static void
check_taken(const struct request_facts *facts, struct slice body, const char *model, struct arena *arena)
{
    struct splice splices[REQUEST_SPLICES_MOST];
    struct request_change change = {.model = model, .cap = -1};
    size_t count = request_splices(facts, body, &change, arena, splices);
    struct buffer sent = {0};
    yyjson_doc *before, *after;

    splice_into(body, splices, count, &sent);
    before = yyjson_read(body.data, body.len, YYJSON_READ_NOFLAG);
    after = yyjson_read(sent.data, buffer_len(&sent), YYJSON_READ_NOFLAG);
    ENSURE(before != NULL && after != NULL);
    ENSURE(facts->choices >= 1 && facts->inputs >= 0 && facts->output_cap >= -1);
    ENSURE(facts->first_turn.len <= body.len);
    check_sent(facts, model, yyjson_doc_get_root(before), yyjson_doc_get_root(after));
    yyjson_doc_free(before);
    yyjson_doc_free(after);
    buffer_free(&sent);
}

/* A cap is lowered or set, never raised, and nothing else changes. */
static void
check_capped(const struct request_facts *facts, struct slice body, int64_t cap, struct arena *arena)
{
    struct splice splices[REQUEST_SPLICES_MOST];
    struct request_change change = {.cap = cap, .cap_name = request_cap_name(facts->api, 0)};
    size_t count = request_splices(facts, body, &change, arena, splices), taken = 0;
    struct buffer sent = {0};
    yyjson_doc *after;

    splice_into(body, splices, count, &sent);
    after = yyjson_read(sent.data, buffer_len(&sent), YYJSON_READ_NOFLAG);
    ENSURE(after != NULL);
    for (unsigned i = 0; i < REQUEST_CAPS_MOST; i++) {
        const char *name = request_cap_name(facts->api, i);
        yyjson_val *value = name != NULL ? yyjson_obj_get(yyjson_doc_get_root(after), name) : NULL;

        taken += yyjson_is_num(value);
        ENSURE(!yyjson_is_num(value) || yyjson_get_num(value) < (double)cap + 1.0 ||
               facts->bound.caps[i].tokens <= cap);
    }
    ENSURE(taken > 0 || change.cap_name == NULL || facts->bound.unbounded != NULL);
    yyjson_doc_free(after);
    buffer_free(&sent);
}

/* What is made to ask for logprobs is a request as before, which asks for them. */
static void
check_logprobs(const struct request_facts *facts, struct slice body, struct arena *arena)
{
    struct splice splices[REQUEST_SPLICES_MOST];
    struct request_change change = {.cap = -1, .logprobs = true};
    size_t count = request_splices(facts, body, &change, arena, splices);
    struct request_facts again;
    struct buffer sent = {0};
    const char *why = NULL;
    yyjson_doc *doc;

    splice_into(body, splices, count, &sent);
    doc = yyjson_read(sent.data, buffer_len(&sent), YYJSON_READ_NOFLAG);
    ENSURE(doc != NULL);
    if (facts->logprobs.why == NULL && yyjson_obj_size(yyjson_doc_get_root(doc)) <= REQUEST_MEMBERS_MOST) {
        ENSURE(request_parse(facts->api, buffer_content(&sent), arena, &again, &why) == OK);
        ENSURE(again.logprobs.asked && again.logprobs.why == NULL);
    }
    yyjson_doc_free(doc);
    buffer_free(&sent);
}

#define MARK "\"cache_control\":{\"type\":\"ephemeral\"}"

/* The text without what marks put in: members, and the blocks that texts became. */
static void
take_marks_out(struct slice text, unsigned *marks, struct buffer *out)
{
    static const struct slice added[] = {SLICE_CONSTANT("," MARK "}]"), SLICE_CONSTANT(MARK ",")};
    static const struct slice opened = SLICE_CONSTANT("[{\"type\":\"text\",\"text\":");

    for (size_t i; text.len > 0; text = slice_from(text, i == 2 ? 1 : added[i].len)) {
        for (i = 0; i < 2 && !slice_equal(slice_first(text, added[i].len), added[i]);)
            i++;
        if (i == 0) { /* the text that stands before it was opened by us */
            size_t at = buffer_len(out);

            while (at > 0 && !slice_equal(slice_first(slice_from(buffer_content(out), at - 1), opened.len), opened))
                at--;
            ENSURE(at > 0);
            memmove(out->data + at - 1, out->data + at - 1 + opened.len, buffer_len(out) - (at - 1) - opened.len);
            out->end -= opened.len;
        }
        if (i == 2)
            buffer_add_byte(out, text.data[0]);
        else
            ++*marks;
    }
}

/* Marks leave valid JSON; without them it is what it was; at most one for each part, and each is where it counts. */
static void
check_marked(const struct request_facts *facts, struct slice body, struct arena *arena)
{
    struct splice splices[REQUEST_SPLICES_MOST];
    struct prompt prompt;
    struct request_change change = {
        .cap = -1, .prompt = &prompt, .marks = ~0u, .cache_key = SLICE_LITERAL("0123456789abcdef")};
    struct buffer sent = {0}, back = {0};
    unsigned marks = 0, places = 0;
    yyjson_doc *after;
    size_t count;

    prompt_read(facts->api, body, &prompt);
    for (unsigned part = 0; part < PROMPT_PARTS; part++) {
        ENSURE(prompt.parts[part].len <= prompt.whole.len && prompt.whole.len <= body.len);
        places += prompt.places[part].data != NULL;
    }
    if (prompt.keyed)
        change.cache_key = SLICE_NONE;
    count = request_splices(facts, body, &change, arena, splices);
    splice_into(body, splices, count, &sent);
    after = yyjson_read(sent.data, buffer_len(&sent), YYJSON_READ_NOFLAG);
    ENSURE(after != NULL);
    ENSURE(prompt.keyed ||
           yyjson_equals_str(yyjson_obj_get(yyjson_doc_get_root(after), "prompt_cache_key"), "0123456789abcdef"));
    yyjson_doc_free(after);
    if (facts->bound.writes_cache || slice_find(body, SLICE_LITERAL(MARK)) < body.len) {
        buffer_free(&sent);
        return; /* whose marks are whose cannot be told, and no request of the kind is marked */
    }
    buffer_clear(&sent);
    change.cache_key = SLICE_NONE;
    count = request_splices(facts, body, &change, arena, splices);
    splice_into(body, splices, count, &sent);
    take_marks_out(buffer_content(&sent), &marks, &back);
    ENSURE(marks == places && marks <= PROMPT_PARTS);
    buffer_clear(&sent);
    change.marks = 0;
    count = request_splices(facts, body, &change, arena, splices);
    splice_into(body, splices, count, &sent);
    ENSURE(slice_equal(buffer_content(&sent), buffer_content(&back)));
    buffer_free(&sent);
    buffer_free(&back);
}

/* Written anew, with other white space and escapes, it asks the same. */
static void
check_canonical(enum api api, struct slice body, struct arena *arena)
{
    static const struct digest secret = {"a secret"};
    struct canonical_scope scope = {.secret = &secret};
    struct canonical_conversation talk, talk_again;
    struct digest first, second;
    yyjson_doc *doc;
    struct slice text;
    char *anew;

    if (canonical_request(&scope, api, body, NULL, &first) != OK)
        return;
    doc = yyjson_read(body.data, body.len, YYJSON_READ_BIGNUM_AS_RAW);
    anew =
        yyjson_write(doc, YYJSON_WRITE_PRETTY | YYJSON_WRITE_ESCAPE_UNICODE | YYJSON_WRITE_ESCAPE_SLASHES, &text.len);
    ENSURE(anew != NULL);
    text.data = anew;
    ENSURE(canonical_request(&scope, api, text, NULL, &second) == OK && digest_equal(&first, &second));
    if (canonical_conversation(&scope, api, body, NULL, arena, &talk) == OK)
        ENSURE(canonical_conversation(&scope, api, text, NULL, arena, &talk_again) == OK &&
               digest_equal(&talk.rest, &talk_again.rest) && slice_equal(talk.turn, talk_again.turn));
    free(anew);
    yyjson_doc_free(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request_facts facts;
    const char *why = NULL;
    struct arena arena;
    struct slice body;
    enum api api;

    if (size < 2)
        return 0;
    api = (enum api)(data[0] % API_PASSTHROUGH);
    body = slice_make((const char *)data + 2, size - 2);
    arena_init(&arena);
    if (request_parse(api, body, &arena, &facts, &why) == OK) {
        check_taken(&facts, body, data[1] % 2 == 0 ? NULL : "other \"model\"", &arena);
        check_capped(&facts, body, data[1], &arena);
        check_marked(&facts, body, &arena);
        check_logprobs(&facts, body, &arena);
    } else {
        check_refusal(why);
    }
    check_canonical(api, body, &arena);
    arena_reset(&arena);
    return 0;
}
