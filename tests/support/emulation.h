/* Tests of what an emulator (qemu-user) does not pass on to the system. */
#ifndef LLMLAB_TESTS_EMULATION_H
#define LLMLAB_TESTS_EMULATION_H

#include <stdlib.h>

/* After cmocka.h. Ends the test as skipped when it runs under an emulator. */
static inline void
skip_under_emulation(const char *what)
{
    if (getenv("LLMLAB_EMULATOR") != NULL) {
        print_message("SKIP %s\n", what);
        skip();
    }
}

#endif
