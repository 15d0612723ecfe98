/* A modelled backend served in the virtual world, and readers of its answers. */
#ifndef TEST_TWIN_BENCH_H
#define TEST_TWIN_BENCH_H

#include <yyjson.h>

#include "twin/twin.h"
#include "virtual/vclient.h"

struct bench {
    struct history *history;
    struct twin *twin;
    struct application *application;
};

struct bench bench_new(uint64_t seed, const struct twin_settings *settings);
struct bench bench_instant(uint64_t seed); /* the default settings, all at once */

/* Runs to rest, asserts that nothing is left open, and frees. */
void bench_end(struct bench *bench);

struct vclient *asks(struct bench *bench, const char *target, const char *headers, const char *body);

/* Readers of JSON that fail the test where there is none. */
yyjson_doc *json_of(struct slice text);
struct slice string_at(yyjson_doc *doc, const char *pointer);
int64_t number_at(yyjson_doc *doc, const char *pointer);

/* GET of a page, and a number in it. */
int64_t page_number(struct bench *bench, const char *target, const char *pointer);

/* Asserts that each frame's data is JSON, but for [DONE]; `each` (may be NULL) sees it. Returns how many there are. */
unsigned walk_frames(struct slice stream, void (*each)(yyjson_doc *, struct slice event, void *), void *user);

/* A streamed chat, put together from its chunks: for walk_frames, start from zeros. */
struct told {
    struct buffer text, arguments[2];
    char ids[2][64], names[2][64];
    char finish[32];
    unsigned roles, usages;
};

void put_chat_together(yyjson_doc *doc, struct slice event, void *told);
void told_free(struct told *told);

#endif
