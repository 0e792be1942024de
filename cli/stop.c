#include "cli/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void
handle(int signal)
{
    (void)signal;
    asked = 1;
}

void
cli_stop_catch(void)
{
    struct sigaction action = {.sa_handler = handle,
                               .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool
cli_stop_asked(void)
{
    return asked != 0;
}
