#define _GNU_SOURCE /* O_CLOEXEC */
#include "config/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 16 * 1024 };

const char *
config_outside_environment(const char *name)
{
    return getenv(name);
}

static enum status
read_all(int fd, size_t most, struct buffer *out)
{
    for (;;) {
        ssize_t got = read(fd, buffer_reserve(out, PIECE_BYTES), PIECE_BYTES);

        if (got == 0)
            return OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_IO;
        out->end += (size_t)got;
        if (buffer_len(out) > most)
            return ERR_LIMIT;
    }
}

enum status
config_outside_read_file(const char *path, size_t most, struct buffer *out)
{
    /* Not blocking: opening a pipe would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    enum status status;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        status = ERR_INVALID;
    else
        status = read_all(fd, most, out);
    close(fd);
    return status;
}

const struct config_outside config_outside_real = {.environment = config_outside_environment,
                                                   .read_file = config_outside_read_file};
