/* What is remembered of prompts: for as long as providers keep them, the last ones used, and shares that fade. */
#include "fleet/dispatch/prompt_memory.h"

#include "cmocka_ready.h"

static bool
knows(struct prompt_memory *memory, uint64_t beginning, usec now_us)
{
    return prompt_memory_find(memory, &beginning, 1, PROMPT_LIFE_US, now_us) == 0;
}

static void
knows_what_was_used_lately(void **state)
{
    struct prompt_memory *memory = prompt_memory_new();
    uint64_t some[] = {7, 0, 8};

    (void)state;
    assert_false(knows(memory, 7, 0));
    prompt_memory_use(memory, some, 3, USEC_PER_S);
    assert_true(knows(memory, 7, USEC_PER_S + PROMPT_LIFE_US));
    assert_false(knows(memory, 7, USEC_PER_S + PROMPT_LIFE_US + 1));
    assert_false(knows(memory, 0, USEC_PER_S)); /* stands for none */
    prompt_memory_use(memory, some, 1, 2 * USEC_PER_S);
    prompt_memory_use(memory, some, 1, USEC_PER_S); /* settled later than another that came after it */
    assert_true(knows(memory, 7, 2 * USEC_PER_S + PROMPT_LIFE_US));
    assert_int_equal(prompt_memory_find(memory, (uint64_t[]){9, 8, 7}, 3, PROMPT_LIFE_US, 2 * USEC_PER_S), 1);
    assert_int_equal(prompt_memory_find(memory, (uint64_t[]){9, 10}, 2, PROMPT_LIFE_US, 2 * USEC_PER_S), 2);
    prompt_memory_free(memory);
}

/* However many come, what was used last is known. */
static void
the_last_ones_stay(void **state)
{
    enum { MANY = 1000000, LAST = 10000 };
    struct prompt_memory *memory = prompt_memory_new();
    unsigned known = 0;

    (void)state;
    for (uint64_t i = 1; i <= MANY; i++)
        prompt_memory_use(memory, &i, 1, (usec)i);
    for (uint64_t i = MANY - LAST + 1; i <= MANY; i++)
        known += knows(memory, i, MANY);
    assert_in_range(known, LAST * 95 / 100, LAST);
    assert_false(knows(memory, 1, MANY));
    prompt_memory_free(memory);
}

static void
shares_are_learned_and_fade(void **state)
{
    struct prompt_memory *memory = prompt_memory_new();
    struct slice name = SLICE_LITERAL("assistant");

    (void)state;
    assert_true(prompt_memory_share(memory, name, 0, 0.25, 4) == 0.25);
    for (unsigned i = 0; i < 4; i++)
        prompt_memory_learn(memory, name, 0, 1, 1, 512);
    assert_true(prompt_memory_share(memory, name, 0, 0.25, 4) == 5.0 / 8);
    assert_true(prompt_memory_share(memory, name, 1, 0.25, 4) == 0.25); /* another habit */
    assert_true(prompt_memory_share(memory, SLICE_LITERAL("other"), 0, 0.25, 4) == 0.25);
    for (unsigned i = 0; i < 1000; i++)
        prompt_memory_learn(memory, name, 0, 1, 1, 512);
    assert_true(prompt_memory_share(memory, name, 0, 0.25, 4) > 0.98);
    for (unsigned i = 0; i < 2000; i++)
        prompt_memory_learn(memory, name, 0, 0, 1, 512);
    assert_true(prompt_memory_share(memory, name, 0, 0.25, 4) < 0.1); /* not an average of all time, which is .33 */
    prompt_memory_free(memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_was_used_lately),
        cmocka_unit_test(the_last_ones_stay),
        cmocka_unit_test(shares_are_learned_and_fade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
