/* The learning budget of a route: how much may go into audits of its levers. Each request allows some more (a share of its
 * cost, or of what it saved), each audit takes what it cost. From both follows the share of conversations to audit from now
 * on. It depends on the past alone and is the same for all requests of a moment, so that plain averages of audits stay
 * valid; what was drawn already is never skipped, and may overrun it by a little.
 *
 * Shared by all workers, each book behind its own lock. In pico-dollars; floating point, as no sum of the ledger comes
 * from here. */
#ifndef QUALITY_LEARNING_H
#define QUALITY_LEARNING_H

#include "base/lock.h"
#include "base/map.h"
#include "money/usd.h"

/* Of what a request saved, audits may cost a tenth; of what the reference answers, the route's `learning`. */
enum { LEARNING_SAVINGS_PPM = 100000 };

struct learning_book; /* of one route */

struct learning_books {
    struct lock lock;
    struct map map; /* by route */
    struct learning_book *first;
};

void learning_books_init(struct learning_books *books);
void learning_books_free(struct learning_books *books);

/* Made if it is not there yet; stays where it is until learning_books_free. */
struct learning_book *learning_book_at(struct learning_books *books, const char *route);

/* A request of the route: what it cost, and how much of that, or of what it saved, it allows. Unknown: 0. */
void learning_allow(struct learning_book *book, usd cost, usd allowed);

/* What an audit came to. */
void learning_take(struct learning_book *book, usd cost);

/* The share of conversations that the budget has room for, in ppm. */
uint32_t learning_cap_ppm(struct learning_book *book);

struct learning_standing {
    double allowed, taken; /* since the start */
    uint64_t requests, audits;
};

struct learning_standing learning_standing(struct learning_book *book);

#endif
