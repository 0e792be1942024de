/* Dates at the end of models' names. */
#ifndef LLMLAB_PRICING_NAMES_H
#define LLMLAB_PRICING_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The number of bytes of the date that ends a name, with the sign before it;
 * 0 when none does: "-2024-05-13", "-20250929", "@20250929", "-0613" (MMDD),
 * "-2411" (YYMM), "-05-20", "-09-2025", ":20230824-v2". numbered: a version
 * of three digits, "-001", is one too. */
size_t llmlab__name_date(const char *name, size_t size, bool numbered);

#endif
