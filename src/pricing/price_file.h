/* Readers of price files into a build. */
#ifndef LLMLAB_PRICING_PRICE_FILE_H
#define LLMLAB_PRICING_PRICE_FILE_H

#include "base/json_dom.h"
#include "pricing/build.h"

/* Is the root that of a file in our own schema (else it is LiteLLM's form)? */
bool llmlab__price_file_is_own(const cJSON *root);

/* Add all models. families: the table whose families name the rows' providers;
 * NULL: those that the file itself defines. On an error the detail names the
 * model and the field. */
llmlab_status_t llmlab__price_file_own(llmlab__build_t *build,
                                       const cJSON *root,
                                       const llmlab__price_table_t *families);
llmlab_status_t
llmlab__price_file_litellm(llmlab__build_t *build, const cJSON *root,
                           const llmlab__price_table_t *families);

#endif
