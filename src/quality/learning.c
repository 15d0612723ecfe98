#include "quality/learning.h"

#include <stdlib.h>

#define PPM 1e6

/* What is over, or lacking, is to be used up within so many requests; and no more is saved up than so many would allow. */
static const double AHEAD = 100.0, SAVED_UP = 1000.0;

/* Means follow the last some fifty. */
static const double MEMORY = 50.0;

struct mean {
    double value;
    uint64_t count;
};

struct learning_book {
    struct learning_book *next;
    struct lock lock;
    double credit; /* allowed and not taken; negative: owed */
    struct mean cost, allowed, audit;
    struct learning_standing standing;
    char route[];
};

void
learning_books_init(struct learning_books *books)
{
    *books = (struct learning_books){.first = NULL};
    lock_init(&books->lock);
    map_init(&books->map);
}

void
learning_books_free(struct learning_books *books)
{
    while (books->first != NULL) {
        struct learning_book *book = books->first;

        books->first = book->next;
        lock_destroy(&book->lock);
        free(book);
    }
    map_free(&books->map);
    lock_destroy(&books->lock);
}

static struct learning_book *
book_new(const char *route)
{
    size_t size = strlen(route) + 1;
    struct learning_book *book = must_calloc(1, sizeof(*book) + size);

    memcpy(book->route, route, size);
    lock_init(&book->lock);
    return book;
}

struct learning_book *
learning_book_at(struct learning_books *books, const char *route)
{
    struct learning_book *book;

    lock_take(&books->lock);
    book = map_get(&books->map, slice_of(route));
    if (book == NULL) {
        book = book_new(route);
        book->next = books->first;
        books->first = book;
        map_put(&books->map, slice_of(book->route), book);
    }
    lock_drop(&books->lock);
    return book;
}

static void
mean_add(struct mean *mean, double value)
{
    double weight = 1.0 / (double)(++mean->count);

    if (weight < 1.0 / MEMORY)
        weight = 1.0 / MEMORY;
    mean->value += weight * (value - mean->value);
}

static double
amount(usd money)
{
    return usd_known(money) && money > 0 ? (double)money : 0.0;
}

void
learning_allow(struct learning_book *book, usd cost, usd allowed)
{
    lock_take(&book->lock);
    mean_add(&book->cost, amount(cost));
    mean_add(&book->allowed, amount(allowed));
    book->credit += amount(allowed);
    if (book->credit > SAVED_UP * book->allowed.value)
        book->credit = SAVED_UP * book->allowed.value;
    book->standing.allowed += amount(allowed);
    book->standing.requests++;
    lock_drop(&book->lock);
}

void
learning_take(struct learning_book *book, usd cost)
{
    lock_take(&book->lock);
    mean_add(&book->audit, amount(cost));
    book->credit -= amount(cost);
    book->standing.taken += amount(cost);
    book->standing.audits++;
    lock_drop(&book->lock);
}

uint32_t
learning_cap_ppm(struct learning_book *book)
{
    double room, wanted, ppm;
    bool known;

    lock_take(&book->lock);
    known = book->standing.requests > 0;
    room = book->credit + AHEAD * book->allowed.value;
    /* Before the first, an audit is taken to be as dear as a request. */
    wanted = AHEAD * (book->audit.count > 0 ? book->audit.value : book->cost.value);
    lock_drop(&book->lock);
    if (!known || room < 0.0 || (room == 0.0 && wanted > 0.0))
        return 0;
    ppm = wanted > 0.0 ? PPM * room / wanted : PPM; /* what costs nothing may always be asked */
    return ppm < PPM ? (uint32_t)ppm : (uint32_t)PPM;
}

struct learning_standing
learning_standing(struct learning_book *book)
{
    struct learning_standing standing;

    lock_take(&book->lock);
    standing = book->standing;
    lock_drop(&book->lock);
    return standing;
}
