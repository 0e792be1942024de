#include <stdio.h>

#include <llmlab/pricing.h>
#include <llmlab/version.h>

#include "cli/command.h"

static const cli_option_t options[] = {{0}};

static int
run(const cli_args_t *args)
{
    (void)args;
    printf("llmlab %s, prices of %s\n", llmlab_version(),
           llmlab_pricing_version());
    return CLI_OK;
}

const cli_command_t cli_command_version = {
    .name = "version",
    .synopsis = "",
    .summary = "print the versions of the program and its prices",
    .help = "Prints the version of llmlab and of its price table.",
    .options = options,
    .run = run,
};
