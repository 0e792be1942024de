/* Any bytes as a request, for what the reply may leave unsaid. White space
 * around them changes nothing, and no model's name is half a name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "usage/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    llmlab__request_facts_t facts;
    llmlab__request_facts_t spaced;
    char *exact = malloc(size + 1);
    char *copy = malloc(size + 2);

    if (exact == NULL || copy == NULL) {
        free(exact);
        free(copy);
        return 0;
    }
    copy[0] = ' ';
    if (size > 0) {
        memcpy(exact, data, size);
        memcpy(copy + 1, data, size);
    }
    copy[size + 1] = '\n';
    llmlab__request_facts_read(&facts, exact, size);
    llmlab__request_facts_read(&spaced, copy, size + 2);
    if (memcmp(&facts.prompt, &spaced.prompt, sizeof(facts.prompt)) != 0 ||
        strcmp(facts.model, spaced.model) != 0 ||
        strlen(facts.model) >= sizeof(facts.model)) {
        abort();
    }
    free(exact);
    free(copy);
    return 0;
}
