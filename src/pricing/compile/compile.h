/* The table compiler: price files in, read-only C arrays out. Built for the
 * machine that builds, also when cross-compiling. */
#ifndef LLMLAB_PRICING_COMPILE_H
#define LLMLAB_PRICING_COMPILE_H

#include <stdio.h>

#include "pricing/build.h"

/* Write the table as a C source that defines llmlab__price_table_builtin().
 * False when writing failed. */
bool llmlab__emit_table(FILE *file, const llmlab__build_t *build,
                        const llmlab__price_table_t *table);

/* Tell prices that cannot be right on stderr; returns their number. */
unsigned llmlab__check_table(const llmlab__price_table_t *table);

#endif
