/* Prints docs/CONFIGURATION.md from the table of settings. A test compares
 * the committed file with it. */
#include <stdio.h>
#include <string.h>

#include <llmlab/config.h>

static const char intro[] =
    "# Configuration\n"
    "\n"
    "<!-- Made from src/client/config_props.def by tools/gen_config_docs.c.\n"
    "     Do not edit: run `ninja -C build config-docs`. -->\n"
    "\n"
    "A setting is a name and a value, both text:\n"
    "\n"
    "```c\n"
    "llmlab_config_set(config, \"batch.max_calls\", \"50\");\n"
    "```\n"
    "\n"
    "What the program does not set is read from the environment when a client\n"
    "opens (not in programs that run with raised privileges), and what is\n"
    "neither has the default below. An empty variable counts as unset. An\n"
    "unknown name or a bad value is an error with a text that says what is\n"
    "wrong; it never changes another setting.\n"
    "\n"
    "Numbers are written in decimal digits, truths as `true`, `yes`, `on`,\n"
    "`1` or `false`, `no`, `off`, `0`. Names that end in `_ms` are\n"
    "milliseconds, in `_bytes` bytes.\n";

/* A cell of a Markdown table: its bars are escaped. */
static void
print_code(const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    putchar('`');
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('`');
}

int
main(void)
{
    const llmlab_setting_t *setting;

    fputs(intro, stdout);
    for (size_t i = 0; (setting = llmlab_setting_at(i)) != NULL; i++) {
        printf("\n## %s\n\n%s\n\n", setting->name, setting->text);
        printf("| variable | type | default | values |\n|---|---|---|---|\n| ");
        print_code(setting->variable);
        printf(" | %s | ", setting->type);
        print_code(setting->default_value);
        printf(" | ");
        print_code(setting->choices);
        printf(" |\n");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
