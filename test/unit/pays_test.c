/* Whether a lever pays where it looks: what does not rests and tries again, what may pay is not given up by bad luck. */
#include "levers/pays.h"

#include "base/rng.h"
#include "cmocka_ready.h"

static struct pay_books books;
static struct pay_book *book;

static int
set_up(void **state)
{
    (void)state;
    pay_books_init(&books);
    book = pay_books_at(&books, "assistant", "exact_cache");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pay_books_free(&books);
    return 0;
}

/* One request, if the lever looks: found or bought for `value`. Returns what came of it. */
static enum pay_event
request(bool finds, usd value, usd spent)
{
    enum pay_event event;
    bool looks;

    event = pay_book_request(book, &looks);
    if (!looks)
        return event;
    return pay_book_learn(book, &(struct pay){.spent = spent,
                                              .found = finds,
                                              .worth = finds ? value : 0,
                                              .bought = finds ? USD_UNKNOWN : value}) != PAY_NOTHING
               ? (pay_book_standing(book).rests ? PAY_RESTS : PAY_PAYS)
               : event;
}

/* Requests until that comes. */
static uint64_t
until(enum pay_event event, bool finds, usd value, usd spent)
{
    uint64_t count = 1;

    while (request(finds, value, spent) != event)
        assert_true(count++ < 20000000);
    return count;
}

static void
what_finds_nothing_rests_once_that_is_sure(void **state)
{
    struct pay_standing standing;

    (void)state;
    /* three answers in n look-ups cannot be ruled out: 3 * 1000 / n below 2 from n = 1500 on */
    assert_int_equal(until(PAY_RESTS, false, 1000, 2), 1536);
    standing = pay_book_standing(book);
    assert_true(standing.rests && standing.looked == 1536 && standing.found == 0);
    assert_true(standing.spent == 3072 && standing.worth_possible == 3000);
}

static void
it_looks_again_after_longer_and_longer_rests(void **state)
{
    uint64_t rest_us[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        until(PAY_RESTS, false, 1000, 10);
        rest_us[i] = pay_book_standing(book).rest_left;
        assert_int_equal(until(PAY_LOOKS, false, 1000, 10), rest_us[i] + 1);
    }
    assert_int_equal(rest_us[0], PAYS_REST_TRIALS * PAYS_TRIAL_LEAST);
    assert_true(rest_us[1] == 2 * rest_us[0] && rest_us[2] == 4 * rest_us[0] && rest_us[3] == 8 * rest_us[0]);
    for (unsigned i = 0; i < 20; i++)
        until(PAY_RESTS, false, 1000, 10);
    assert_int_equal(pay_book_standing(book).rest_left, PAYS_REST_MOST);
}

static void
what_pays_again_goes_on(void **state)
{
    (void)state;
    until(PAY_RESTS, false, 1000, 10);
    until(PAY_RESTS, false, 1000, 10);
    until(PAY_LOOKS, true, 1000, 10);
    until(PAY_PAYS, true, 1000, 10);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(request(true, 1000, 10), PAY_NOTHING);
    until(PAY_RESTS, false, 1000, 10); /* a rest as short as the first, for that is long ago */
    assert_true(pay_book_standing(book).rest_left <= PAYS_REST_TRIALS * (uint64_t)PAYS_MEMORY);
}

static void
what_is_rare_and_dear_is_kept(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 200000; i++)
        assert_int_equal(request(i % 5000 == 0, 1000000000, 100000), PAY_NOTHING); /* worth 200,000 a look-up */
}

static void
what_nobody_can_price_is_kept(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 100000; i++)
        assert_int_equal(request(false, USD_UNKNOWN, 100000), PAY_NOTHING);
}

static void
what_costs_nothing_is_kept(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 100000; i++)
        assert_int_equal(request(false, 1000, 0), PAY_NOTHING);
}

/* By chance, of finds one in a hundred: half again as much worth as it costs is hardly ever given up, half as much always. */
static void
bad_luck_is_allowed_for(void **state)
{
    unsigned rested_good = 0, rested_bad = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng;

        for (unsigned k = 0; k < 2; k++) {
            pay_books_free(&books);
            set_up(NULL);
            rng_seed(&rng, seed);
            for (unsigned i = 0; i < 40000; i++)
                (void)request(rng_below(&rng, 100) == 0, 1000000, k == 0 ? 6667 : 20000);
            rested_good += k == 0 && pay_book_standing(book).rests;
            rested_bad += k == 1 && pay_book_standing(book).rests;
        }
    }
    assert_true(rested_good <= 4);
    assert_true(rested_bad >= 150); /* the others are on trial just then */
}

static void
each_lever_of_each_route_has_its_own(void **state)
{
    struct pay_book *other = pay_books_at(&books, "assistant", "semantic_cache");
    unsigned count = 0;

    (void)state;
    until(PAY_RESTS, false, 1000, 10);
    assert_false(pay_book_standing(other).rests);
    assert_ptr_equal(pay_books_at(&books, "assistant", "exact_cache"), book);
    assert_ptr_not_equal(pay_books_at(&books, "other", "exact_cache"), book);
    for (struct pay_book *at = pay_books_next(&books, NULL); at != NULL; at = pay_books_next(&books, at))
        count++;
    assert_int_equal(count, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_finds_nothing_rests_once_that_is_sure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_looks_again_after_longer_and_longer_rests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_pays_again_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_rare_and_dear_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_can_price_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_costs_nothing_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_luck_is_allowed_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_lever_of_each_route_has_its_own, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
