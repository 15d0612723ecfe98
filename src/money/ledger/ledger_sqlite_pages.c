#include "money/ledger/ledger_sqlite_pages.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

struct pages {
    sqlite3_vfs vfs; /* the default one's functions, but for xOpen; stays first */
    sqlite3_vfs *plain;
    struct ledger_between between;
    char name[32];
};

/* Lies behind each open file. The file's functions are these, so that they lead here. */
struct paged_file {
    sqlite3_io_methods methods; /* stays first */
    const sqlite3_io_methods *plain;
    const struct pages *pages;
};

static int
write_page(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    const struct paged_file *paged = (const struct paged_file *)file->pMethods;
    int code = paged->plain->xWrite(file, bytes, size, offset);

    paged->pages->between.pieces(paged->pages->between.user);
    return code;
}

static int
open_paged(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    struct pages *pages = (struct pages *)vfs;
    struct paged_file *paged = (struct paged_file *)((char *)file + (vfs->szOsFile - (int)sizeof(*paged)));
    int code = pages->plain->xOpen(pages->plain, path, file, flags, out_flags);

    if (code != SQLITE_OK || file->pMethods == NULL)
        return code;
    *paged = (struct paged_file){.methods = *file->pMethods, .plain = file->pMethods, .pages = pages};
    paged->methods.xWrite = write_page;
    file->pMethods = &paged->methods;
    return code;
}

struct pages *
pages_new(struct ledger_between between)
{
    enum { ALIGNED = _Alignof(struct paged_file) };
    sqlite3_vfs *plain = sqlite3_vfs_find(NULL);
    struct pages *pages;

    if (plain == NULL)
        return NULL;
    pages = must_calloc(1, sizeof(*pages));
    pages->vfs = *plain;
    pages->plain = plain;
    pages->between = between;
    snprintf(pages->name, sizeof(pages->name), "pages-%p", (void *)pages);
    pages->vfs.zName = pages->name;
    pages->vfs.pNext = NULL;
    pages->vfs.xOpen = open_paged;
    pages->vfs.szOsFile = (plain->szOsFile + ALIGNED - 1) / ALIGNED * ALIGNED + (int)sizeof(struct paged_file);
    if (sqlite3_vfs_register(&pages->vfs, 0) == SQLITE_OK)
        return pages;
    free(pages);
    return NULL;
}

const char *
pages_vfs(const struct pages *pages)
{
    return pages->name;
}

void
pages_free(struct pages *pages)
{
    if (pages == NULL)
        return;
    (void)sqlite3_vfs_unregister(&pages->vfs);
    free(pages);
}
