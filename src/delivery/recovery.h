/* What processes that are gone have left in the spool, and who sends it: the
 * next process with the same address, project and key. */
#ifndef LLMLAB_DELIVERY_RECOVERY_H
#define LLMLAB_DELIVERY_RECOVERY_H

#include <stdbool.h>

#include "delivery/options.h"

/* Is there anything to recover? Looks only; makes and changes nothing.
 * @thread open */
bool llmlab__recovery_is_due(const llmlab__delivery_options_t *options);

#endif
