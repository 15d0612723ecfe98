/* Requests put in another API's words: whatever the body, nothing that is read is lost on the way, and what was written can
 * be read and put back. The first byte chooses the APIs. */
#include <stdlib.h>

#include "dialect/request.h"

#include "../test/unit/talk_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum api apis[] = {API_CHAT, API_MESSAGES, API_RESPONSES};

/* What a body of that API says; empty: it cannot be read. */
static struct buffer
text_of(enum api api, struct slice body, bool ordered, int64_t *cap)
{
    struct buffer text = {0};

    if (!talk_say(api, body, ordered, &text, cap))
        buffer_clear(&text);
    return text;
}

/* The translation says what the body says, and the gateway itself takes it for a good request. */
static void
check_same(enum api from, enum api to, struct slice body, struct slice translated)
{
    bool ordered = from != API_CHAT && to != API_CHAT;
    int64_t cap, cap_after;
    struct buffer before = text_of(from, body, ordered, &cap), after = text_of(to, translated, ordered, &cap_after);
    struct request_facts facts;
    struct arena arena;
    const char *why = NULL;

    arena_init(&arena);
    ENSURE(request_parse(to, translated, &arena, &facts, &why) == OK);
    ENSURE(buffer_len(&before) > 0 && slice_equal(buffer_content(&before), buffer_content(&after)));
    ENSURE(cap_after == (cap < 0 && to == API_MESSAGES ? TRANSLATE_CAP_IF_NONE : cap) && facts.output_cap == cap_after);
    arena_reset(&arena);
    buffer_free(&before);
    buffer_free(&after);
}

static void
check_crossing(enum api from, enum api to, struct slice body)
{
    struct buffer there = {0}, back = {0};
    struct translated first, second;
    struct arena arena;

    arena_init(&arena);
    first = translate_request(from, to, body, &arena);
    if (first.why == NULL) {
        talk_text_body(&first, &there);
        check_same(from, to, body, buffer_content(&there));
        second = translate_request(to, from, buffer_content(&there), &arena);
        if (second.why == NULL) {
            talk_text_body(&second, &back);
            check_same(to, from, buffer_content(&there), buffer_content(&back));
        }
        chunk_release(second.rest);
    }
    chunk_release(first.rest);
    buffer_free(&there);
    buffer_free(&back);
    arena_reset(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request_facts facts;
    struct arena arena;
    struct slice body;
    const char *why = NULL;
    bool good;

    if (size < 1)
        return 0;
    body = slice_make((const char *)data + 1, size - 1);
    arena_init(&arena);
    good = request_parse(apis[data[0] % 3], body, &arena, &facts, &why) == OK;
    arena_reset(&arena);
    if (good) /* the gateway has refused all others */
        check_crossing(apis[data[0] % 3], apis[(data[0] + 1 + data[0] / 3 % 2) % 3], body);
    return 0;
}
