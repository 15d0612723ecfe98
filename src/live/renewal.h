/* Renewing the listeners' certificates while they serve: the files of the start are read again, and every worker uses
 * what they hold for the connections that come. */
#ifndef LIVE_RENEWAL_H
#define LIVE_RENEWAL_H

#include "live/live.h"

struct renewal;

/* Reads the files; blocks. ERR_INVALID: `problem` (LIVE_PROBLEM_SIZE bytes) says what is wrong. Nothing changes yet. */
enum status renewal_read(struct live *live, struct renewal **out, char *problem) MUST_CHECK;

/* From now on; from any thread until live_join. Takes the renewal. */
void renewal_use(struct renewal *renewal);

/* Instead of renewal_use; fine with NULL. */
void renewal_drop(struct renewal *renewal);

#endif
