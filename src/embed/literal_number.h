/* Numbers and dates as people write them. */
#ifndef EMBED_LITERAL_NUMBER_H
#define EMBED_LITERAL_NUMBER_H

#include "base/slice.h"

enum { LITERAL_NUMBER_SIZE = 64 };

struct literal_number {
    bool is_date;
    size_t len;                     /* bytes of the text that it takes */
    size_t used;                    /* of `text` */
    char text[LITERAL_NUMBER_SIZE]; /* the same for all ways to write it; of longer ones a hash */
    int whole;                      /* its value if it is a whole number of at most four digits, else -1 */
};

/* `text` begins with a digit. Thousands may be parted by commas, points, apostrophes, spaces or underscores:
 * 1,234,567.5 = 1.234.567,5 = 1 234 567.5; "1,000" is a thousand, "1.000" only itself, as it may be either. */
void literal_number_read(struct slice text, struct literal_number *out);

/* "y-m-d", 0 for what is not said. */
void literal_date_write(int year, int month, int day, struct literal_number *out);

#endif
