/* Providers and their other names. */
#ifndef LLMLAB_PRICING_FAMILY_H
#define LLMLAB_PRICING_FAMILY_H

#include "pricing/build.h"

#define LLMLAB__FAMILY_TEXT 64

/* A provider's name as its family's aliases are kept: folded, cut at
 * LLMLAB__FAMILY_TEXT. Returns its length. */
size_t llmlab__family_fold(char out[LLMLAB__FAMILY_TEXT], const char *name,
                           size_t size);

/* The family of a provider's name; NULL when none is known. */
const llmlab__family_t *llmlab__family_of(const llmlab__price_table_t *table,
                                          const char *name, size_t size);

/* The name of a provider's family, for a row that is being made, put into
 * memory: from families or, where that is NULL, from those that the build
 * holds; the folded name itself for a provider that is none of them. */
const char *llmlab__family_find(const llmlab__build_t *build,
                                const llmlab__price_table_t *families,
                                const char *provider,
                                char memory[LLMLAB__FAMILY_TEXT]);

#endif
