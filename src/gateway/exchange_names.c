/* Words for where an exchange stands, and how it ended. */
#include "gateway/exchange.h"

const char *
exchange_state_name(enum exchange_state state)
{
    static const char *const names[] = {"reading",   "parsing", "weighing", "serving",
                                        "answering", "parted",  "settled",  "released"};

    return names[state];
}

const char *
ending_name(enum ending ending)
{
    static const char *const names[] = {"ok", "client gone", "upstream failed", "cut", "refused", "invalid"};

    return names[ending];
}
