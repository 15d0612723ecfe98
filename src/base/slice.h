/* A view of bytes that somebody else owns; not NUL-terminated, may hold any byte. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;
    size_t len;
};

/* For printf: printf("%.*s", SLICE_ARGS(s)). */
#define SLICE_ARGS(s) (int)(s).len, (s).data
#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})

/* In the initialiser of a static table. */
#define SLICE_CONSTANT(text)                                                                                           \
    {                                                                                                                  \
        (text), sizeof(text) - 1                                                                                       \
    }

static inline struct slice
slice_of(const char *text)
{
    return text != NULL ? (struct slice){text, strlen(text)} : SLICE_NONE;
}

static inline struct slice
slice_make(const char *data, size_t len)
{
    return (struct slice){data, len};
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* As memcmp has it, the shorter first: below, at or above 0. */
static inline int
slice_order(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool
slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_of(text));
}

/* Equal but for the case of ASCII letters, as header names are compared (RFC 9110, 5.1). */
static inline bool
slice_equal_nocase(struct slice a, struct slice b)
{
    /* Most that are as long differ in their first letter already. */
    return a.len == b.len &&
           (a.len == 0 || (((a.data[0] ^ b.data[0]) & ~0x20) == 0 && strncasecmp(a.data, b.data, a.len) == 0));
}

static inline bool
slice_is_nocase(struct slice a, const char *text)
{
    /* Most names differ in their first letter already: the lengths are not even looked at. */
    if (a.len > 0 && ((a.data[0] ^ text[0]) & ~0x20) != 0)
        return false;
    return slice_equal_nocase(a, slice_of(text));
}

/* Is it one of these, but for the case of letters? */
bool slice_is_among_nocase(struct slice a, const struct slice *some, size_t count);

/* Names, each shorter than 64 bytes. Most others have a length that none of these has. Made of a list of X("name"):
 *
 *     static const struct slice all[] = {NAMES(SLICE_LISTED)};
 *     static const struct slice_set set = {all, sizeof(all) / sizeof(*all), 0 NAMES(SLICE_LENGTH)}; */
struct slice_set {
    const struct slice *all;
    size_t count;
    uint64_t lengths; /* bit (1 << len) */
};
#define SLICE_LISTED(text) SLICE_CONSTANT(text),
#define SLICE_LENGTH(text) | (uint64_t)1 << (sizeof(text) - 1)

static inline bool
slice_set_has_nocase(const struct slice_set *set, struct slice a)
{
    return a.len < 64 && (set->lengths >> a.len & 1) != 0 && slice_is_among_nocase(a, set->all, set->count);
}

static inline bool
slice_starts(struct slice a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && (len == 0 || memcmp(a.data, prefix, len) == 0);
}

static inline bool
slice_starts_nocase(struct slice a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && slice_equal_nocase(slice_make(a.data, len), slice_of(prefix));
}

static inline bool
slice_ends(struct slice a, const char *suffix)
{
    size_t len = strlen(suffix);

    return a.len >= len && (len == 0 || memcmp(a.data + a.len - len, suffix, len) == 0);
}

/* The part from `from` on; empty when `from` is past the end. */
static inline struct slice
slice_from(struct slice a, size_t from)
{
    size_t skipped = from < a.len ? from : a.len;

    return skipped != 0 ? (struct slice){a.data + skipped, a.len - skipped} : a; /* a.data may be NULL */
}

static inline struct slice
slice_first(struct slice a, size_t len)
{
    return (struct slice){a.data, len < a.len ? len : a.len};
}

/* Where `byte` first stands, or a.len. */
static inline size_t
slice_find_byte(struct slice a, char byte)
{
    const char *at = a.len != 0 ? memchr(a.data, byte, a.len) : NULL;

    return at != NULL ? (size_t)(at - a.data) : a.len;
}

/* Where `needle` first stands in `a`, or a.len. */
size_t slice_find(struct slice a, struct slice needle);

/* Without leading and trailing spaces, tabs, CR and LF. */
struct slice slice_trim(struct slice a);

/* Cuts *rest at the first `byte`: returns what stood before it and moves *rest behind it (to empty, data NULL, when
 * there was none). Start with rest->data != NULL; a loop ends when rest->data is NULL. */
struct slice slice_split(struct slice *rest, char byte);

/* A malloced NUL-terminated copy. */
char *slice_strdup(struct slice a);

#endif
