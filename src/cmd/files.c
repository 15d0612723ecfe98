#define _GNU_SOURCE /* mkostemp */
#include "cmd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status
write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t written = write(fd, content.data, content.len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return ERR_IO;
        content = slice_from(content, (size_t)written);
    }
    return OK;
}

/* Writes to `fd`, which it closes, and puts `from` in place; on failure nothing stays. */
static enum status
write_and_place(int fd, const char *from, const char *path, struct slice content, bool replace)
{
    enum status status = write_all(fd, content);
    int why;

    if (status == OK && fsync(fd) != 0)
        status = ERR_IO;
    why = errno;
    if (close(fd) != 0 && status == OK) {
        status = ERR_IO;
        why = errno;
    }
    if (status == OK && (replace ? rename(from, path) : link(from, path)) != 0) {
        why = errno;
        status = why == EEXIST ? ERR_EXISTS : ERR_IO;
    }
    if (status != OK || !replace)
        unlink(from);
    errno = why;
    return status;
}

static enum status
write_beside(const char *path, struct slice content, bool replace)
{
    char *real = replace ? realpath(path, NULL) : NULL; /* a link stays one */
    const char *target = real != NULL ? real : path;
    size_t len = strlen(target) + sizeof ".XXXXXX";
    char *beside = must_alloc(len);
    struct stat before;
    enum status status = ERR_IO;
    int fd;

    snprintf(beside, len, "%s.XXXXXX", target);
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd >= 0 && replace && stat(target, &before) == 0 && fchmod(fd, before.st_mode & 07777) != 0) {
        close(fd);
        unlink(beside);
    } else if (fd >= 0) {
        status = write_and_place(fd, beside, target, content, replace);
    }
    free(beside);
    free(real);
    return status;
}

/* A device or a pipe has no old content to keep, and renaming would put a file in its place. */
static enum status
write_into(const char *path, struct slice content)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), why;
    enum status status = fd >= 0 ? write_all(fd, content) : ERR_IO;

    why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return status;
}

enum status
file_replace(const char *path, struct slice content)
{
    struct stat about;

    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return write_into(path, content);
    return write_beside(path, content, true);
}

enum status
file_create(const char *path, struct slice content)
{
    return write_beside(path, content, false);
}
