/* What reading a configuration needs of the machine; replaceable, for tests. */
#ifndef CONFIG_OUTSIDE_H
#define CONFIG_OUTSIDE_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

struct config_outside {
    const char *(*environment)(const char *name); /* NULL: not set */
    /* A regular file's whole content. ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID (a folder or device),
     * ERR_LIMIT (above `most` bytes), ERR_IO. */
    enum status (*read_file)(const char *path, size_t most, struct buffer *out);
    bool no_secrets; /* they are not looked up: each is a placeholder. For worlds that reach nobody */
};

/* The real one. */
extern const struct config_outside config_outside_real;

#endif
