/* Whether a lever that looks for something on every request pays where it looks: a *book* for each lever of each route
 * holds what looking and keeping cost against what was found. Where they cost more than all that could be found is
 * worth, the lever rests there, and looks again for a while now and then.
 *
 * Judged is a trial: the look-ups since it began. As something rare may have been missed by chance, a lever rests only
 * if it would not have paid with as many finds as can be ruled out: found + 1.96 sqrt(found) + 3 (about the upper end of
 * a 97.5 % interval of a Poisson count), each worth what an answer costs there. A rest is counted in requests: eight
 * trials, twice as many after each further trial that did not pay. Looking again is a span of requests rather than a lot
 * drawn for each, since what one request leaves is found by another one soon after, or never.
 *
 * Pure: no clock, no chance. Shared by all workers, each book behind a lock of its own. Money is counted as everywhere;
 * only the interval, which decides and books nothing, is worked out in floating point. */
#ifndef LEVERS_PAYS_H
#define LEVERS_PAYS_H

#include "base/lock.h"
#include "base/map.h"
#include "base/usd.h"

enum {
    PAYS_TRIAL_LEAST = 512,  /* look-ups before anything is judged */
    PAYS_JUDGED_EVERY = 256, /* and how often from then on */
    PAYS_MEMORY = 65536,     /* after so many the counts are halved: what was long ago fades */
    PAYS_REST_TRIALS = 8,    /* a rest's first length, in trials */
    PAYS_REST_MOST = 1 << 20 /* and its longest, in requests */
};

struct pay_book; /* of one lever on one route */

struct pay_books {
    struct lock lock;
    struct map map; /* by route, NUL, lever */
    struct pay_book *first;
};

void pay_books_init(struct pay_books *books);
void pay_books_free(struct pay_books *books);

/* Made if it is not there yet; stays where it is until pay_books_free. */
struct pay_book *pay_books_at(struct pay_books *books, const char *route, const char *lever);

/* Walks all of them, in no particular order: start with NULL; NULL at the end. */
struct pay_book *pay_books_next(struct pay_books *books, struct pay_book *book);

const char *pay_book_route(const struct pay_book *book);
const char *pay_book_lever(const struct pay_book *book);

/* What comes of counting something. */
enum pay_event {
    PAY_NOTHING,
    PAY_RESTS, /* from now on it does not look */
    PAY_LOOKS, /* its rest is over: a trial begins */
    PAY_PAYS   /* after a rest it was found to pay: it goes on */
};

/* A request is here; *looks: the lever may look. */
enum pay_event pay_book_request(struct pay_book *book, bool *looks);

/* What came of a look-up. Amounts that are not known count as nothing, and what nobody can price never rests. */
struct pay {
    usd spent;  /* on looking, and on keeping what may be found later */
    bool found; /* something that would do, whether or not it served */
    usd worth;  /* of that: what it would have cost anew */
    usd bought; /* what the answer cost that was bought instead; USD_UNKNOWN: none was, or nobody knows */
};

enum pay_event pay_book_learn(struct pay_book *book, const struct pay *pay);

/* How things stand. */
struct pay_standing {
    bool rests;
    uint64_t rest_left;      /* requests until it looks again */
    uint64_t looked, found;  /* in the trial that is under way, or the last one */
    wide_int spent, worth;   /* likewise, all together */
    wide_int worth_possible; /* what as many finds as cannot be ruled out would have been worth */
};

struct pay_standing pay_book_standing(struct pay_book *book);

#endif
