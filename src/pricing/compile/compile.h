/* The table compiler: price files in, read-only C arrays out. Built for the
 * machine that builds, also when cross-compiling. */
#ifndef LLMLAB_PRICING_COMPILE_H
#define LLMLAB_PRICING_COMPILE_H

#include <stdio.h>

#include "faults.h"
#include "pricing/build.h"

/* Write the table as a C source that defines llmlab__price_table_builtin().
 * False when writing failed. */
bool llmlab__emit_table(FILE *file, const llmlab__build_t *build,
                        const llmlab__price_table_t *table);

/* Find prices that cannot be right. */
void llmlab__check_table(llmlab__faults_t *faults,
                         const llmlab__price_table_t *table);
/* Find those that a second source contradicts. False when root is no such
 * file, after a line on stderr. */
bool llmlab__check_second(llmlab__faults_t *faults,
                          const llmlab__price_table_t *table,
                          const cJSON *root);

#endif
