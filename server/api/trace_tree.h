/* The steps of a trace as a tree of JSON. */
#ifndef LLMLAB_API_TRACE_TREE_H
#define LLMLAB_API_TRACE_TREE_H

#include "http/request.h"

/* The members of a step. */
void llmlab__step_write(llmlab__json_out_t *out,
                        const llmlab__span_view_t *span);
/* The kind of a wire name ("llm_call"); -1: there is none. */
int llmlab__step_kind(const char *name);
/* Write the array of steps whose parent is not in the trace; each holds its
 * children. False when the store failed or memory ran out. */
bool llmlab__trace_tree_write(llmlab__request_t *request,
                              const llmlab__trace_row_t *trace,
                              llmlab__json_out_t *out);

#endif
