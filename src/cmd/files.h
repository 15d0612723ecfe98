/* Writing files so that a reader sees the old content or the new one, never half. */
#ifndef CMD_FILES_H
#define CMD_FILES_H

#include "base/slice.h"
#include "base/status.h"

/* Writes a file beside it and renames it. An existing file keeps its permissions, a new one gets 0600: configurations
 * may hold secrets. What is there and no plain file, a pipe or a device, is written to. ERR_IO with errno set. */
enum status file_replace(const char *path, struct slice content) MUST_CHECK;

/* The same, but ERR_EXISTS if there is a file. */
enum status file_create(const char *path, struct slice content) MUST_CHECK;

#endif
