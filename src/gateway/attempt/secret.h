/* What a backend repeats of the secret by which we proved ourselves to it, is starred out. */
#ifndef GATEWAY_SECRET_H
#define GATEWAY_SECRET_H

#include "base/slice.h"

/* A shorter one would be found in ordinary words. */
bool secret_is_long(struct slice secret);

/* In place, wherever it stands. */
void secret_hide(struct slice secret, char *bytes, size_t len);

/* So many bytes at the end may be the start of the secret, which the next piece goes on with. */
size_t secret_begun(struct slice secret, struct slice bytes);

#endif
