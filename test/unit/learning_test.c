/* The learning budget: audits take their share and no more, whatever they cost, and what the past leaves is used. */
#include "cmocka_ready.h"

#include "base/rng.h"
#include "quality/learning.h"

static const usd CENT = 10000000000;

/* So many requests of a cent each, a share of which is allowed; audits of a price are drawn as the cap says. */
struct course {
    size_t requests;
    double share;
    usd audit;
};

static double
play(struct learning_book *book, struct course course, struct rng *rng)
{
    double taken = 0.0;

    for (size_t i = 0; i < course.requests; i++) {
        if (rng_below(rng, 1000000) < learning_cap_ppm(book)) {
            learning_take(book, course.audit);
            taken += (double)course.audit;
        }
        learning_allow(book, CENT, (usd)((double)CENT * course.share));
    }
    return taken / ((double)CENT * (double)course.requests);
}

static void
it_takes_its_share_and_no_more(void **state)
{
    static const struct {
        usd audit;
        double least, most; /* of what was spent */
    } cases[] = {
        {CENT, 0.045, 0.0525},        /* as dear as a request */
        {5 * CENT, 0.04, 0.055},      /* dearer: by judges */
        {CENT / 2, 0.045, 0.0525},    /* cheaper */
        {CENT / 100, 0.0099, 0.0101}, /* so cheap that all may be audited */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct learning_books books;
        struct rng rng;
        double share;

        learning_books_init(&books);
        rng_seed(&rng, i);
        share = play(learning_book_at(&books, "assistant"), (struct course){20000, 0.05, cases[i].audit}, &rng);
        assert_true(share > cases[i].least && share < cases[i].most);
        learning_books_free(&books);
    }
}

static void
nothing_is_asked_before_anything_was_spent(void **state)
{
    struct learning_books books;
    struct learning_book *book;

    (void)state;
    learning_books_init(&books);
    book = learning_book_at(&books, "assistant");
    assert_int_equal(learning_cap_ppm(book), 0);
    learning_allow(book, CENT, 0);
    assert_int_equal(learning_cap_ppm(book), 0); /* learning: 0% */
    learning_allow(book, CENT, CENT);
    assert_true(learning_cap_ppm(book) > 0);
    assert_ptr_equal(learning_book_at(&books, "assistant"), book);
    assert_ptr_not_equal(learning_book_at(&books, "other"), book);
    learning_books_free(&books);
}

/* A route on which nothing costs anything may ask as it likes. */
static void
what_costs_nothing_is_always_asked(void **state)
{
    struct learning_books books;
    struct learning_book *book;

    (void)state;
    learning_books_init(&books);
    book = learning_book_at(&books, "assistant");
    learning_allow(book, 0, 0);
    assert_int_equal(learning_cap_ppm(book), 1000000);
    learning_take(book, 0);
    assert_int_equal(learning_cap_ppm(book), 1000000);
    learning_allow(book, USD_UNKNOWN, USD_UNKNOWN);
    assert_int_equal(learning_cap_ppm(book), 1000000);
    learning_books_free(&books);
}

/* After a dear stretch less is asked, and what was saved up is spent within the next hundreds of requests. */
static void
debts_are_paid_and_savings_spent(void **state)
{
    struct learning_books books;
    struct learning_book *book;
    struct rng rng;

    (void)state;
    learning_books_init(&books);
    rng_seed(&rng, 7);
    book = learning_book_at(&books, "assistant");
    play(book, (struct course){1000, 0.05, CENT}, &rng);
    for (size_t i = 0; i < 20; i++)
        learning_take(book, CENT);
    assert_int_equal(learning_cap_ppm(book), 0);
    assert_true(play(book, (struct course){4000, 0.05, CENT}, &rng) < 0.05);
    for (size_t i = 0; i < 100000; i++)
        learning_allow(book, CENT, CENT / 20);                               /* nobody audits */
    assert_true(play(book, (struct course){2000, 0.05, CENT}, &rng) < 0.08); /* not all of it is saved up */
    learning_books_free(&books);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_its_share_and_no_more),
        cmocka_unit_test(nothing_is_asked_before_anything_was_spent),
        cmocka_unit_test(what_costs_nothing_is_always_asked),
        cmocka_unit_test(debts_are_paid_and_savings_spent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
