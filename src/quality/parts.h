/* The slices of a route's traffic (acceptable: slices) that have evidence of their own: by name, "tenant=acme, tag:feature=search",
 * each at a place, from 1 on, in the order in which they came. In code they are parts, as a slice is a piece of text.
 *
 * What is promised of a lever is promised of each part by itself, and all of them share its alpha: the part at place k has
 * alpha / (k (k + 1)), which sums up to no more than alpha however many come. So which come first must not depend on how well they
 * are served, nor does it: a part has its place with its first request. There are PARTS_MOST places; with another list of what tells parts
 * apart all places are free again. Shared by all workers, behind one lock. */
#ifndef QUALITY_PARTS_H
#define QUALITY_PARTS_H

#include "base/buffer.h"
#include "base/lock.h"
#include "base/map.h"

enum { PARTS_MOST = 32, PART_NAME_BYTES_MOST = 1024 };

struct route_parts;

struct parts {
    struct lock lock;
    struct map map; /* by route */
    struct route_parts *first;
};

void parts_init(struct parts *parts);
void parts_free(struct parts *parts);

/* The list by which the route's parts are told apart from now on; 0: they are not. True: it was another, and none has a place. */
bool parts_follow(struct parts *parts, const char *route, uint64_t mark);

/* Is it this list? */
bool parts_are(struct parts *parts, const char *route, uint64_t mark);

/* The place of that part, taken if there is one; 0: there is none, its name is longer than PART_NAME_BYTES_MOST, or the list is another.
 * *is_new: it was taken right now. */
unsigned parts_place(struct parts *parts, const char *route, uint64_t mark, const char *name, bool *is_new);

/* Somebody found no place. True for the first one since the route follows its list: it is said once. */
bool parts_is_first_without(struct parts *parts, const char *route);

/* The part at that place, which stays until the route follows another list: copied into the buffer. False: nobody is there. */
bool parts_at(struct parts *parts, const char *route, unsigned place, struct buffer *name);

/* Its alpha, of what the route's model has; 0: too little is left to be shared. */
uint32_t parts_alpha_ppm(uint32_t alpha_ppm, unsigned place);

/* For whoever keeps them: the route's list and places, appended; nothing where its parts are not told apart. */
void parts_save(struct parts *parts, const char *route, struct buffer *out);

/* ERR_CORRUPT, with nothing changed, unless the bytes are what parts_save wrote. */
enum status parts_restore(struct parts *parts, const char *route, struct slice bytes) MUST_CHECK;

/* Walks the routes whose parts were ever told apart, as evidences_next does. */
struct route_parts *parts_next(struct parts *parts, struct route_parts *route);
const char *route_parts_name(const struct route_parts *route);

#endif
