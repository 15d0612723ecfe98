/* cmocka, with what it needs included before it. */
#ifndef TEST_CMOCKA_READY_H
#define TEST_CMOCKA_READY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
