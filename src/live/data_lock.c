#define _GNU_SOURCE /* asprintf */
#include "live/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRIVATE_DIRECTORY = 0700, PRIVATE_FILE = 0600, OWNER_TEXT_SIZE = 32 };

/* The process id that the holder wrote, "unknown" if none can be read. */
static void
read_owner(int file, char *out)
{
    ssize_t len = pread(file, out, OWNER_TEXT_SIZE - 1, 0);

    while (len > 0 && (out[len - 1] < '0' || out[len - 1] > '9'))
        len--;
    if (len > 0)
        out[len] = '\0';
    else
        memcpy(out, "unknown", sizeof("unknown"));
}

static enum status
refuse(const char *dir, int file, struct problems *problems)
{
    char owner[OWNER_TEXT_SIZE];

    read_owner(file, owner);
    close(file);
    problems_add(
        problems,
        (struct problem){.hint = "stop that process, or give this one a directory of its own: `data:`, or --data"},
        "the data directory %s is in use by another equipoise (process %s)", dir, owner);
    return ERR_DENIED;
}

static enum status
fail(const char *path, const char *what, struct problems *problems)
{
    problems_add(problems,
                 (struct problem){.hint = "choose a directory that this user may write to: `data:`, or --data"},
                 "%s cannot be %s: %s", path, what, strerror(errno));
    return ERR_IO;
}

static enum status
lock_file(const char *dir, const char *path, struct problems *problems, int *out)
{
    char owner[OWNER_TEXT_SIZE];
    int len = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, PRIVATE_FILE);

    if (file < 0)
        return fail(path, "opened", problems);
    if (flock(file, LOCK_EX | LOCK_NB) != 0)
        return refuse(dir, file, problems);
    if (ftruncate(file, 0) != 0 || pwrite(file, owner, (size_t)len, 0) != len) {
        close(file);
        return fail(path, "written", problems);
    }
    *out = file;
    return OK;
}

enum status
data_lock_take(const char *dir, struct problems *problems, int *out)
{
    enum status status;
    char *path = NULL;

    if (mkdir(dir, PRIVATE_DIRECTORY) != 0 && errno != EEXIST)
        return fail(dir, "made", problems);
    if (asprintf(&path, "%s/lock", dir) < 0)
        return ERR_NO_MEMORY;
    status = lock_file(dir, path, problems, out);
    free(path);
    return status;
}

void
data_lock_release(int lock)
{
    close(lock); /* and with it goes the lock; the file stays, as removing it would race with the next process */
}
