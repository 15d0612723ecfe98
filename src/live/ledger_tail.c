#include "live/ledger_tail.h"

#include <stdlib.h>

#include "base/clock.h"

enum { DEFAULT_BATCH_RECORDS = 8192 };

/* Where one worker's segments are read. */
struct tail_reader {
    struct segment *segment, *committed_segment;
    size_t offset, committed_offset;
    bool broken; /* said already that this segment cannot be read on */
};

struct ledger_tail {
    struct ledger_tail_options options;
    struct ledger *ledger;
    struct journal_files *files;
    struct tail_reader *readers;
    unsigned reader_count;
    struct segment **left; /* by a dead process: taken over, to be removed */
    size_t left_count;
    struct segment **finished; /* taken over and replaced by following ones, to be marked `done` */
    size_t finished_count, finished_size;
    uint64_t batch_bytes, batch_records; /* read in this batch, not committed */
    struct ledger_tail_counters counters;
};

static enum status
fault(struct ledger_tail *tail, enum ledger_step step)
{
    return tail->options.fault != NULL ? tail->options.fault(tail->options.fault_user, step) : OK;
}

static size_t
batch_most(const struct ledger_tail *tail)
{
    return tail->options.batch_records != 0 ? tail->options.batch_records : DEFAULT_BATCH_RECORDS;
}

static enum status
begin(struct ledger_tail *tail)
{
    enum status status = fault(tail, LEDGER_STEP_BEGIN);

    tail->batch_records = 0;
    return status == OK ? ledger_begin(tail->ledger) : status;
}

static enum status
commit(struct ledger_tail *tail)
{
    enum status status = fault(tail, LEDGER_STEP_COMMIT);

    if (status == OK)
        status = ledger_commit(tail->ledger);
    if (status != OK)
        return status;
    tail->counters.batches++;
    tail->counters.records += tail->batch_records;
    return fault(tail, LEDGER_STEP_COMMITTED);
}

/* A damaged record is left out, said and counted; whatever stands behind it still counts. */
static enum status
apply(struct ledger_tail *tail, const struct segment *segment, size_t offset, struct slice record)
{
    enum status status = fault(tail, LEDGER_STEP_APPLY);

    if (status == OK)
        status = ledger_apply(tail->ledger, record);
    if (tail->options.gently != NULL)
        gently_between(tail->options.gently);
    if (status == ERR_INVALID) {
        tail->counters.damaged++;
        log_line(tail->options.log, LOG_ERROR, "journal: a damaged record of %zu bytes in %s at %zu is left out",
                 record.len, segment->path, offset);
        return OK;
    }
    tail->batch_records += status == OK;
    return status;
}

static enum status
set_position(struct ledger_tail *tail, const struct segment *segment, size_t offset)
{
    enum status status = fault(tail, LEDGER_STEP_POSITION);

    return status == OK ? ledger_set_position(tail->ledger, segment->sequence, offset) : status;
}

/* What a dead process left */

struct known_position {
    uint64_t segment, offset;
};

struct positions {
    struct known_position *all;
    size_t count;
};

static enum status
add_position(void *user, uint64_t segment, uint64_t offset)
{
    struct positions *positions = user;

    positions->all = must_realloc(positions->all, (positions->count + 1) * sizeof(*positions->all));
    positions->all[positions->count++] = (struct known_position){segment, offset};
    return OK;
}

static size_t
position_of(const struct positions *positions, const struct segment *segment)
{
    for (size_t i = 0; i < positions->count; i++)
        if (positions->all[i].segment == segment->sequence && positions->all[i].offset <= segment->size &&
            positions->all[i].offset % JOURNAL_ALIGN == 0)
            return positions->all[i].offset;
    return SEGMENT_HEAD_BYTES;
}

static enum status
recover_batch(struct ledger_tail *tail, struct segment *segment, size_t *offset, enum segment_found *found)
{
    struct slice record;
    size_t count = 0;
    enum status status = begin(tail);

    while (status == OK && count++ < batch_most(tail)) {
        *found = segment_look(segment, *offset, &record);
        if (*found != SEGMENT_RECORD)
            break;
        status = apply(tail, segment, *offset, record);
        *offset += record.len;
    }
    if (status == OK)
        status = set_position(tail, segment, *offset);
    return status == OK ? commit(tail) : status;
}

static enum status
recover_segment(struct ledger_tail *tail, struct segment *segment, size_t offset)
{
    enum segment_found found = offset < segment->size ? SEGMENT_RECORD : SEGMENT_SEALED;
    enum status status = OK;

    while (found == SEGMENT_RECORD && status == OK)
        status = recover_batch(tail, segment, &offset, &found);
    if (status == OK && found == SEGMENT_TORN) {
        tail->counters.damaged++;
        log_line(tail->options.log, LOG_WARN, "journal: the end of %s, from byte %zu, is torn and is cut off",
                 segment->path, offset);
    }
    return status;
}

static bool
is_left(const struct ledger_tail *tail, uint64_t sequence)
{
    for (size_t i = 0; i < tail->left_count; i++)
        if (tail->left[i]->sequence == sequence)
            return true;
    return false;
}

/* All segments are read: what is open now stays open for ever, and positions in segments that are gone mean nothing. */
static enum status
recover_end(struct ledger_tail *tail, const struct positions *positions)
{
    size_t charged = 0;
    struct ledger_store *store = ledger_store(tail->ledger);
    enum status status = begin(tail);

    if (status == OK)
        status = ledger_charge_open(tail->ledger, &charged);
    for (size_t i = 0; i < positions->count && status == OK; i++)
        if (!is_left(tail, positions->all[i].segment))
            status = store->ops->drop_position(store, positions->all[i].segment);
    if (status == OK)
        status = commit(tail);
    if (status == OK && charged > 0)
        log_line(tail->options.log, LOG_WARN,
                 "ledger: %zu requests were under way when the last process ended; they are charged at their estimates",
                 charged);
    tail->counters.charged += charged;
    return status;
}

static enum status
recover(struct ledger_tail *tail, uint64_t *next_sequence)
{
    struct positions positions = {0};
    struct ledger_store *store = ledger_store(tail->ledger);
    enum status status = store->ops->each_position(store, add_position, &positions);

    *next_sequence = 1;
    for (size_t i = 0; i < positions.count; i++)
        if (positions.all[i].segment >= *next_sequence)
            *next_sequence = positions.all[i].segment + 1;
    for (size_t i = 0; i < tail->left_count && status == OK; i++) {
        if (tail->left[i]->sequence >= *next_sequence)
            *next_sequence = tail->left[i]->sequence + 1;
        status = recover_segment(tail, tail->left[i], position_of(&positions, tail->left[i]));
    }
    if (status == OK)
        status = recover_end(tail, &positions);
    free(positions.all);
    return status;
}

enum status
ledger_tail_recover(const struct ledger_tail_options *options, struct ledger *ledger, struct problems *problems,
                    struct ledger_tail **out, uint64_t *next_sequence)
{
    struct ledger_tail *tail = must_calloc(1, sizeof(*tail));
    enum status status;
    bool clean;

    tail->options = *options;
    tail->ledger = ledger;
    status = segment_list(options->journal_dir, problems, &tail->left, &tail->left_count);
    if (status == OK) {
        status = recover(tail, next_sequence);
        if (status != OK)
            problems_add(problems,
                         (struct problem){.hint = "nothing is lost: it stays in the journal; look to the disk"},
                         "the journal in %s cannot be taken over into the ledger: %s", options->journal_dir,
                         status_text(status));
    }
    if (status == OK)
        status = ledger_tail_release(tail, &clean);
    if (status == OK) {
        *out = tail;
        return OK;
    }
    ledger_rollback(ledger);
    ledger_tail_free(tail);
    return status;
}

/* What the workers append */

void
ledger_tail_follow(struct ledger_tail *tail, struct journal_files *files, unsigned workers)
{
    ENSURE(tail->readers == NULL);
    tail->files = files;
    tail->readers = must_calloc(workers, sizeof(struct tail_reader));
    tail->reader_count = workers;
    for (unsigned i = 0; i < workers; i++) {
        struct tail_reader *reader = &tail->readers[i];

        reader->segment = reader->committed_segment = journal_files_oldest(files, i);
        reader->offset = reader->committed_offset = SEGMENT_HEAD_BYTES;
    }
}

static bool
anything_new(const struct ledger_tail *tail)
{
    struct slice record;

    for (unsigned i = 0; i < tail->reader_count; i++) {
        enum segment_found found = segment_look(tail->readers[i].segment, tail->readers[i].offset, &record);

        if (found == SEGMENT_RECORD || found == SEGMENT_SEALED)
            return true;
    }
    return false;
}

/* On to the following segment, if there is one. */
static bool
follow(struct tail_reader *reader)
{
    struct segment *following = atomic_load_explicit(&reader->segment->following, memory_order_acquire);

    if (following == NULL)
        return false;
    reader->segment = following;
    reader->offset = SEGMENT_HEAD_BYTES;
    reader->broken = false;
    return true;
}

/* Something wrote into our memory. Nothing behind it can be found; the next segment can. */
static bool
skip_torn(struct ledger_tail *tail, struct tail_reader *reader)
{
    if (!reader->broken) {
        tail->counters.damaged++;
        log_line(tail->options.log, LOG_ERROR, "journal: %s cannot be read on from byte %zu", reader->segment->path,
                 reader->offset);
    }
    reader->broken = true;
    return follow(reader);
}

static enum status
read_worker(struct ledger_tail *tail, struct tail_reader *reader, size_t *left)
{
    struct slice record;
    enum status status = OK;

    while (*left > 0 && status == OK) {
        switch (segment_look(reader->segment, reader->offset, &record)) {
        case SEGMENT_RECORD:
            status = apply(tail, reader->segment, reader->offset, record);
            reader->offset += record.len;
            tail->batch_bytes += record.len;
            (*left)--;
            break;
        case SEGMENT_SEALED:
            if (!follow(reader))
                return OK;
            break;
        case SEGMENT_TORN:
            if (!skip_torn(tail, reader))
                return OK;
            break;
        case SEGMENT_WAIT:
            return OK;
        }
    }
    return status;
}

static enum status
set_positions(struct ledger_tail *tail, struct tail_reader *reader)
{
    enum status status = OK;

    if (reader->segment == reader->committed_segment && reader->offset == reader->committed_offset)
        return OK;
    for (struct segment *s = reader->committed_segment; s != reader->segment && status == OK;
         s = atomic_load_explicit(&s->following, memory_order_acquire))
        status = set_position(tail, s, s->size);
    return status == OK ? set_position(tail, reader->segment, reader->offset) : status;
}

static void
note_finished(struct ledger_tail *tail, struct segment *segment)
{
    if (tail->finished_count == tail->finished_size) {
        tail->finished_size = tail->finished_size != 0 ? 2 * tail->finished_size : 16;
        tail->finished = must_realloc(tail->finished, tail->finished_size * sizeof(struct segment *));
    }
    tail->finished[tail->finished_count++] = segment;
}

static void
keep_place(struct ledger_tail *tail, struct tail_reader *reader)
{
    for (struct segment *s = reader->committed_segment; s != reader->segment;
         s = atomic_load_explicit(&s->following, memory_order_acquire))
        note_finished(tail, s);
    reader->committed_segment = reader->segment;
    reader->committed_offset = reader->offset;
}

static void
go_back(struct ledger_tail *tail)
{
    ledger_rollback(tail->ledger);
    tail->counters.failures++;
    for (unsigned i = 0; i < tail->reader_count; i++) {
        tail->readers[i].segment = tail->readers[i].committed_segment;
        tail->readers[i].offset = tail->readers[i].committed_offset;
    }
}

static enum status
take_batch(struct ledger_tail *tail, size_t *left)
{
    enum status status = begin(tail);

    for (unsigned i = 0; i < tail->reader_count && status == OK; i++)
        status = read_worker(tail, &tail->readers[i], left);
    for (unsigned i = 0; i < tail->reader_count && status == OK; i++)
        status = set_positions(tail, &tail->readers[i]);
    return status == OK ? commit(tail) : status;
}

enum status
ledger_tail_step(struct ledger_tail *tail, bool *more)
{
    size_t left = batch_most(tail);
    enum status status;

    *more = false;
    if (!anything_new(tail))
        return OK;
    tail->batch_bytes = 0;
    status = take_batch(tail, &left);
    if (status != OK) {
        go_back(tail);
        return status;
    }
    for (unsigned i = 0; i < tail->reader_count; i++)
        keep_place(tail, &tail->readers[i]);
    tail->counters.bytes += tail->batch_bytes;
    *more = left == 0;
    return OK;
}

static enum status
remove_finished(struct ledger_tail *tail)
{
    enum status status = fault(tail, LEDGER_STEP_REMOVE);

    if (status != OK)
        return status;
    for (size_t i = 0; i < tail->left_count; i++)
        segment_free(tail->left[i], true);
    for (size_t i = 0; i < tail->finished_count; i++)
        atomic_store_explicit(&tail->finished[i]->done, true, memory_order_release);
    if (tail->finished_count > 0)
        journal_files_kick(tail->files);
    tail->left_count = tail->finished_count = 0;
    return OK;
}

enum status
ledger_tail_release(struct ledger_tail *tail, bool *clean)
{
    struct ledger_store *store = ledger_store(tail->ledger);
    enum status status = OK;

    *clean = tail->left_count == 0 && tail->finished_count == 0;
    if (*clean)
        return OK;
    status = fault(tail, LEDGER_STEP_CHECKPOINT);
    if (status == OK)
        status = store->ops->checkpoint(store, clean);
    if (status == OK && *clean)
        status = remove_finished(tail);
    return status;
}

struct ledger_tail_counters
ledger_tail_counters(const struct ledger_tail *tail)
{
    return tail->counters;
}

void
ledger_tail_free(struct ledger_tail *tail)
{
    if (tail == NULL)
        return;
    for (size_t i = 0; i < tail->left_count; i++)
        segment_free(tail->left[i], false);
    free(tail->left);
    free(tail->finished);
    free(tail->readers);
    free(tail);
}
