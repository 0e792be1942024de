/* The forms of names that people choose. */
#ifndef LLMLAB_SERVICES_NAMES_H
#define LLMLAB_SERVICES_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* What llmlab__slug_check wants, for messages. */
#define LLMLAB__SLUG_RULE \
    "letters, digits, - _ . (not first), at most 64, and no UUID"

/* A project's name in addresses. A UUID is none: it would be taken for one. */
bool llmlab__slug_check(const char *slug);
/* Something@something within the limits, in lower case in out (LLMLAB__EMAIL_
 * SIZE + 1 bytes). False when it is no address. */
bool llmlab__email_read(const char *text, char *out);

#endif
