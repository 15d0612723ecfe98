/* How often the answers of a route's candidates were accepted lately: the scores of the last calls of each, of which a share
 * is at or above any threshold. From that follows what a cascade may be expected to cost. Until something is known all are
 * taken for acceptable, as a candidate that looks dearer than it is would never be asked. While nobody is asked, since that
 * would not pay, what is known is slowly forgotten: a candidate may have become better.
 *
 * Shared by all workers, each book behind its own lock; not kept over a restart. */
#ifndef QUALITY_ACCEPTANCES_H
#define QUALITY_ACCEPTANCES_H

#include "base/lock.h"
#include "base/map.h"
#include "base/timers.h"

struct acceptance_book; /* of one candidate of a route */

struct acceptance_books {
    struct lock lock;
    struct map map; /* by route, NUL, candidate */
    struct acceptance_book *first;
};

void acceptance_books_init(struct acceptance_books *books);
void acceptance_books_free(struct acceptance_books *books);

/* Made if it is not there yet; stays where it is until acceptance_books_free. */
struct acceptance_book *acceptance_book_at(struct acceptance_books *books, const char *route, const char *candidate);

/* A call's answer was scored: the higher, the surer it is acceptable. Not finite: it may not be kept,
 * whatever the threshold, or there was none. */
void acceptance_note(struct acceptance_book *book, double score);

/* Its backend was asked to tell how sure it is (logprobs), and told nothing, or refused for that: for an hour it is not asked
 * again. */
void acceptance_note_silent(struct acceptance_book *book, usec now_us);
bool acceptance_is_silent(struct acceptance_book *book, usec now_us);

/* A request for which the candidate was not asked, though it was not drawn for anything else. */
void acceptance_pass_over(struct acceptance_book *book);

/* The share of calls whose answer has at least this score; -INFINITY: any score at all. */
double acceptance_share(struct acceptance_book *book, double threshold);

#endif
