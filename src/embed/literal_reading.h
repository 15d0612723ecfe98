/* A text as far as its literals have been read, and what the files that read them know of each other: literals.c (the text,
 * its words and names), literal_amounts.c (numbers and dates), literal_quotes.c (quotes and code). */
#ifndef EMBED_LITERAL_READING_H
#define EMBED_LITERAL_READING_H

#include "embed/literals.h"

enum { WORD_BYTES_MOST = 64 /* folded; no word of the table is as long */ };

struct reading {
    struct slice text;
    size_t at, run_end;
    struct literals found;
    uint64_t numbers_before; /* the digest before the last number: a month behind it makes it a date's day */
    int last_whole;          /* that number, if nothing but a space or a point stands behind it; else -1 */
    bool sentence_begins;
    bool after_title;
    unsigned german, negations;
    bool any_upper, any_lower;
};

struct word {
    char folded[WORD_BYTES_MOST];
    size_t len; /* of `folded` */
    size_t bytes, characters, uppers;
    bool first_upper, inner_upper, has_digit, has_underscore, ends_not;
};

/* What is literal goes into the digest of its kind. */
void reading_note(struct reading *reading, enum literal_kind kind, struct slice bytes);

static inline struct slice
reading_rest(const struct reading *reading)
{
    return slice_from(reading->text, reading->at);
}

/* Whether a letter, digit or the like stands at the front of `text`, or right before where the reading is. */
bool literal_wordlike_at(struct slice text);
bool reading_wordlike_before(const struct reading *reading);

/* `*len`: its bytes. */
bool literal_apostrophe(struct slice text, size_t *len);

/* A word, with apostrophes inside; 's is left to the next. `text` begins with a letter. */
void word_take(struct slice text, struct word *word);

static inline struct slice
word_folded(const struct word *word)
{
    return slice_make(word->folded, word->len);
}

/* True: there is one, and it has been read. */
bool reading_code(struct reading *reading); /* `code` or ```code```: as many backticks at the end as at the beginning */
bool reading_quote(struct reading *reading);
bool reading_number(struct reading *reading);

/* The word has been read; it is a month, or may be one. False: it is none. */
bool reading_month(struct reading *reading, unsigned month, bool sure);

/* The word has been read; it says a number. */
void reading_number_word(struct reading *reading, unsigned value);

#endif
