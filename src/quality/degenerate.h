/* Answers that no judge need be asked about, as they are meant for the judge, or for nothing: empty, refusing where the
 * reference does not, speaking to whoever judges, or the same whatever is asked. Judged by a text's words, they might pass.
 *
 * This is coarse on purpose. It errs to the side of calling an answer degenerate, which costs savings and no quality; and
 * never where the reference's answer is the same, or does the same. */
#ifndef QUALITY_DEGENERATE_H
#define QUALITY_DEGENERATE_H

#include "base/lock.h"
#include "base/map.h"
#include "base/slice.h"

enum degenerate { DEGENERATE_NOT, DEGENERATE_EMPTY, DEGENERATE_REFUSES, DEGENERATE_SPEAKS, DEGENERATE_SAME };

/* The words for a person; NULL for DEGENERATE_NOT. */
const char *degenerate_words(enum degenerate kind);

/* By the texts alone: not DEGENERATE_SAME. Any bytes are a text. */
enum degenerate degenerate_text(struct slice reference, struct slice candidate);

/* What a candidate said lately, and what the reference did, as marks: no text is kept. For any number of threads. */
enum { SAMENESS_ANSWERS = 32 };

struct sameness {
    struct lock lock;
    unsigned count, next;
    struct said_mark {
        uint64_t request, reference, candidate;
    } said[SAMENESS_ANSWERS];
};

/* All of them, by name: of a candidate of a route, in a slice of it. */
struct samenesses {
    struct lock lock;
    struct map map;
    struct sameness_of *first;
};

void samenesses_init(struct samenesses *all);
void samenesses_free(struct samenesses *all);

/* Made if it is not there yet; stays where it is until samenesses_free. */
struct sameness *sameness_at(struct samenesses *all, const char *name);

/* Notes the answers to a request. True: of the requests lately asked, most got this very answer of the candidate, and not
 * the same one of the reference. */
bool sameness_note(struct sameness *sameness, uint64_t request, struct slice reference, struct slice candidate);

#endif
