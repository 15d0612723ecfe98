/* Reading the configuration again while the gateway serves: for SIGHUP and for the admin's page. Off the loops it loads
 * and checks the file, reads the certificates again, writes what changed into the log of changes; then all workers take
 * it over. A file with an error changes nothing. */
#ifndef CMD_REREAD_H
#define CMD_REREAD_H

#include "cmd/serve/changes_log.h"
#include "gateway/running/reload.h"
#include "live/live.h"

/* Where the configuration came from. */
struct config_source {
    void *context;
    /* Loads it anew, with `present` as the one before: what is read at the start only and options of the command line
     * stay. `words` get what there is to say, as text for a person. Blocks. */
    enum status (*load)(void *context, const struct config *present, struct config **out, struct buffer *words);
    /* The same, but with the text that `present` was loaded from: only what is found apart from it may be another. NULL:
     * nothing is. */
    enum status (*find)(void *context, const struct config *present, struct config **out, struct buffer *words);
};

struct reread_options {
    const struct config_source *source; /* NULL: there is nothing to read again */
    struct gateway *gateway;
    struct live *live;
    struct changes_log *changes;
    struct log *log;
    void *context;
    /* On the first worker: as it begins, and when it is over on all workers. */
    void (*begins)(void *context);
    void (*over)(void *context, enum status status);
};

struct reread;

/* Before the workers run. */
struct reread *reread_new(const struct reread_options *options);
void reread_free(struct reread *reread);

/* On the first worker, when it starts: what the admin's page asks. NULL: there is nothing to read again. */
struct reloader *reread_start(struct reread *reread, struct world *first);

/* On the first worker, before the workers stop: nothing is read again, whoever asks. */
void reread_stop(struct reread *reread);

/* On the first worker: backends have other replicas than they had. False: something is being read again just now; ask
 * later. */
bool reread_places(struct reread *reread);

/* From any thread until live_join. */
void reread_hangup(struct reread *reread);

#endif
