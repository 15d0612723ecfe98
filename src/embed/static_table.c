#include "embed/static_table.h"

/* The assembler reads the file: a C array of megabytes would take the compiler minutes. EMBED_TABLE_FILE is its path, from
 * cmake/program.cmake. */
__asm__(".section .rodata\n"
        ".balign 64\n"
        ".hidden static_table_start\n"
        ".globl static_table_start\n"
        "static_table_start:\n"
        ".incbin \"" EMBED_TABLE_FILE "\"\n"
        ".hidden static_table_end\n"
        ".globl static_table_end\n"
        "static_table_end:\n"
        ".previous\n");

extern const char static_table_start[], static_table_end[];

struct slice
static_table(void)
{
    /* cppcheck-suppress comparePointers ; two ends of one thing, which only the assembler sees */
    return slice_make(static_table_start, (size_t)(static_table_end - static_table_start));
}
