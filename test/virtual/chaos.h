/* Random histories of the real gateway, in three steps: a seed is written out as a script, which a person can read and
 * parts of which can be dropped; the script is played in the virtual world; then what must hold after every history is
 * checked: one row for each identified request, sums of rows = counters = what the backends saw and billed, nothing left
 * open.
 *
 *     chaos_write(seed, &script);
 *     chaos_play(state, &script);          ends the test (cmocka) or the process if anything does not hold
 *
 * Every client marks its request with its number, in a header that goes on to the backend and as a tag: so each call that a
 * backend saw and each row of the ledger belong to a client, one by one. */
#ifndef TEST_CHAOS_H
#define TEST_CHAOS_H

#include <stdio.h>

#include "scene.h"

enum {
    CHAOS_SETTINGS_MOST = 40,
    CHAOS_CLIENTS_MOST = 40,
    CHAOS_EVENTS_MOST = 12,
    CHAOS_BACKENDS = 3,
    CHAOS_MORE_MOST = 512
};

/* How a backend behaves from the start, or from an event on. */
struct chaos_habits {
    struct provider provider;
    bool refusing, silent, stale;
};

struct chaos_client {
    bool dropped;
    bool known_key, known_path, reads_only; /* reads_only: GET, or feedback: leaves no row */
    bool rival;                             /* with the key of another tenant */
    struct ask ask;                         /* its texts point to static ones and to those here */
    char more[1600], headers[240];
};

enum chaos_kind {
    CHAOS_CLIENTS_LEAVE,
    CHAOS_CALLS_CUT,
    CHAOS_APPENDS_FAIL,
    CHAOS_WALL_JUMPS,
    CHAOS_BYPASS,
    CHAOS_LEVER_SET,
    CHAOS_RELOAD,
    CHAOS_BACKEND_CHANGES
};

/* Happens just before that step, or when nothing else is left to happen. */
struct chaos_event {
    bool dropped;
    enum chaos_kind kind;
    uint64_t step;
    usec jump_us;
    uint64_t count; /* appends */
    enum status status;
    bool on; /* bypass; the lever, else it is in the shadow */
    enum lever_id lever;
    size_t setting; /* reload */
    size_t backend;
    struct chaos_habits habits;
};

struct chaos_script {
    uint64_t seed;
    unsigned workers;
    size_t setting; /* which configuration */
    bool split_answers;
    bool equals; /* the clients ask few different things */
    bool killed; /* it is to be stopped dead (chaos_kill.h): whoever plays it so says so, for chaos_print */
    usec hop_most_us;
    struct chaos_habits habits[CHAOS_BACKENDS];
    struct chaos_client clients[CHAOS_CLIENTS_MOST];
    size_t client_count;
    struct chaos_event events[CHAOS_EVENTS_MOST]; /* by step */
    size_t event_count;
};

/* The same seed is the same script, on every machine. The script may not be moved: it points into itself. */
void chaos_write(uint64_t seed, struct chaos_script *script);

/* For a person, with the command that plays it again. */
void chaos_print(const struct chaos_script *script, FILE *to);

/* Parts are counted from 0, clients first, then events. */
size_t chaos_parts(const struct chaos_script *script);
bool *chaos_part(struct chaos_script *script, size_t part); /* -> dropped */

/* What may differ between configurations; see chaos_settings.c. */
struct chaos_setting {
    const char *name;
    const char *config; /* NULL: the scene's usual one */
    const char *more;
    const char *key;      /* further members of the key */
    bool serves_unbooked; /* journal: when_full */
    bool crossed;         /* most requests can be put in other APIs' words, and are */
    bool earned;          /* what is nearly alike may serve from the start */
    int64_t price_factor; /* on the list price of chaos_check.c */
};
size_t chaos_setting_count(void);
const struct chaos_setting *chaos_setting(size_t index);

/* What a backend did, written down by itself when it was asked. */
struct chaos_bill {
    size_t backend; /* which of the three */
    size_t place;   /* where: the scene's number */
    size_t call;    /* its index among the calls there */
    size_t client;
    bool tells; /* its answer tells what it costs */
    int64_t input, cached, cache_write, cache_write_1h, output;
};

/* A script being played. */
struct chaos {
    const struct chaos_script *script;
    void **state;
    struct scene *scene;
    char more[CHAOS_MORE_MOST]; /* YAML: the rival's key, and what the setting adds */
    struct chaos_habits habits[CHAOS_BACKENDS];
    struct chaos_player {
        struct chaos *chaos;
        size_t backend, place;
    } players[SCENE_BACKENDS_MOST]; /* a backend that was away for a while comes back at another place */
    size_t place_count;
    bool settings[CHAOS_SETTINGS_MOST]; /* which were in force at some time */
    struct chaos_bill *bills;
    size_t bill_count, bills_size;
    struct vclient *clients[CHAOS_CLIENTS_MOST]; /* NULL: dropped */
    size_t next_event;
};

struct chaos *chaos_begin(void **state, const struct chaos_script *script);
bool chaos_step(struct chaos *chaos); /* false: nothing is left to happen */
void chaos_rest(struct chaos *chaos); /* plays on to the end and checks everything */
void chaos_end(struct chaos *chaos);

/* The key of another tenant, which all configurations know. */
#define CHAOS_RIVAL "sk-of-the-rival"

/* How the models of a tenant's calls call themselves in their answers: so every answer tells for whom it was bought. */
const char *chaos_model_of(const struct chaos_client *client, size_t backend);

/* Which client a call or a row belongs to; CHAOS_CLIENTS_MOST: it is not marked. */
size_t chaos_client_of_call(const struct vcall_seen *seen);
size_t chaos_client_of_row(const struct row *row);

/* How many calls of each client have reached a backend so far. */
void chaos_count_calls(struct chaos *chaos, size_t calls[CHAOS_CLIENTS_MOST]);

/* Some configuration that was in force serves what cannot be booked. */
bool chaos_serves_unbooked(const struct chaos *chaos);

/* chaos_check.c: of chaos_rest. */
void chaos_check(struct chaos *chaos);

/* All of it. Returns the digest of the history's log: the same script, the same digest. */
uint64_t chaos_play(void **state, const struct chaos_script *script);

#endif
