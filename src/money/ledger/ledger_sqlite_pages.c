#include <sqlite3.h>
#include <stddef.h>
#include <sys/types.h>

#include "money/ledger/ledger_sqlite.h"

static ssize_t (*write_page)(int file, const void *page, size_t size, off_t offset);
static void (*after_page)(void);

static ssize_t
write_and_call(int file, const void *page, size_t size, off_t offset)
{
    ssize_t written = write_page(file, page, size, offset);

    after_page();
    return written;
}

void
ledger_sqlite_after_pages(void (*after)(void))
{
    static const char *const names[] = {"pwrite64", "pwrite"}; /* SQLite uses one of them */
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    if (vfs == NULL || vfs->iVersion < 3 || write_page != NULL)
        return;
    after_page = after;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && write_page == NULL; i++) {
        write_page = (ssize_t(*)(int, const void *, size_t, off_t))vfs->xGetSystemCall(vfs, names[i]);
        if (write_page != NULL)
            (void)vfs->xSetSystemCall(vfs, names[i], (sqlite3_syscall_ptr)write_and_call);
    }
}
