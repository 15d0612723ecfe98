/* Notes of turns and promotions, as bytes and back; and the table of promotions, held against a plain one. */
#include "levers/semantic_notes.h"

#include "base/rng.h"
#include "cmocka_ready.h"

static const struct semantic_space space = {.table = 0x1122334455667788u, .dims = 64};

static struct digest
key_of(uint64_t number)
{
    return hash_sha256(slice_make((const char *)&number, sizeof(number)));
}

static struct semantic_turn
some_turn(void)
{
    struct semantic_turn turn = {.partition = 3, .check = 4};

    for (unsigned i = 0; i < space.dims; i++)
        turn.vector[i] = (int8_t)(i * 5 % 255 - 127);
    for (unsigned i = 0; i < LITERAL_KINDS; i++)
        turn.literals.digests[i] = i * 77;
    return turn;
}

static struct promotion
promotion_of(uint64_t number)
{
    return (struct promotion){key_of(number), key_of(number + 1), (usec)number, ~number};
}

static void
a_turn_comes_back(void **state)
{
    struct semantic_turn turn = some_turn();
    struct digest key = key_of(1);
    struct semantic_note note;
    struct buffer bytes = {0};

    (void)state;
    semantic_note_turn(&space, &key, &turn, &bytes);
    assert_true(buffer_len(&bytes) < SEMANTIC_NOTE_MOST);
    semantic_note_read(&space, buffer_content(&bytes), &note);
    assert_int_equal(note.kind, NOTE_TURN);
    assert_true(digest_equal(&note.key, &key));
    assert_int_equal(note.turn.partition, 3);
    assert_int_equal(note.turn.check, 4);
    assert_memory_equal(&note.turn.literals, &turn.literals, sizeof(turn.literals));
    assert_memory_equal(note.turn.vector, turn.vector, space.dims);
    buffer_free(&bytes);
}

static void
a_promotion_comes_back(void **state)
{
    struct promotion promotion = promotion_of(7);
    struct semantic_note note;
    struct buffer bytes = {0};

    (void)state;
    semantic_note_promotion(&promotion, &bytes);
    semantic_note_read(&space, buffer_content(&bytes), &note);
    assert_int_equal(note.kind, NOTE_PROMOTION);
    assert_true(digest_equal(&note.key, &promotion.answer));
    assert_memory_equal(&note.promotion, &promotion, sizeof(promotion));
    buffer_free(&bytes);
}

static enum semantic_note_kind
kind_of(const struct semantic_space *where, struct slice bytes)
{
    struct semantic_note note;

    semantic_note_read(where, bytes, &note);
    return note.kind;
}

static void
what_is_of_another_table_or_damaged_is_left_out(void **state)
{
    const struct semantic_space other = {.table = 1, .dims = 64}, wider = {.table = space.table, .dims = 96};
    struct semantic_turn turn = some_turn(), nowhere = {.partition = 1}, least = turn;
    struct digest key = key_of(1);
    struct buffer bytes = {0}, bad = {0};

    (void)state;
    semantic_note_turn(&space, &key, &turn, &bytes);
    assert_int_equal(kind_of(&other, buffer_content(&bytes)), NOTE_FOREIGN);
    assert_int_equal(kind_of(&wider, buffer_content(&bytes)), NOTE_FOREIGN);
    for (size_t len = 0; len < buffer_len(&bytes); len++)
        assert_int_equal(kind_of(&space, slice_first(buffer_content(&bytes), len)), NOTE_DAMAGED);
    buffer_add_byte(&bytes, 'x');
    assert_int_equal(kind_of(&space, buffer_content(&bytes)), NOTE_DAMAGED);
    semantic_note_turn(&space, &key, &nowhere, &bad); /* a vector of zeros */
    assert_int_equal(kind_of(&space, buffer_content(&bad)), NOTE_DAMAGED);
    buffer_clear(&bad);
    least.vector[9] = INT8_MIN; /* which no vector of ours has */
    semantic_note_turn(&space, &key, &least, &bad);
    assert_int_equal(kind_of(&space, buffer_content(&bad)), NOTE_DAMAGED);
    buffer_free(&bytes);
    buffer_free(&bad);
}

enum { REQUESTS = 500, STEPS = 50000 };

/* With room for all, it is a map. */
static void
promotions_are_what_was_put(void **state)
{
    struct promotions *promotions = promotions_new(8 * REQUESTS);
    struct promotion plain[REQUESTS], found;
    bool there[REQUESTS] = {0};
    uint64_t random = 5, count = 0, at = 0, walked = 0;
    struct promotions_stats stats;

    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t number = (random = rng_mix(random)) % REQUESTS, what = (random >> 32) % 3;
        struct digest request = key_of(number);

        if (what == 0) {
            plain[number] = promotion_of(number);
            plain[number].under = step;
            promotions_put(promotions, &plain[number]);
            count += !there[number];
            there[number] = true;
        } else if (what == 1) {
            assert_int_equal(promotions_drop(promotions, &request), there[number]);
            count -= there[number];
            there[number] = false;
        } else {
            assert_int_equal(promotions_find(promotions, &request, &found), there[number]);
            if (there[number])
                assert_memory_equal(&found, &plain[number], sizeof(found));
        }
    }
    while (promotions_next(promotions, &at, &found))
        walked++;
    promotions_stats(promotions, &stats);
    assert_int_equal(walked, count);
    assert_int_equal(stats.count, count);
    promotions_free(promotions);
}

static void
what_was_not_found_makes_room(void **state)
{
    struct promotions *promotions = promotions_new(8);
    struct promotion kept = promotion_of(1), other, found;
    struct promotions_stats stats;

    (void)state;
    promotions_put(promotions, &kept);
    for (uint64_t i = 100; i < 1000; i++) {
        assert_true(promotions_find(promotions, &kept.request, &found));
        other = promotion_of(i);
        promotions_put(promotions, &other);
    }
    assert_true(promotions_find(promotions, &kept.request, &found));
    promotions_stats(promotions, &stats);
    assert_int_equal(stats.count, 8);
    promotions_free(promotions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_comes_back),
        cmocka_unit_test(a_promotion_comes_back),
        cmocka_unit_test(what_is_of_another_table_or_damaged_is_left_out),
        cmocka_unit_test(promotions_are_what_was_put),
        cmocka_unit_test(what_was_not_found_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
