/* From stated usage to disjoint token classes. */
#ifndef LLMLAB_STORE_USAGE_SUMS_H
#define LLMLAB_STORE_USAGE_SUMS_H

#include <llmlab/usage.h>

#include "base/json_scan.h"
#include "store/rows.h"

/* Read a usage object. NULL when it is well, else the name of the field that
 * is not (static), and *type tells why. Unknown fields are ignored. A value
 * that is no object is left in place: "usage", "type". */
const char *llmlab__usage_scan(llmlab__json_t *json, llmlab_usage_t *out,
                               const char **type);

/* Split the totals into their classes, which then add up to the totals: parts
 * that overlap or exceed their total are cut in the order of the map. */
void llmlab__usage_sums(const llmlab_usage_t *usage, llmlab__sums_t *sums);

/* From the stored text. Whatever it does not state stays as it is. */
void llmlab__usage_text_sums(llmlab__text_t text, llmlab__sums_t *sums);

#endif
