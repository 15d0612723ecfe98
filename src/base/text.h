/* Small work on text: numbers in and out, nearest words, base32. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/slice.h"
#include "base/status.h"

/* The whole slice as a decimal number without sign, space or plus: ERR_INVALID else, ERR_LIMIT above 2^64 - 1. */
enum status text_parse_u64(struct slice text, uint64_t *out) MUST_CHECK;

/* In decimal; returns how many digits. `out` needs TEXT_U64_SIZE bytes; no NUL is put behind them. */
#define TEXT_U64_SIZE 20
size_t text_format_u64(uint64_t number, char *out);

/* An id as 13 characters of Crockford's base32 in lower case, the order of the texts being that of the numbers.
 * `out` needs TEXT_ID_SIZE bytes. */
#define TEXT_ID_SIZE 14
void text_format_id(uint64_t id, char *out);
enum status text_parse_id(struct slice text, uint64_t *out) MUST_CHECK; /* either case; i, l as 1 and o as 0 */

/* Lower-case hexadecimal; `out` needs 2 * bytes.len + 1. */
void text_format_hex(struct slice bytes, char *out);
/* `out_len` bytes from exactly 2 * out_len digits of either case. */
enum status text_parse_hex(struct slice text, unsigned char *out, size_t out_len) MUST_CHECK;

/* Edits (insert, delete, replace, swap of neighbours) from a to b; for "did you mean". Words above 64 bytes: 64. */
unsigned text_distance(struct slice a, struct slice b);

/* The nearest of `words` within a third of the word's length (at least 1, at most 3 edits), or NULL. */
const char *text_nearest(struct slice word, const char *const *words, size_t count);

/* "*" stands for any run of bytes, "?" for any one byte. */
bool text_glob(struct slice pattern, struct slice text);

/* The length of the well-formed UTF-8 sequence at the front of `text`, which is not empty; 0 if there is none. */
size_t text_utf8_len(struct slice text);

/* True if the bytes are well-formed UTF-8 (RFC 3629, 4). */
bool text_is_utf8(struct slice text);

/* True if nothing in it commands what shows it: no control character (also U+0080 to U+009F, which terminals obey), no end of a line
 * or paragraph, nothing that turns the direction of writing (Unicode, UAX 9, 2). It need not be UTF-8. */
bool text_is_tame(struct slice text);

#endif
