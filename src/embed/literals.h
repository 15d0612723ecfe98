/* Two texts that mean nearly the same may differ in a number, a name, a "not": then one's answer is wrong for the other. A
 * guard compares what a text says literally, by a digest for each kind, so that the text need not be kept.
 *
 * It errs towards "not equal", which costs a hit. What it cannot see: a name in a text that is all in lower case, or that
 * begins a sentence; names in German, where every noun has a capital; opposites ("increase", "decrease"). */
#ifndef EMBED_LITERALS_H
#define EMBED_LITERALS_H

#include "base/slice.h"

enum literal_kind {
    LITERAL_NUMBERS,   /* with signs, units, currencies; in digits or words; times of day */
    LITERAL_DATES,     /* also days of the week, "tomorrow" */
    LITERAL_QUOTES,    /* what stands between quotation marks, byte by byte but for white space */
    LITERAL_CODE,      /* between backticks; identifiers, paths, options */
    LITERAL_ADDRESSES, /* URLs, e-mail addresses */
    LITERAL_NAMES,     /* capitals inside of sentences, abbreviations */
    LITERAL_NEGATIONS, /* how many */
    LITERAL_KINDS,
};

/* Of what stands in the text, in its order; 0: nothing of that kind. Digests are not kept from attackers: whoever can
 * choose both texts can make two of them equal. */
struct literals {
    uint64_t digests[LITERAL_KINDS];
};

/* The names in a text without any lower-case letter, without any capital one, or in German cannot be told. */
#define LITERALS_UNKNOWN 1u

struct literals literals_of(struct slice text);

/* *why (may be NULL): the first kind in which they differ. */
bool literals_equal(const struct literals *a, const struct literals *b, enum literal_kind *why);

/* "numbers", ... : what differs, for a person. */
const char *literal_kind_text(enum literal_kind kind);

#endif
