/* All evidence of the program, by route and lever: shared by all workers, each piece behind its own lock, which is never
 * held while anybody else is called. What is found once stays where it is until evidences_free. */
#ifndef QUALITY_EVIDENCES_H
#define QUALITY_EVIDENCES_H

#include "base/lock.h"
#include "base/map.h"
#include "quality/evidence.h"
#include "quality/parts.h"

struct shared_evidence; /* of one lever on one route */

struct evidences {
    struct lock lock;
    struct map map;                /* by route, NUL, lever */
    struct shared_evidence *first; /* the newest */
    struct parts parts;            /* of routes, which have evidence of their own */
};

/* Between what a lever's evidence is of and the slice that it is of, where a route is cut (parts.h): "router backend/model", this,
 * "tenant=acme". A model may be called "small for kids", but no name of a configuration has a line's end in it (config/value.h). */
#define EVIDENCE_PART "\n"

/* Takes the slice off such a name, and returns it; empty: it is of a whole route. */
struct slice evidence_split_part(struct slice *lever);

void evidences_init(struct evidences *all);
void evidences_free(struct evidences *all);

/* Made if it is not there yet. */
struct shared_evidence *evidences_at(struct evidences *all, const char *route, const char *lever);

/* Drops what is known of a route's levers whose names begin so. Nobody walks over it until somebody looks it up again. */
void evidences_forget(struct evidences *all, const char *route, const char *levers);

/* Walks all of them, in no particular order: start with NULL; NULL at the end. */
struct shared_evidence *evidences_next(struct evidences *all, struct shared_evidence *shared);

const char *shared_evidence_route(const struct shared_evidence *shared);
const char *shared_evidence_lever(const struct shared_evidence *shared);
/* The same for a person: "router backend/model for tenant=acme". Two of them may read alike. */
const char *shared_evidence_words(const struct shared_evidence *shared);

/* All that follows is evidence.h under the lock. The terms say what the caller's epoch is: evidence of another one serves
 * nothing and learns nothing. */

/* Counts a request's score (not finite: it had none) for the sample of the epoch to come; begins it when there are enough.
 * Does nothing once it has begun. Each request calls this once, before the others. True: the epoch begins with it. */
bool shared_evidence_sample(struct shared_evidence *shared, const struct evidence_terms *terms, double score);

/* Where one score is as good as any other, the arms are known beforehand: begins the epoch, unless it has begun. */
void shared_evidence_begin_alike(struct shared_evidence *shared, const struct evidence_terms *terms, double score);

uint32_t shared_evidence_may_serve(struct shared_evidence *shared, const struct evidence_terms *terms, double score,
                                   enum evidence_reason *reason);
/* The widest earned arm, or ARM_NONE. */
unsigned shared_evidence_serving(struct shared_evidence *shared, const struct evidence_terms *terms);
/* The score from which on it serves; where nothing does, from which on its widest arm would; -INFINITY: no epoch yet. */
double shared_evidence_threshold(struct shared_evidence *shared, const struct evidence_terms *terms);
bool shared_evidence_refutes(struct shared_evidence *shared, const struct evidence_terms *terms);
/* Whatever epoch it is in. False: it has no audits. A verdict says the same of it, after hundreds of looks at all counts. */
bool shared_evidence_audited(struct shared_evidence *shared, bool *refutes);
bool shared_evidence_is_near(struct shared_evidence *shared, const struct evidence_terms *terms, double score);
uint64_t shared_evidence_round_id(struct shared_evidence *shared);
uint32_t shared_evidence_audit_ppm(struct shared_evidence *shared, const struct evidence_terms *terms, bool shadow);
unsigned shared_evidence_observe(struct shared_evidence *shared, const struct evidence_terms *terms,
                                 const struct audit *audit);

/* As observe, of evidence of a part: what refutes it starts it over. Events only where they are news: it refutes what it did not. */
unsigned shared_evidence_observe_part(struct shared_evidence *shared, const struct evidence_terms *terms,
                                      const struct audit *audit);

/* What the other has learned takes its place where it serves more, and the other is empty then. False, with nothing changed:
 * it does not, or the one that serves was suspended, or is about something else, by now; or whoever else has to agree does
 * not, who is asked last and takes no lock of ours. */
bool shared_evidence_become(struct shared_evidence *shared, const struct evidence_terms *terms,
                            struct shared_evidence *other, const struct evidence_terms *other_terms,
                            bool (*agrees)(void *context), void *context) MUST_CHECK;

/* Whatever epoch it is in. */
struct evidence_verdict shared_evidence_verdict(struct shared_evidence *shared);
void shared_evidence_save(struct shared_evidence *shared, struct buffer *out);
enum status shared_evidence_restore(struct shared_evidence *shared, struct slice bytes) MUST_CHECK;

#endif
