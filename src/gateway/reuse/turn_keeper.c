#include "gateway/reuse/turn_keeper.h"

#include <stdlib.h>

#include "cache/store.h"
#include "levers/semantic_notes.h"

struct turn_keeper {
    struct cache_notes notes; /* first: the file hands it back */
    struct gateway *gateway;
};

/* Where a walk is: promotions come behind all turns. */
#define PROMOTIONS_FROM ((uint64_t)1 << 32)

static struct semantic_space
space_of(const struct gateway *gateway)
{
    return (struct semantic_space){embedder_table_id(gateway->embedder), embedder_dims(gateway->embedder)};
}

static bool
read_note(struct cache_notes *notes, struct slice bytes)
{
    struct gateway *gateway = ((struct turn_keeper *)(void *)notes)->gateway;
    struct semantic_space space = space_of(gateway);
    struct semantic_note note;

    semantic_note_read(&space, bytes, &note);
    if (note.kind == NOTE_DAMAGED || note.kind == NOTE_FOREIGN || !cache_has(gateway->cache, &note.key))
        return note.kind != NOTE_DAMAGED;
    if (note.kind == NOTE_TURN)
        semantic_index_add(gateway->turns, &note.turn, &note.key);
    else
        promotions_put(gateway->promotions, &note.promotion);
    return true;
}

static bool
next_turn(struct gateway *gateway, uint64_t *at, struct buffer *out)
{
    struct semantic_space space = space_of(gateway);
    struct semantic_turn turn;
    struct digest key;

    while (semantic_index_next(gateway->turns, at, &turn, &key))
        if (cache_has(gateway->cache, &key)) {
            semantic_note_turn(&space, &key, &turn, out);
            return true;
        }
    return false;
}

static bool
next_promotion(struct gateway *gateway, uint64_t *at, struct buffer *out)
{
    struct promotion promotion;

    while (promotions_next(gateway->promotions, at, &promotion))
        if (cache_has(gateway->cache, &promotion.answer)) {
            semantic_note_promotion(&promotion, out);
            return true;
        }
    return false;
}

static bool
next_note(struct cache_notes *notes, uint64_t *at, struct buffer *out)
{
    struct gateway *gateway = ((struct turn_keeper *)(void *)notes)->gateway;
    uint64_t promotions_at;
    bool found;

    if (*at < PROMOTIONS_FROM && next_turn(gateway, at, out))
        return true;
    promotions_at = *at < PROMOTIONS_FROM ? 0 : *at - PROMOTIONS_FROM;
    found = next_promotion(gateway, &promotions_at, out);
    *at = PROMOTIONS_FROM + promotions_at;
    return found;
}

static uint64_t
bytes_of_notes(struct cache_notes *notes)
{
    struct gateway *gateway = ((struct turn_keeper *)(void *)notes)->gateway;
    struct semantic_index_stats turns;
    struct promotions_stats promotions;

    semantic_index_stats(gateway->turns, &turns);
    promotions_stats(gateway->promotions, &promotions);
    return turns.entries * (sizeof(struct semantic_turn) - EMBED_DIMS_MOST + embedder_dims(gateway->embedder) +
                            sizeof(struct digest)) +
           promotions.count * sizeof(struct promotion);
}

static const struct cache_notes_ops keeper_ops = {.read = read_note, .next = next_note, .bytes = bytes_of_notes};

struct cache_notes *
turn_keeper_new(struct gateway *gateway)
{
    struct turn_keeper *keeper = must_calloc(1, sizeof(*keeper));

    ENSURE(gateway->turns != NULL);
    keeper->notes.ops = &keeper_ops;
    keeper->gateway = gateway;
    return &keeper->notes;
}

void
turn_keeper_free(struct cache_notes *keeper)
{
    free(keeper);
}

/* A purge that was over before this look has swept what was there then; one that comes after it finds what is there now. */
void
turns_remember(struct gateway *gateway, const struct semantic_turn *turn, const struct digest *key)
{
    struct semantic_space space = space_of(gateway);
    struct buffer note = {0};

    semantic_index_add(gateway->turns, turn, key);
    if (!cache_has(gateway->cache, key)) {
        semantic_index_remove(gateway->turns, key);
    } else if (gateway->cache_file != NULL) {
        semantic_note_turn(&space, key, turn, &note);
        cache_file_note(gateway->cache_file, buffer_content(&note));
    }
    buffer_free(&note);
}

/* Likewise. */
void
turns_promote(struct gateway *gateway, const struct promotion *promotion)
{
    struct buffer note = {0};

    promotions_put(gateway->promotions, promotion);
    if (!cache_has(gateway->cache, &promotion->answer)) {
        promotions_drop(gateway->promotions, &promotion->request);
    } else if (gateway->cache_file != NULL) {
        semantic_note_promotion(promotion, &note);
        cache_file_note(gateway->cache_file, buffer_content(&note));
    }
    buffer_free(&note);
}

void
turns_forget_gone(struct gateway *gateway)
{
    struct semantic_turn turn;
    struct promotion promotion;
    struct digest key;
    uint64_t at = 0;

    if (!gateway_has_meanings(gateway))
        return;
    while (semantic_index_next(gateway->turns, &at, &turn, &key))
        if (!cache_has(gateway->cache, &key))
            semantic_index_remove(gateway->turns, &key);
    at = 0;
    while (promotions_next(gateway->promotions, &at, &promotion))
        if (!cache_has(gateway->cache, &promotion.answer))
            promotions_drop(gateway->promotions, &promotion.request);
}
