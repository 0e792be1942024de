/* What lies in the spool, for people: see llmlab/sys/spool.h. */
#ifndef LLMLAB_DELIVERY_SPOOL_REPORT_H
#define LLMLAB_DELIVERY_SPOOL_REPORT_H

#include "base/json_write.h"
#include "delivery/options.h"

/* options->spool.mode as set, whatever the exporter. */
void llmlab__spool_report(llmlab__json_out_t *out,
                          const llmlab__delivery_options_t *options);

#endif
