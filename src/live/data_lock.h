/* One process per data directory: a lock file, held as long as the process lives. */
#ifndef LIVE_DATA_LOCK_H
#define LIVE_DATA_LOCK_H

#include "base/problem.h"

/* Makes the directory if need be and takes DIR/lock. ERR_DENIED: another process has it (the problem names it);
 * ERR_IO. *out is closed by data_lock_release. */
enum status data_lock_take(const char *dir, struct problems *problems, int *out) MUST_CHECK;
void data_lock_release(int lock);

#endif
