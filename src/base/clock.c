#define _GNU_SOURCE /* clock_gettime */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static usec
read_clock(clockid_t which)
{
    struct timespec now;
    int failed = clock_gettime(which, &now);

    ENSURE(!failed);
    return (usec)now.tv_sec * USEC_PER_S + now.tv_nsec / 1000;
}

usec
clock_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

usec
clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* Days since the epoch <-> civil date: Hinnant, "chrono-compatible low-level date algorithms". */
static int64_t
days_from_civil(int64_t year, int month, int day)
{
    int64_t era, year_of_era, day_of_year, day_of_era;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void
civil_from_days(int64_t days, struct clock_date *out)
{
    int64_t era, day_of_era, year_of_era, day_of_year, month_from_march;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
}

struct clock_date
clock_date_of(usec wall_us)
{
    int64_t seconds = wall_us / USEC_PER_S - (wall_us % USEC_PER_S < 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t rest = seconds - days * 86400;
    struct clock_date date = {.hour = (int)(rest / 3600), .minute = (int)(rest / 60 % 60), .second = (int)(rest % 60)};

    civil_from_days(days, &date);
    date.weekday = (int)(((days + 4) % 7 + 7) % 7);
    return date;
}

usec
clock_of_date(struct clock_date date)
{
    int64_t month = date.month - 1;
    int64_t year = date.year + month / 12 - (month % 12 < 0);
    int month_of_year = (int)((month % 12 + 12) % 12) + 1;
    int64_t days = days_from_civil(year, month_of_year, 1) + date.day - 1;

    return ((days * 24 + date.hour) * 3600 + (int64_t)date.minute * 60 + date.second) * USEC_PER_S;
}

void
clock_format_utc(usec wall_us, char *out)
{
    struct clock_date date = clock_date_of(wall_us);

    snprintf(out, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year % 10000, date.month % 100,
             date.day % 100, date.hour % 100, date.minute % 100, date.second % 100);
}

/* Takes `digits` decimal digits from the front of *text; -1 if they are not there. */
static int
take_digits(struct slice *text, size_t digits)
{
    int value = 0;

    if (text->len < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return -1;
        value = value * 10 + (text->data[i] - '0');
    }
    *text = slice_from(*text, digits);
    return value;
}

static bool
take_byte(struct slice *text, const char *any_of)
{
    if (text->len == 0 || text->data[0] == '\0' || strchr(any_of, text->data[0]) == NULL)
        return false; /* strchr would find the NUL at the end of any_of */
    *text = slice_from(*text, 1);
    return true;
}

static enum status
take_fraction(struct slice *text, usec *fraction_us)
{
    usec unit = USEC_PER_S;
    size_t digits = 0;

    *fraction_us = 0;
    if (!take_byte(text, "."))
        return OK;
    for (int digit; (digit = take_digits(text, 1)) >= 0; digits++) {
        unit /= 10;
        *fraction_us += digit * unit;
    }
    return digits > 0 ? OK : ERR_INVALID;
}

static enum status
take_offset(struct slice *text, usec *offset_us)
{
    bool west;
    int hours, minutes;

    *offset_us = 0;
    if (text->len == 0 || take_byte(text, "Zz"))
        return text->len == 0 ? OK : ERR_INVALID;
    west = text->data[0] == '-';
    if (!take_byte(text, "+-"))
        return ERR_INVALID;
    hours = take_digits(text, 2);
    take_byte(text, ":");
    minutes = take_digits(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || text->len != 0)
        return ERR_INVALID;
    *offset_us = (west ? -1 : 1) * ((usec)hours * 3600 + minutes * 60) * USEC_PER_S;
    return OK;
}

static enum status
take_time(struct slice *text, struct clock_date *date, usec *beside_us)
{
    usec fraction_us, offset_us;

    date->hour = take_digits(text, 2);
    if (!take_byte(text, ":"))
        return ERR_INVALID;
    date->minute = take_digits(text, 2);
    if (take_byte(text, ":"))
        date->second = take_digits(text, 2);
    if (date->hour < 0 || date->hour > 23 || date->minute < 0 || date->minute > 59 || date->second < 0 ||
        date->second > 60)
        return ERR_INVALID;
    if (take_fraction(text, &fraction_us) != OK || take_offset(text, &offset_us) != OK)
        return ERR_INVALID;
    *beside_us = fraction_us - offset_us;
    return OK;
}

static int
days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

enum status
clock_parse_utc(struct slice text, usec *wall_us)
{
    struct clock_date date = {0};
    usec beside_us = 0;

    date.year = take_digits(&text, 4);
    if (date.year < 0 || !take_byte(&text, "-"))
        return ERR_INVALID;
    date.month = take_digits(&text, 2);
    if (date.month < 1 || date.month > 12 || !take_byte(&text, "-"))
        return ERR_INVALID;
    date.day = take_digits(&text, 2);
    if (date.day < 1 || date.day > days_in_month(date.year, date.month))
        return ERR_INVALID;
    if (text.len != 0 && (!take_byte(&text, "Tt ") || take_time(&text, &date, &beside_us) != OK))
        return ERR_INVALID;
    *wall_us = clock_of_date(date) + beside_us;
    return OK;
}

static int
take_month(struct slice *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++) {
        if (!slice_starts(*text, (char[]){months[3 * i], months[3 * i + 1], months[3 * i + 2], '\0'}))
            continue;
        *text = slice_from(*text, 3);
        return i + 1;
    }
    return -1;
}

static void
skip_spaces(struct slice *text)
{
    while (text->len > 0 && text->data[0] == ' ')
        *text = slice_from(*text, 1);
}

/* One digit or two. */
static int
take_day(struct slice *text)
{
    int day;

    skip_spaces(text);
    day = take_digits(text, 2);
    return day >= 0 ? day : take_digits(text, 1);
}

/* "06 Nov 1994" and "06-Nov-94"; two digits are of the hundred years around 2000 (RFC 9110 wants those around now). */
static bool
take_day_month_year(struct slice *text, struct clock_date *date)
{
    date->day = take_day(text);
    if (!take_byte(text, " -"))
        return false;
    date->month = take_month(text);
    if (!take_byte(text, " -"))
        return false;
    date->year = take_digits(text, 4);
    if (date->year >= 0)
        return true;
    date->year = take_digits(text, 2);
    date->year += date->year < 0 ? 0 : date->year < 70 ? 2000 : 1900;
    return date->year >= 0;
}

static bool
take_hms(struct slice *text, struct clock_date *date)
{
    skip_spaces(text);
    date->hour = take_digits(text, 2);
    if (!take_byte(text, ":"))
        return false;
    date->minute = take_digits(text, 2);
    if (!take_byte(text, ":"))
        return false;
    date->second = take_digits(text, 2);
    return date->hour >= 0 && date->hour <= 23 && date->minute >= 0 && date->minute <= 59 && date->second >= 0 &&
           date->second <= 60;
}

enum status
clock_parse_http(struct slice text, usec *wall_us)
{
    struct clock_date date = {0};
    size_t comma = slice_find_byte(text, ',');
    bool read;

    if (comma < text.len) {
        text = slice_from(text, comma + 1);
        read = take_day_month_year(&text, &date) && take_hms(&text, &date);
        skip_spaces(&text);
        read = read && slice_is(text, "GMT");
    } else { /* asctime: "Sun Nov  6 08:49:37 1994" */
        text = slice_from(text, 4);
        date.month = take_month(&text);
        date.day = take_day(&text);
        read = take_hms(&text, &date) && take_byte(&text, " ");
        date.year = take_digits(&text, 4);
        read = read && date.year >= 0 && text.len == 0;
    }
    if (!read || date.month < 1 || date.day < 1 || date.day > days_in_month(date.year, date.month))
        return ERR_INVALID;
    *wall_us = clock_of_date(date);
    return OK;
}
