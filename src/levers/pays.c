#include "levers/pays.h"

#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"

/* Invariant: above the lock nothing changes; all below is read and written under it. */
struct pay_book {
    struct pay_book *next;
    char *route, *lever;
    struct lock lock;
    bool rests;
    bool on_trial; /* after a rest */
    uint64_t rest_left;
    unsigned rests_in_a_row;
    uint64_t looked, found, bought;
    wide_int spent, worth, bought_cost;
};

void
pay_books_init(struct pay_books *books)
{
    *books = (struct pay_books){.first = NULL};
    lock_init(&books->lock);
    map_init(&books->map);
}

void
pay_books_free(struct pay_books *books)
{
    while (books->first != NULL) {
        struct pay_book *book = books->first;

        books->first = book->next;
        lock_destroy(&book->lock);
        free(book->route);
        free(book->lever);
        free(book);
    }
    map_free(&books->map);
    lock_destroy(&books->lock);
}

static struct pay_book *
new_book(const char *route, const char *lever)
{
    struct pay_book *book = must_calloc(1, sizeof(*book));

    lock_init(&book->lock);
    book->route = must_strdup(route);
    book->lever = must_strdup(lever);
    return book;
}

struct pay_book *
pay_books_at(struct pay_books *books, const char *route, const char *lever)
{
    struct pay_book *book;
    struct buffer key = {0};

    buffer_add_text(&key, route);
    buffer_add_byte(&key, '\0');
    buffer_add_text(&key, lever);
    lock_take(&books->lock);
    book = map_get(&books->map, buffer_content(&key));
    if (book == NULL) {
        book = new_book(route, lever);
        book->next = books->first;
        books->first = book;
        map_put(&books->map, buffer_content(&key), book);
    }
    lock_drop(&books->lock);
    buffer_free(&key);
    return book;
}

struct pay_book *
pay_books_next(struct pay_books *books, struct pay_book *book)
{
    struct pay_book *next;

    lock_take(&books->lock);
    next = book != NULL ? book->next : books->first;
    lock_drop(&books->lock);
    return next;
}

const char *
pay_book_route(const struct pay_book *book)
{
    return book->route;
}

const char *
pay_book_lever(const struct pay_book *book)
{
    return book->lever;
}

/* Under the book's lock, as all that follows. */
static void
begin_trial(struct pay_book *book)
{
    book->rests = false;
    book->on_trial = true;
    book->looked = book->found = book->bought = 0;
    book->spent = book->worth = book->bought_cost = 0;
}

/* A find is worth what the last ones were, or an answer that was bought, whichever is more. */
static double
worth_of_a_find(const struct pay_book *book)
{
    double found = book->found > 0 ? (double)book->worth / (double)book->found : 0.0;
    double bought = book->bought > 0 ? (double)book->bought_cost / (double)book->bought : 0.0;

    return fmax(found, bought);
}

static double
worth_possible(const struct pay_book *book)
{
    double found = (double)book->found;

    return (found + 1.96 * sqrt(found) + 3.0) * worth_of_a_find(book);
}

static void
rest(struct pay_book *book)
{
    uint64_t length = PAYS_REST_TRIALS * book->looked;

    for (unsigned i = 0; i < book->rests_in_a_row && length < PAYS_REST_MOST; i++)
        length *= 2;
    book->rests = true;
    book->on_trial = false;
    book->rests_in_a_row++;
    book->rest_left = length < PAYS_REST_MOST ? length : PAYS_REST_MOST;
}

/* What nobody can price is worth something, for all we know. */
static enum pay_event
judge(struct pay_book *book)
{
    bool was_on_trial = book->on_trial;

    if (book->found + book->bought > 0 && worth_of_a_find(book) > 0.0 && worth_possible(book) < (double)book->spent) {
        rest(book);
        return PAY_RESTS;
    }
    if (book->worth < book->spent)
        return PAY_NOTHING;
    book->rests_in_a_row = 0;
    book->on_trial = false;
    return was_on_trial ? PAY_PAYS : PAY_NOTHING;
}

static void
fade(struct pay_book *book)
{
    book->looked /= 2;
    book->found /= 2;
    book->bought /= 2;
    book->spent /= 2;
    book->worth /= 2;
    book->bought_cost /= 2;
}

enum pay_event
pay_book_request(struct pay_book *book, bool *looks)
{
    enum pay_event event = PAY_NOTHING;

    lock_take(&book->lock);
    if (book->rests && book->rest_left == 0) {
        begin_trial(book);
        event = PAY_LOOKS;
    } else if (book->rests) {
        book->rest_left--;
    }
    *looks = !book->rests;
    lock_drop(&book->lock);
    return event;
}

static void
count(struct pay_book *book, const struct pay *pay)
{
    book->looked++;
    book->spent += usd_known(pay->spent) ? pay->spent : 0;
    if (pay->found) {
        book->found++;
        book->worth += usd_known(pay->worth) ? pay->worth : 0;
    }
    if (usd_known(pay->bought)) {
        book->bought++;
        book->bought_cost += pay->bought;
    }
}

enum pay_event
pay_book_learn(struct pay_book *book, const struct pay *pay)
{
    enum pay_event event = PAY_NOTHING;

    lock_take(&book->lock);
    if (!book->rests) { /* else it began while this look-up was under way */
        count(book, pay);
        if (book->looked >= PAYS_TRIAL_LEAST && book->looked % PAYS_JUDGED_EVERY == 0)
            event = judge(book);
        if (book->looked >= PAYS_MEMORY)
            fade(book);
    }
    lock_drop(&book->lock);
    return event;
}

struct pay_standing
pay_book_standing(struct pay_book *book)
{
    struct pay_standing standing;

    lock_take(&book->lock);
    standing = (struct pay_standing){.rests = book->rests,
                                     .rest_left = book->rests ? book->rest_left : 0,
                                     .looked = book->looked,
                                     .found = book->found,
                                     .spent = book->spent,
                                     .worth = book->worth,
                                     .worth_possible = (wide_int)worth_possible(book)};
    lock_drop(&book->lock);
    return standing;
}
