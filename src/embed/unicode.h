/* Characters, as far as cutting a text into words needs them: classes and folding are those of BERT's uncased
 * vocabularies (Devlin et al., 2018; BasicTokenizer). The tables are written by tools/embed/unicode_tables.py. */
#ifndef EMBED_UNICODE_H
#define EMBED_UNICODE_H

#include "base/slice.h"

enum character_class {
    CLASS_LETTER, /* and digits, symbols, pictures: whatever is none of the others */
    CLASS_SPACE,
    CLASS_PUNCTUATION, /* a word of its own */
    CLASS_CJK,         /* the same */
    CLASS_DROPPED,     /* control characters and marks that stand on others: as if they were not there */
};

/* What a byte that belongs to no well-formed sequence is read as; it is dropped. */
#define UNICODE_REPLACEMENT 0xfffdu

#define UNICODE_FOLD_MOST 3
#define UNICODE_BYTES_MOST 4

enum character_class unicode_class(uint32_t character);

/* The character in lower case without its accents: 1 to 3 characters. */
unsigned unicode_fold(uint32_t character, uint32_t out[UNICODE_FOLD_MOST]);

/* Capital letters, with accents or without. */
bool unicode_is_upper(uint32_t character);

/* The first character of `text`, which is not empty, and how many bytes it takes. */
uint32_t unicode_read(struct slice text, size_t *len);

/* Writes a character as UTF-8; returns the bytes taken. */
size_t unicode_write(uint32_t character, char out[UNICODE_BYTES_MOST]);

#endif
