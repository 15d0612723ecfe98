#define _GNU_SOURCE /* asprintf */
#include "live/cache_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Invariant: `file` is open, locked and at its end; `fresh` is -1 unless a new file is being written. */
struct file_disk {
    struct cache_disk disk;
    char *path, *fresh_path;
    int file, fresh;
};

static struct file_disk *
of(struct cache_disk *disk)
{
    return (struct file_disk *)(void *)disk;
}

static enum status
status_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_FULL : ERR_IO;
}

static enum status
disk_read(struct cache_disk *disk, uint64_t at, char *out, size_t len, size_t *got)
{
    *got = 0;
    while (*got < len) {
        ssize_t read = pread(of(disk)->file, out + *got, len - *got, (off_t)(at + *got));

        if (read < 0 && errno == EINTR)
            continue;
        if (read < 0)
            return ERR_IO;
        if (read == 0)
            return OK;
        *got += (size_t)read;
    }
    return OK;
}

static enum status
disk_append(struct cache_disk *disk, struct slice bytes)
{
    int file = of(disk)->fresh >= 0 ? of(disk)->fresh : of(disk)->file;

    while (bytes.len > 0) {
        ssize_t written = write(file, bytes.data, bytes.len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return status_of_errno();
        bytes = slice_from(bytes, (size_t)written);
    }
    return OK;
}

static void
disk_abandon(struct cache_disk *disk)
{
    if (of(disk)->fresh < 0)
        return;
    ENSURE(of(disk)->fresh_path != NULL);
    close(of(disk)->fresh);
    of(disk)->fresh = -1;
    unlink(of(disk)->fresh_path);
}

/* The lock goes with the file that has the path: the new one is locked before it gets there. */
static enum status
disk_begin(struct cache_disk *disk)
{
    struct file_disk *own = of(disk);

    disk_abandon(disk);
    own->fresh = open(own->fresh_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (own->fresh < 0)
        return status_of_errno();
    if (flock(own->fresh, LOCK_EX | LOCK_NB) == 0)
        return OK;
    disk_abandon(disk);
    return ERR_IO;
}

static enum status
disk_replace(struct cache_disk *disk)
{
    struct file_disk *own = of(disk);

    ENSURE(own->fresh >= 0);
    if (fsync(own->fresh) != 0 || rename(own->fresh_path, own->path) != 0) {
        enum status status = status_of_errno();

        disk_abandon(disk);
        return status;
    }
    close(own->file);
    own->file = own->fresh;
    own->fresh = -1;
    return OK;
}

static void
disk_close(struct cache_disk *disk)
{
    struct file_disk *own = of(disk);

    disk_abandon(disk);
    if (own->file >= 0)
        close(own->file);
    free(own->path);
    free(own->fresh_path);
    free(own);
}

static const struct cache_disk_ops file_ops = {.read = disk_read,
                                               .append = disk_append,
                                               .begin = disk_begin,
                                               .replace = disk_replace,
                                               .abandon = disk_abandon,
                                               .close = disk_close};

static void
make_folder(const char *path)
{
    char *copy = must_strdup(path);

    mkdir(dirname(copy), 0700); /* what else is wrong with it, opening the file tells */
    free(copy);
}

static enum status
open_file(struct file_disk *own, struct problems *problems)
{
    own->file = open(own->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (own->file < 0) {
        problems_add(problems, (struct problem){.file = own->path, .hint = "make it writable, or name another `path`"},
                     "the file for stored answers cannot be opened: %s", strerror(errno));
        return ERR_IO;
    }
    if (flock(own->file, LOCK_EX | LOCK_NB) != 0) {
        problems_add(problems,
                     (struct problem){.file = own->path, .hint = "give each gateway a `cache: path` of its own"},
                     "another process has the file for stored answers");
        return ERR_DENIED;
    }
    unlink(own->fresh_path); /* of a process that was killed while it wrote anew */
    return OK;
}

enum status
cache_disk_open(const char *path, struct problems *problems, struct cache_disk **out)
{
    struct file_disk *own = must_calloc(1, sizeof(*own));
    enum status status;

    own->disk.ops = &file_ops;
    own->path = must_strdup(path);
    own->file = own->fresh = -1;
    if (asprintf(&own->fresh_path, "%s.new", path) < 0) {
        own->fresh_path = NULL;
        disk_close(&own->disk);
        return ERR_NO_MEMORY;
    }
    make_folder(path);
    status = open_file(own, problems);
    if (status == OK)
        *out = &own->disk;
    else
        disk_close(&own->disk);
    return status;
}
