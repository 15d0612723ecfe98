/* Cuts a text into the pieces of a vocabulary: BERT's BasicTokenizer for uncased models (control characters dropped,
 * lower case, accents gone, every punctuation mark and CJK character a word of its own), then WordPiece (the longest
 * piece first, greedily; Devlin et al., 2018). Any bytes are a text: those outside of well-formed UTF-8 are dropped.
 *
 * The text may be fed in parts, cut anywhere. Nothing is allocated. */
#ifndef EMBED_WORDPIECE_H
#define EMBED_WORDPIECE_H

#include "embed/unicode.h"
#include "embed/vocabulary.h"

/* Longer words are unknown, as in BERT's. */
enum { WORDPIECE_WORD_MOST = 100 };

/* Called for each piece, in order; `text` is what it stands for, in lower case, and lives as long as the call. A word
 * that is too long, or that pieces cannot make up, is PIECE_NONE, once; `text` is at most its first WORDPIECE_WORD_MOST
 * characters. */
typedef void wordpiece_sink(void *user, uint32_t id, struct slice text);

struct wordpiece {
    const struct vocabulary *vocabulary;
    wordpiece_sink *sink;
    void *user;
    char word[WORDPIECE_WORD_MOST * UNICODE_BYTES_MOST];
    size_t word_len;
    unsigned word_characters; /* may count beyond WORDPIECE_WORD_MOST */
    char cut[UNICODE_BYTES_MOST];
    size_t cut_len; /* bytes of a character whose rest has not been fed yet */
};

void wordpiece_init(struct wordpiece *cutter, const struct vocabulary *vocabulary, wordpiece_sink *sink, void *user);
void wordpiece_feed(struct wordpiece *cutter, struct slice text);

/* The text is over: the last word is cut. Another text may follow. */
void wordpiece_end(struct wordpiece *cutter);

#endif
