#include "live/gently.h"

#include <sched.h>
#include <sqlite3.h>
#include <sys/types.h>

#define PIECE_US 100 /* a request on the same core waits no longer; to give way costs a few of them at most */

static _Thread_local struct {
    usec until_us, piece_us; /* when it ends to give way, and when this piece began */
    uint64_t paused;
} own;

static ssize_t (*write_page)(int file, const void *page, size_t size, off_t offset);

void
gently_for(usec duration)
{
    own.piece_us = clock_now_us();
    own.until_us = duration > 0 ? own.piece_us + duration : 0;
}

void
gently_pause(void)
{
    usec now;

    if (own.until_us == 0)
        return;
    now = clock_now_us();
    if (now >= own.until_us || now - own.piece_us < PIECE_US)
        return;
    (void)sched_yield(); /* cannot fail on Linux */
    own.paused++;
    own.piece_us = clock_now_us();
}

uint64_t
gently_paused(void)
{
    return own.paused;
}

static ssize_t
write_and_pause(int file, const void *page, size_t size, off_t offset)
{
    ssize_t written = write_page(file, page, size, offset);

    gently_pause();
    return written;
}

void
gently_write_pages(void)
{
    static const char *const names[] = {"pwrite64", "pwrite"}; /* SQLite uses one of them */
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    if (vfs == NULL || vfs->iVersion < 3 || write_page != NULL)
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && write_page == NULL; i++) {
        write_page = (ssize_t(*)(int, const void *, size_t, off_t))vfs->xGetSystemCall(vfs, names[i]);
        if (write_page != NULL)
            (void)vfs->xSetSystemCall(vfs, names[i], (sqlite3_syscall_ptr)write_and_pause);
    }
}
