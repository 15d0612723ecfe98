/* The real gateway in the virtual world, for tests that read like scripts:
 *
 *     struct scene *s = scene_new(state, (struct scene_options){.seed = 27});
 *     struct vclient *c = scene_asks(s, (struct ask){.model = "assistant", .stream = true});
 *
 *     scene_provider(s, "alpha")->first_word_us = 4 * USEC_PER_S;
 *     history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
 *     vclient_leave(c);
 *     scene_rest(s);
 *     assert_row(s, 0, state, "client gone");
 *     scene_passed(s);
 *
 * Unless a configuration is given, there are two OpenAI backends, alpha (cheaper) and beta, which both have `big`; an
 * Anthropic one, claude, which has `opus`; a route `assistant` with alpha/big as its reference and beta/big as the
 * alternative, a route `writer` to claude/opus; and one key, KEY, of tenant acme. */
#ifndef TEST_SCENE_H
#define TEST_SCENE_H

#include "base/rng.h"
#include "base/text.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "provider.h"
#include "virtual/vbackend.h"
#include "virtual/vclient.h"

#define KEY "sk-of-the-tests"

enum { SCENE_BACKENDS_MOST = 16 };

struct scene_options {
    uint64_t seed;
    unsigned workers; /* 0: one */
    bool split_answers;
    usec hop_most_us, wall_us; /* as in history.h */
    const char *config;        /* YAML; NULL: as above */
    const char *more;          /* YAML, behind the usual one, which ends with `keys:` */
    const char *key;           /* YAML, further members of the key: "budget: $5/day" */
};

struct scene {
    struct history *history;
    struct gateway gateway;
    struct log log;
    struct config *config; /* the newest */
    size_t backend_count;  /* of all configurations so far */
    unsigned endpoint_ids[SCENE_BACKENDS_MOST];
    struct provider providers[SCENE_BACKENDS_MOST];
    struct vbackend *backends[SCENE_BACKENDS_MOST];
    struct row *rows; /* as of the last scene_rest, in order of settling */
    size_t row_count, rows_size;
    unsigned reloads;           /* under way */
    size_t opened;              /* OPEN records that no SETTLE followed */
    size_t attempts, feedbacks; /* ATTEMPT and FEEDBACK records */
    bool passed;
    bool journal_fails; /* then rows may be missing */
    bool reloaded;      /* then budgets may be younger than rows */
};

/* *state is for scene_teardown, which prints the history unless the test came to scene_passed. */
struct scene *scene_new(void **state, struct scene_options options);
int scene_teardown(void **state);

/* For loops over seeds and steps: ends a scene within the test. */
void scene_free(struct scene *scene, void **state);

struct provider *scene_provider(struct scene *scene, const char *backend);
struct vbackend *scene_backend(struct scene *scene, const char *backend);

/* The same for a backend of several URLs, counted from 0 (which the two above mean). */
struct provider *scene_replica_provider(struct scene *scene, const char *backend, size_t replica);
struct vbackend *scene_replica(struct scene *scene, const char *backend, size_t replica);

/* The whole configuration anew (but for the key, which is added as in scene_new): the reload starts now and is over some
 * steps later. What stays of the backends keeps its provider; a backend at another place is another provider, behind the
 * same name. At most SCENE_BACKENDS_MOST places in a scene. */
void scene_reload(struct scene *scene, const char *config);
void scene_reload_options(struct scene *scene, struct scene_options options); /* its configuration */
bool scene_reloading(const struct scene *scene); /* some worker has not got the newest yet */

/* A request of an API. */
struct ask {
    enum api api;      /* API_CHAT by default */
    const char *model; /* NULL: "assistant", for API_MESSAGES "writer" */
    bool stream;
    bool wants_usage;             /* stream_options.include_usage */
    const char *text;             /* what the user says; NULL: "tell me a story" */
    const char *more;             /* further members of the body: "\"temperature\":0" */
    const char *body;             /* instead of all that: the body */
    const char *key;              /* NULL: KEY; "": none is sent */
    const char *headers;          /* further headers, by lines */
    const char *target;           /* instead of the API's path */
    struct vclient_script client; /* how the client behaves; method, target, headers and body are filled in */
};

struct vclient *scene_asks(struct scene *scene, struct ask ask);

/* Runs to rest, reads the journals, and checks what holds at the end of every history: exactly one row for each
 * identified request, sums of rows = counters, attempts add up to the row, saving lines to baseline - cost, and nothing
 * is left open. */
void scene_rest(struct scene *scene);

const struct row *scene_row(struct scene *scene, size_t index);

/* Runs to rest, as scene_rest. The row of the request that the client sent. */
const struct row *scene_row_of(struct scene *scene, const struct vclient *client);

/* What the row says that the lever saved, not in shadow; 0 where it has no such line. */
usd scene_saved(const struct row *row, const char *lever);

/* The number behind the words in a text, 0 where there is none. */
unsigned scene_number_behind(struct slice text, const char *words);

void scene_passed(struct scene *scene);

#define assert_row_is(scene, index, field, text) assert_slice_is(scene_row(scene, index)->field, text)
#define assert_slice_is(slice, text) assert_slice_is_((slice), (text), __FILE__, __LINE__)
#define assert_contains(slice, text) assert_contains_((slice), (text), __FILE__, __LINE__)
#define assert_lacks(slice, text) assert_true(slice_find((slice), slice_of(text)) == (slice).len)
void assert_slice_is_(struct slice slice, const char *text, const char *file, int line);
void assert_contains_(struct slice slice, const char *text, const char *file, int line);

/* The usual name of everything else cmocka wants before its header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#endif
