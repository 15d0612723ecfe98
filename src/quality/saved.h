/* Numbers as they are kept: little-endian, doubles and floats as their bits (IEEE 754), behind all a checksum. */
#ifndef QUALITY_SAVED_H
#define QUALITY_SAVED_H

#include "base/buffer.h"

enum { SAVED_CHECKSUM_BYTES = 8 };

void saved_put(struct buffer *out, uint64_t number, unsigned bytes);
void saved_put_double(struct buffer *out, double number);
void saved_put_float(struct buffer *out, float number);

/* Appends the checksum of all from `from` on. */
void saved_seal(struct buffer *out, size_t from, uint64_t magic);

/* What stands before the checksum; data NULL: it is not that of the bytes. */
struct slice saved_open(struct slice bytes, uint64_t magic);

/* Once the bytes are at an end, all numbers are 0 and *rest.data NULL. A flag is 0 or 1; with anything else likewise. */
uint64_t saved_take(struct slice *rest, unsigned bytes);
double saved_take_double(struct slice *rest);
float saved_take_float(struct slice *rest);
bool saved_take_flag(struct slice *rest);

#endif
