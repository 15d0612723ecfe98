/* What reading a configuration needs of the machine; replaceable, for tests. */
#ifndef CONFIG_OUTSIDE_H
#define CONFIG_OUTSIDE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

struct config_outside {
    const char *(*environment)(const char *name); /* NULL: not set */
    /* A regular file's whole content. ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID (a folder or device),
     * ERR_LIMIT (above `most` bytes), ERR_IO. */
    enum status (*read_file)(const char *path, size_t most, struct buffer *out);
    /* The addresses that a name leads to now, as texts in the arena; how many, at most `most`. 0: *why says what is wrong.
     * Blocks. NULL: nobody is asked. */
    size_t (*resolve)(const char *host, struct arena *arena, const char **out, size_t most, const char **why);
    bool no_secrets; /* they are not looked up: each is a placeholder. For worlds that reach nobody */
};

/* The real one; live/outside.h has it with a resolver. */
extern const struct config_outside config_outside_real;

const char *config_outside_environment(const char *name);
enum status config_outside_read_file(const char *path, size_t most, struct buffer *out) MUST_CHECK;

#endif
