#include "quality/acceptances.h"

#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"

enum {
    REMEMBERED = 128, /* calls */
    FORGET_AFTER = 50 /* requests without one: the oldest call is forgotten */
};

static const usec SILENT_US = 3600 * USEC_PER_S;

/* Invariant: at < REMEMBERED, count <= REMEMBERED; the newest `count` scores stand before `at`. */
struct acceptance_book {
    struct acceptance_book *next;
    struct lock lock;
    double scores[REMEMBERED];
    unsigned at, count, passed_over;
    usec silent_until_us; /* 0: it never was */
};

void
acceptance_books_init(struct acceptance_books *books)
{
    *books = (struct acceptance_books){.first = NULL};
    lock_init(&books->lock);
    map_init(&books->map);
}

void
acceptance_books_free(struct acceptance_books *books)
{
    while (books->first != NULL) {
        struct acceptance_book *book = books->first;

        books->first = book->next;
        lock_destroy(&book->lock);
        free(book);
    }
    map_free(&books->map);
    lock_destroy(&books->lock);
}

static struct acceptance_book *
add_book(struct acceptance_books *books, struct slice name)
{
    struct acceptance_book *book = must_calloc(1, sizeof(*book));

    lock_init(&book->lock);
    book->next = books->first;
    books->first = book;
    map_put(&books->map, name, book);
    return book;
}

struct acceptance_book *
acceptance_book_at(struct acceptance_books *books, const char *route, const char *candidate)
{
    struct acceptance_book *book;
    struct buffer name = {0};

    buffer_add_text(&name, route);
    buffer_add_byte(&name, '\0');
    buffer_add_text(&name, candidate);
    lock_take(&books->lock);
    book = map_get(&books->map, buffer_content(&name));
    if (book == NULL)
        book = add_book(books, buffer_content(&name));
    lock_drop(&books->lock);
    buffer_free(&name);
    return book;
}

void
acceptance_note(struct acceptance_book *book, double score)
{
    lock_take(&book->lock);
    book->scores[book->at] = isfinite(score) ? score : -INFINITY;
    book->at = (book->at + 1) % REMEMBERED;
    book->count += book->count < REMEMBERED;
    book->passed_over = 0;
    lock_drop(&book->lock);
}

void
acceptance_note_silent(struct acceptance_book *book, usec now_us)
{
    lock_take(&book->lock);
    book->silent_until_us = now_us + SILENT_US;
    lock_drop(&book->lock);
}

bool
acceptance_is_silent(struct acceptance_book *book, usec now_us)
{
    bool silent;

    lock_take(&book->lock);
    silent = book->silent_until_us > now_us;
    lock_drop(&book->lock);
    return silent;
}

void
acceptance_pass_over(struct acceptance_book *book)
{
    lock_take(&book->lock);
    if (++book->passed_over == FORGET_AFTER) {
        book->passed_over = 0;
        book->count -= book->count > 0;
    }
    lock_drop(&book->lock);
}

double
acceptance_share(struct acceptance_book *book, double threshold)
{
    unsigned accepted = 1, count; /* as if one more had been: nothing is known at first */

    lock_take(&book->lock);
    count = book->count;
    for (unsigned i = 1; i <= count; i++) {
        double score = book->scores[(book->at + REMEMBERED - i) % REMEMBERED];

        accepted += isfinite(score) && score >= threshold;
    }
    lock_drop(&book->lock);
    return (double)accepted / (double)(count + 1);
}
