/* A whole number in parts by weights, such that the parts are whole numbers and together exactly it: each gets the whole
 * part of its share, what is left over goes one by one to those with the largest remainders, the first of equals first
 * (the method of largest remainders, A. Hamilton, 1792). */
#ifndef BASE_PORTION_H
#define BASE_PORTION_H

#include <stddef.h>
#include <stdint.h>

/* total >= 0, no weight below 0; where all are 0 they count as equal. Nothing for a count of 0. */
void portion_split(int64_t total, const int64_t *weights, size_t count, int64_t *parts);

#endif
