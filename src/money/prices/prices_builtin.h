/* Today's prices of the common models, so that a fresh install prices them without any file. */
#ifndef MONEY_PRICES_BUILTIN_H
#define MONEY_PRICES_BUILTIN_H

#include "base/slice.h"

/* In the format of a price file. */
struct slice prices_builtin_json(void);

#endif
