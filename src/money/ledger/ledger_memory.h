/* The ledger's store in memory: for the virtual world and for tests. */
#ifndef MONEY_LEDGER_MEMORY_H
#define MONEY_LEDGER_MEMORY_H

#include "money/ledger/ledger_store.h"

/* Closed by its `close`. */
struct ledger_store *ledger_memory_open(void);

#endif
