/* From stated usage to disjoint token classes. */
#ifndef LLMLAB_STORE_USAGE_SUMS_H
#define LLMLAB_STORE_USAGE_SUMS_H

#include <llmlab/usage.h>

#include "base/json_scan.h"
#include "store/rows.h"

/* The runs of a step's models. */
typedef struct llmlab__usage_parts_s {
    unsigned count;
    llmlab_usage_part_t of[LLMLAB_USAGE_PARTS]; /* count of them are set */
} llmlab__usage_parts_t;

/* Read a usage object. NULL when it is well, else the name of the field that
 * is not (static), and *type tells why. Unknown fields are ignored. A value
 * that is no object is left in place: "usage", "type". parts: NULL where they
 * are not wanted. */
const char *llmlab__usage_scan(llmlab__json_t *json, llmlab_usage_t *out,
                               llmlab__usage_parts_t *parts, const char **type);

/* Split the totals into their classes, which then add up to the totals: parts
 * that overlap or exceed their total are cut in the order of the map. */
void llmlab__usage_sums(const llmlab_usage_t *usage, llmlab__sums_t *sums);

/* From the stored text. Whatever it does not state stays as it is. */
void llmlab__usage_text_sums(llmlab__text_t text, llmlab__sums_t *sums);

#endif
