#define _GNU_SOURCE /* asprintf */
#include "cmd/ledger_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "live/segment.h"
#include "money/ledger/journal.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_sqlite.h"

struct lookup {
    uint64_t segment;
    uint64_t offset;
};

static enum status
match_position(void *user, uint64_t segment, uint64_t offset)
{
    struct lookup *lookup = user;

    if (segment == lookup->segment)
        lookup->offset = offset;
    return OK;
}

/* What stands behind the file's position, up to what is whole. */
static enum status
add_surplus(struct ledger_view *view, const struct segment *segment)
{
    struct lookup lookup = {segment->sequence, SEGMENT_HEAD_BYTES};
    struct slice record;
    enum status status = OK;

    if (view->file != NULL)
        status = view->file->ops->each_position(view->file, match_position, &lookup);
    if (lookup.offset >= segment->size || lookup.offset % JOURNAL_ALIGN != 0)
        return status;
    while (status == OK && segment_look(segment, lookup.offset, &record) == SEGMENT_RECORD) {
        status = ledger_apply(view->surplus, record);
        if (status == ERR_INVALID)
            return OK;
        lookup.offset += record.len;
    }
    return status;
}

static enum status
open_surplus(struct ledger_view *view, struct segment **segments, size_t count)
{
    struct ledger_store *store = ledger_memory_open();
    enum status status = ledger_open(store, &view->surplus);

    if (status == OK)
        status = ledger_begin(view->surplus);
    for (size_t i = 0; i < count && status == OK; i++)
        status = add_surplus(view, segments[i]);
    if (status == OK)
        status = ledger_commit(view->surplus);
    if (status == OK)
        view->stores[view->count++] = store;
    return status;
}

static enum status
open_file(const char *dir, struct problems *problems, struct ledger_view *view)
{
    char *path = NULL;
    struct ledger_store *store = NULL;
    enum status status;

    if (asprintf(&path, "%s/ledger.db", dir) < 0)
        return ERR_NO_MEMORY;
    status = ledger_sqlite_open(path, LEDGER_READ, problems, &store);
    free(path);
    if (status != OK)
        return status;
    view->file = view->stores[view->count++] = store;
    return store->ops->begin(store);
}

/* The segments are mapped before the file's state is taken: what they lose later is in that state. */
static enum status
open_both(const char *dir, const char *journal, struct problems *problems, struct ledger_view *view)
{
    struct segment **segments;
    size_t count;
    enum status status = segment_list(journal, problems, &segments, &count);

    if (status == OK)
        status = open_file(dir, problems, view);
    if (status == OK || (status == ERR_NOT_FOUND && count > 0))
        status = open_surplus(view, segments, count);
    for (size_t i = 0; i < count; i++)
        segment_free(segments[i], false);
    free(segments);
    return status;
}

enum status
ledger_view_open(const char *dir, struct problems *problems, struct ledger_view *view)
{
    char *journal = NULL;
    enum status status;

    *view = (struct ledger_view){0};
    if (asprintf(&journal, "%s/journal", dir) < 0)
        return ERR_NO_MEMORY;
    status = open_both(dir, journal, problems, view);
    free(journal);
    if (status == ERR_NOT_FOUND)
        problems_add(
            problems,
            (struct problem){.hint = "name the directory with --data, or start the gateway first: equipoise serve"},
            "there is no ledger in %s yet", dir);
    else if (status != OK && problems->count == 0)
        problems_add(problems, (struct problem){0}, "the ledger in %s cannot be read: %s", dir, status_text(status));
    return status;
}

void
ledger_view_close(struct ledger_view *view)
{
    if (view->file != NULL) {
        view->file->ops->rollback(view->file);
        view->file->ops->close(view->file);
    }
    ledger_close(view->surplus);
    *view = (struct ledger_view){0};
}

/* Notes of open requests */

struct open_search {
    uint64_t id;
    struct arena *arena;
    struct row *out;
    bool found;
};

static enum status
match_note(void *user, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    struct open_search *search = user;
    struct journal_record *record;
    struct slice rest;

    if (kind != LEDGER_NOTE_OPEN || id != search->id)
        return OK;
    record = arena_alloc(search->arena, sizeof(*record));
    rest = arena_copy(search->arena, bytes);
    while (journal_take(&rest, record) == OK)
        if (record->type == JOURNAL_OPEN) {
            *search->out = record->row;
            search->out->state = SLICE_LITERAL("open");
            search->found = true;
        }
    return OK;
}

/* Feedback that the ledger has not taken into its row yet. */
static enum status
judge_by_note(void *user, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    struct open_search *search = user;
    struct journal_record *record;
    struct slice rest;

    if (kind != LEDGER_NOTE_FEEDBACK || id != search->id)
        return OK;
    record = arena_alloc(search->arena, sizeof(*record));
    rest = arena_copy(search->arena, bytes);
    while (journal_take(&rest, record) == OK)
        (void)ledger_judge_row(search->out, &record->feedback); /* what it leaves out, the ledger counts */
    return OK;
}

enum status
ledger_view_find(struct ledger_view *view, uint64_t id, struct arena *arena, struct row *out)
{
    struct open_search search = {.id = id, .arena = arena, .out = out};
    enum status status = ERR_NOT_FOUND;

    for (size_t i = 0; i < view->count && status == ERR_NOT_FOUND; i++)
        status = view->stores[i]->ops->find_row(view->stores[i], id, arena, out);
    for (size_t i = 0; i < view->count && status == ERR_NOT_FOUND; i++)
        if (view->stores[i]->ops->each_note(view->stores[i], match_note, &search) == OK && search.found)
            status = OK;
    for (size_t i = 0; i < view->count && status == OK; i++)
        status = view->stores[i]->ops->each_note(view->stores[i], judge_by_note, &search);
    return status;
}
