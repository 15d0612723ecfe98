#include "money/ledger/ledger_names.h"

#include "money/ledger/ledger_schema.h"

/* At most twice as many are known. */
enum { YOUNG_MOST = 16384 };

static void *
number_as_pointer(int64_t number)
{
    return (void *)(uintptr_t)number;
}

enum status
ledger_names_open(struct ledger_names *names, sqlite3 *file)
{
    sqlite3_stmt *last = NULL;
    int code = sqlite3_prepare_v2(file, "SELECT coalesce(max(id), 0) FROM names", -1, &last, NULL);

    *names = (struct ledger_names){0};
    if (code == SQLITE_OK)
        code = sqlite3_step(last);
    if (code == SQLITE_ROW) {
        names->next = sqlite3_column_int64(last, 0) + 1;
        code = sqlite3_prepare_v3(file, "INSERT INTO names VALUES (?, ?)", -1, SQLITE_PREPARE_PERSISTENT,
                                  &names->insert, NULL);
    }
    sqlite3_finalize(last);
    return ledger_sqlite_status(code);
}

void
ledger_names_forget(struct ledger_names *names)
{
    map_free(&names->young);
    map_free(&names->old);
}

void
ledger_names_close(struct ledger_names *names)
{
    ledger_names_forget(names);
    sqlite3_finalize(names->insert);
}

static void
know(struct ledger_names *names, struct slice text, int64_t number)
{
    if (names->young.count >= YOUNG_MOST) {
        map_free(&names->old);
        names->old = names->young;
        map_init(&names->young);
    }
    map_put(&names->young, text, number_as_pointer(number));
}

static enum status
insert(struct ledger_names *names, struct slice text, int64_t *out)
{
    int code;

    *out = names->next++;
    sqlite3_bind_int64(names->insert, 1, *out);
    sqlite3_bind_text64(names->insert, 2, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
    code = sqlite3_step(names->insert);
    sqlite3_reset(names->insert);
    return ledger_sqlite_status(code);
}

enum status
ledger_names_number(struct ledger_names *names, struct slice text, int64_t *out)
{
    void *known = map_get(&names->young, text);
    enum status status;

    if (known != NULL) {
        *out = (int64_t)(uintptr_t)known;
        return OK;
    }
    known = map_get(&names->old, text);
    if (known != NULL) {
        *out = (int64_t)(uintptr_t)known;
        know(names, text, *out);
        return OK;
    }
    status = insert(names, text, out);
    if (status == OK)
        know(names, text, *out);
    return status;
}
