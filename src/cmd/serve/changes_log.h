/* The log of changes: changes.log in the data folder, one line of JSON (admin/change.h) for each change of a lever, key
 * or price, only ever added to. What is known of each is what its newest line says, so at a start and at each reload the
 * configuration is compared with the log itself. From any thread but a worker's loop. */
#ifndef CMD_CHANGES_LOG_H
#define CMD_CHANGES_LOG_H

#include "base/buffer.h"
#include "config/config.h"

struct changes_log;

/* Reads what is there; makes the file if there is none (0600). ERR_IO with errno set. */
enum status changes_log_open(const char *data, struct changes_log **out) MUST_CHECK;
void changes_log_close(struct changes_log *log);

/* Lines of others' making, complete, kept for good when it returns. ERR_FULL, ERR_IO: they are not. */
enum status changes_log_add(struct changes_log *log, struct slice lines) MUST_CHECK;

/* Adds a line for whatever the configuration says otherwise than what is known. With `start`, what was set at run time
 * is over too. */
enum status changes_log_compare(struct changes_log *log, const struct config *config, uint64_t salt, const char *who,
                                bool start, usec wall_us) MUST_CHECK;

/* The file's path in that folder, in the arena. */
const char *changes_log_path(struct arena *arena, const char *data);

#endif
