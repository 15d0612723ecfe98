/* When things happen at the modelled backend: slots, and times under load. Of this room only. */
#ifndef TWIN_PACE_H
#define TWIN_PACE_H

#include "twin/serving.h"

/* Takes a slot, or gets in line for one; true if it was taken. */
bool pace_take_slot(struct serving *serving);

/* Gives back the slot or leaves the line. Returns the next in line, which now holds the slot; NULL if there is none. */
struct serving *pace_drop_slot(struct serving *serving);

/* How long from now to the first byte, and between two tokens. */
usec pace_first_us(struct serving *serving);
usec pace_token_us(struct serving *serving);

#endif
