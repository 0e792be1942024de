/* The steps of a trace as a tree of JSON. */
#ifndef LLMLAB_API_TRACE_TREE_H
#define LLMLAB_API_TRACE_TREE_H

#include "http/request.h"

/* Write the array of steps whose parent is not in the trace; each holds its
 * children. False when the store failed or memory ran out. */
bool llmlab__trace_tree_write(llmlab__request_t *request,
                              const llmlab__trace_row_t *trace,
                              llmlab__json_out_t *out);

#endif
