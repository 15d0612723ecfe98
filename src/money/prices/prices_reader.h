/* Reading price files: what prices_read*.c share. Places are known because yyjson reads in place: a value's text still
 * stands where it stood in the file. Numbers stay text, so that "0.0375" is never rounded. */
#ifndef MONEY_PRICES_READER_H
#define MONEY_PRICES_READER_H

#include "money/prices/prices_book.h"

struct reader {
    struct price_book *book;
    struct problems *problems;
    const char *file;
    const char *text;  /* the copy that is read in place */
    struct slice json; /* the original: texts stand at the same offsets */
    size_t line_at;    /* the place found last: they are asked for in ascending order mostly */
    size_t line, line_start;
    const char *owner; /* "openai" or "openai, model gpt-4o": whose the problem is */
};

/* printf into the book's arena. */
#define READER_SAY(r, ...) arena_printf(&(r)->book->arena, __VA_ARGS__)

struct place reader_place_at(struct reader *r, size_t offset);
struct place reader_place(struct reader *r, yyjson_val *value); /* unknown for objects and lists */

/* Adds a problem with the place of a value; `what` and `hint` are copied. */
void reader_complain(struct reader *r, enum severity severity, yyjson_val *where, const char *what, const char *hint);

/* Adds an error; returns ERR_INVALID. */
enum status reader_refuse(struct reader *r, yyjson_val *where, const char *what) MUST_CHECK;

struct slice reader_text(yyjson_val *value); /* SLICE_NONE: no text */
struct slice reader_raw(yyjson_val *value);  /* a number's digits; SLICE_NONE: no number */

/* A member that must be a text, not empty; and one that may be. */
enum status reader_take_text(struct reader *r, yyjson_val *object, const char *name, const char **out) MUST_CHECK;
const char *reader_maybe_text(struct reader *r, yyjson_val *object, const char *name);

/* A whole number from 0 to USAGE_COUNT_MOST; says nothing if it is none. */
enum status reader_number(yyjson_val *value, int64_t *out) MUST_CHECK;

/* {"equals": "gpt-5"} and the like; `depth` is 0. */
enum status reader_clause(struct reader *r, yyjson_val *value, unsigned depth, struct clause *out) MUST_CHECK;
enum status reader_maybe_clause(struct reader *r, yyjson_val *object, const char *name, bool *has, struct clause *out)
    MUST_CHECK;

/* prices_read_rates.c: a model's "prices" and "price_variants". */
enum status reader_prices(struct reader *r, yyjson_val *prices, struct model *model) MUST_CHECK;
enum status reader_variants(struct reader *r, yyjson_val *list, struct model *model) MUST_CHECK;

#endif
