#include "money/ledger/ledger_rent.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/timers.h"
#include "money/wire.h"

static const int64_t HOUR_US = (int64_t)3600 * USEC_PER_S;

/* No record tells of more: whoever writes them does so every few seconds. */
static const int64_t STRETCH_US_MOST = (int64_t)366 * 86400 * USEC_PER_S;
static const int64_t REPLICAS_MOST = 1000000;

struct rent_mark {
    uint64_t id; /* of its note */
    int64_t until_wall_us;
};

void
ledger_rents_init(struct ledger_rents *rents)
{
    map_init(&rents->by_backend);
}

void
ledger_rents_forget(struct ledger_rents *rents)
{
    struct slice backend;
    void *mark;

    for (size_t at = 0; map_next(&rents->by_backend, &at, &backend, &mark);)
        free(mark);
    map_free(&rents->by_backend);
}

static struct rent_mark *
add_mark(struct ledger_rents *rents, struct slice backend, uint64_t id, int64_t until_wall_us)
{
    struct rent_mark *mark = must_calloc(1, sizeof(*mark));

    mark->id = id;
    mark->until_wall_us = until_wall_us;
    free(map_put(&rents->by_backend, backend, mark));
    return mark;
}

enum status
ledger_rents_read(struct ledger_rents *rents, uint64_t id, struct slice bytes)
{
    struct wire_reader in = wire_reader_of(bytes);
    int64_t until = wire_take_signed(&in);
    struct slice backend = wire_take_text(&in);

    if (in.bad || in.at != in.end)
        return ERR_CORRUPT;
    add_mark(rents, backend, id, until);
    return OK;
}

/* Names that hash alike take the next free number. */
static uint64_t
free_id(const struct ledger_rents *rents, struct slice backend)
{
    uint64_t id = hash_fast(backend, 0) >> 1 | 1;
    bool taken = true;

    while (taken) {
        struct slice name;
        void *mark;

        taken = false;
        for (size_t at = 0; map_next(&rents->by_backend, &at, &name, &mark);)
            taken |= ((struct rent_mark *)mark)->id == id;
        id += taken;
    }
    return id;
}

static enum status
keep_mark(struct ledger_store *store, const struct rent_mark *mark, struct slice backend)
{
    struct buffer bytes = {0};
    unsigned char *start = (unsigned char *)buffer_reserve(&bytes, backend.len + 2 * WIRE_NUMBER_MOST), *at = start;
    enum status status;

    at = wire_put_signed(at, mark->until_wall_us);
    at = wire_put_text(at, backend);
    bytes.end += (size_t)(at - start);
    status = store->ops->put_note(store, LEDGER_NOTE_RENT, mark->id, buffer_content(&bytes));
    buffer_free(&bytes);
    return status;
}

static bool
is_sound(const struct rent *rent)
{
    return rent->from_wall_us >= 0 && rent->from_wall_us < rent->until_wall_us &&
           rent->until_wall_us - rent->from_wall_us <= STRETCH_US_MOST && rent->replicas >= 0 &&
           rent->replicas <= REPLICAS_MOST && usd_known(rent->usd_per_hour) && rent->usd_per_hour >= 0;
}

enum status
ledger_rents_apply(struct ledger_rents *rents, struct accounts *accounts, struct ledger_store *store,
                   const struct rent *rent)
{
    struct rent_mark *mark = map_get(&rents->by_backend, rent->backend);
    struct rent part = *rent;

    if (!is_sound(rent))
        return ERR_INVALID;
    if (mark == NULL)
        mark = add_mark(rents, rent->backend, free_id(rents, rent->backend), 0);
    if (part.from_wall_us < mark->until_wall_us)
        part.from_wall_us = mark->until_wall_us;
    if (part.from_wall_us >= rent->until_wall_us)
        return OK;
    while (part.from_wall_us < rent->until_wall_us) {
        int64_t next = ledger_period_start(LEDGER_HOUR, part.from_wall_us) + HOUR_US;

        part.until_wall_us = next < rent->until_wall_us ? next : rent->until_wall_us;
        accounts_add_rent(accounts, &part);
        part.from_wall_us = part.until_wall_us;
    }
    mark->until_wall_us = rent->until_wall_us;
    return keep_mark(store, mark, rent->backend);
}
