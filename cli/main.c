/* llmlab: price a call, read a reply's usage, replay a workload, ask the
 * server. Finds the command, reads its options, runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static void
print_help(FILE *file)
{
    fputs("usage: llmlab COMMAND [options]\n\n", file);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        fprintf(file, "  %-10s %s\n", cli_commands[i]->name,
                cli_commands[i]->summary);
    }
    fputs("  help       print this; llmlab COMMAND --help tells one command\n"
          "\nexit codes: 0 done; 1 some line, file or request failed (told on "
          "stderr);\n            2 wrong use, nothing was done\n",
          file);
}

static void
print_command_help(const cli_command_t *command)
{
    printf("usage: llmlab %s %s\n\n%s\n", command->name, command->synopsis,
           command->help);
    for (size_t i = 0; command->options[i].name != NULL; i++) {
        const cli_option_t *option = &command->options[i];
        char left[64];
        int size = 0;

        if (option->letter != '\0') {
            size = snprintf(left, sizeof(left), "-%c, ", option->letter);
        }
        snprintf(left + size, sizeof(left) - (size_t)size, "--%s%s%s",
                 option->name, option->value != NULL ? " " : "",
                 option->value != NULL ? option->value : "");
        printf("%s  %-24s %s\n", i == 0 ? "\n" : "", left, option->text);
    }
}

static const cli_command_t *
find_command(const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

static int
report_unknown(const char *name)
{
    const cli_command_t *nearest = NULL;
    unsigned best = 3;

    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        unsigned distance = cli_distance(name, cli_commands[i]->name);

        if (distance < best) {
            best = distance;
            nearest = cli_commands[i];
        }
    }
    fprintf(stderr, "llmlab: unknown command \"%s\"", name);
    if (nearest != NULL) {
        fprintf(stderr, ", did you mean \"%s\"?", nearest->name);
    }
    fputs("; llmlab help lists them\n", stderr);
    return CLI_MISUSED;
}

static bool
wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int
run_command(const cli_command_t *command, int argc, char **argv)
{
    cli_args_t args;
    int code = CLI_MISUSED;

    if (wants_help(argc, argv)) {
        print_command_help(command);
        return CLI_OK;
    }
    if (cli_args_parse(&args, command->options, argc, argv)) {
        code = command->run(&args);
    } else {
        fprintf(stderr, "llmlab: see llmlab %s --help\n", command->name);
    }
    cli_args_cleanup(&args);
    return code;
}

static int
dispatch(int argc, char **argv)
{
    const cli_command_t *command;
    const char *name = argc > 1 ? argv[1] : "";

    if (name[0] == '\0') {
        print_help(stderr);
        return CLI_MISUSED;
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 ||
        strcmp(name, "-h") == 0) {
        if (argc < 3) {
            print_help(stdout);
            return CLI_OK;
        }
        command = find_command(argv[2]);
        if (command == NULL) {
            return report_unknown(argv[2]);
        }
        print_command_help(command);
        return CLI_OK;
    }
    command = find_command(name);
    if (command == NULL) {
        return report_unknown(name);
    }
    return run_command(command, argc - 2, argv + 2);
}

int
main(int argc, char **argv)
{
    int code;

    /* A file that may not grow is a write that fails, as a full disk is. */
    signal(SIGXFSZ, SIG_IGN);
    code = dispatch(argc, argv);
    /* A full disk or a closed pipe is a failure even at the last byte. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("llmlab: standard output");
        code = code == CLI_OK ? CLI_FAILED : code;
    }
    return code;
}
