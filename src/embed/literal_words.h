/* Words that stand for a number, a date or a negation, in several languages: literal_words.def. */
#ifndef EMBED_LITERAL_WORDS_H
#define EMBED_LITERAL_WORDS_H

#include "base/slice.h"

enum word_kind {
    WORD_PLAIN, /* none of those below */
    WORD_NEGATION,
    WORD_MONTH,       /* 1 to 12 */
    WORD_MONTH_MAYBE, /* the same, but it may be another word, too: "may" */
    WORD_DAY,         /* 1 to 7 of the week; 8 to 10: yesterday, today, tomorrow */
    WORD_NUMBER,
    WORD_ORDINAL, /* 0: the last */
    WORD_UNIT,    /* the same value for all names of a unit */
    WORD_GERMAN,  /* common there, and in no other language: German writes all nouns with a capital */
};

/* Values of units that have signs. */
enum { UNIT_PERCENT = 28, UNIT_DOLLAR = 29, UNIT_EURO = 30, UNIT_POUND_STERLING = 31, UNIT_YEN = 32 };

/* `word` is folded. */
enum word_kind literal_word(struct slice word, unsigned *value);

/* All words, rising: for the test that looks at that. */
struct slice literal_word_at(size_t index); /* SLICE_NONE at the end */

#endif
