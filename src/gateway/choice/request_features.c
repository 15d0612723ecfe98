#define _GNU_SOURCE /* memmem */
#include "gateway/choice/request_features.h"

#include "dialect/canonical.h"

/* Of a longer body only its end is looked at, as it stands; of a longer turn its beginning and its end: embedding takes some
 * 90 us for each KiB, and requests are scored on a worker's loop. */
enum { BODY_READ_BYTES = 32 * 1024, TURN_FIRST_BYTES = 3 * 1024, TURN_LAST_BYTES = 1024 };

static uint32_t
count_of(struct slice text, const char *what)
{
    uint32_t count = 0;
    size_t len = strlen(what);

    for (;;) {
        const char *at = text.len >= len ? memmem(text.data, text.len, what, len) : NULL;

        if (at == NULL)
            return count;
        count++;
        text = slice_from(text, (size_t)(at - text.data) + len);
    }
}

static struct slice
shortened(struct slice turn, struct arena *arena)
{
    char *text;

    if (turn.len <= TURN_FIRST_BYTES + TURN_LAST_BYTES)
        return turn;
    text = arena_alloc(arena, TURN_FIRST_BYTES + TURN_LAST_BYTES);
    memcpy(text, turn.data, TURN_FIRST_BYTES);
    memcpy(text + TURN_FIRST_BYTES, turn.data + turn.len - TURN_LAST_BYTES, TURN_LAST_BYTES);
    return slice_make(text, TURN_FIRST_BYTES + TURN_LAST_BYTES);
}

void
request_features_of_turn(const struct embedder *embedder, struct slice turn, struct features *features)
{
    struct arena arena;

    arena_init(&arena);
    features_read(features, embedder, &(struct routed_request){.text = shortened(turn, &arena), .turns = 1});
    arena_reset(&arena);
}

void
request_features(const struct embedder *embedder, enum api api, struct slice body, struct features *features)
{
    static const struct digest nobody;
    struct canonical_scope scope = {.secret = &nobody};
    struct canonical_conversation conversation = {.turn = SLICE_NONE};
    struct slice end = body.len > BODY_READ_BYTES ? slice_from(body, body.len - BODY_READ_BYTES) : body;
    struct arena arena;

    arena_init(&arena);
    if (body.len > BODY_READ_BYTES || canonical_conversation(&scope, api, body, NULL, &arena, &conversation) != OK)
        conversation.turn = end;
    features_read(features, embedder,
                  &(struct routed_request){
                      .text = shortened(conversation.turn, &arena),
                      .context_bytes = body.len - (conversation.turn.len < body.len ? conversation.turn.len : body.len),
                      .turns = count_of(end, "\"role\""),
                      .tools = count_of(end, "\"parameters\"") + count_of(end, "\"input_schema\""),
                      .json = count_of(end, "\"json_schema\"") + count_of(end, "\"json_object\"") > 0});
    arena_reset(&arena);
}
