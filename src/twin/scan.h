/* Reading prompts: a cursor over text that moves past what it recognises, and stays where it is otherwise. */
#ifndef TWIN_SCAN_H
#define TWIN_SCAN_H

#include "base/slice.h"

/* Where `word` first stands in `text` whatever the case of ASCII letters, or text.len. */
size_t scan_find(struct slice text, struct slice word);

/* Moves *rest behind the first occurrence of `marker` (any case). */
bool scan_past(struct slice *rest, const char *marker);

/* Moves *rest behind `word` if it starts with it, after blanks (any case). */
bool scan_word(struct slice *rest, const char *word);

/* A run of digits after blanks; false if there is none, or more than 15. */
bool scan_integer(struct slice *rest, int64_t *out);

/* A decimal number after blanks, with sign and up to three decimals, in thousandths. */
bool scan_thousandths(struct slice *rest, int64_t *out);

/* A date "2024-02-10" after blanks; in days since 1970-01-01. */
bool scan_date(struct slice *rest, int64_t *day);

/* What stands between the next pair of double quotes; *rest moves behind it. */
bool scan_quoted(struct slice *rest, struct slice *out);

#endif
